"""Debian's development packages as Bazel repositories, under the Central Registry's labels.

Each repository symlinks only its own library's headers. An overlay of all of /usr/include would put
the C headers in front of libstdc++'s wrappers and change what `abs(double)` means.
"""

def _pkg_config_libs(repository_ctx, module):
    result = repository_ctx.execute(["pkg-config", "--libs", module])
    if result.return_code != 0:
        fail("pkg-config does not know '%s': run %s (%s)" % (module, repository_ctx.attr.setup, result.stderr.strip()))
    return [flag for flag in result.stdout.strip().split(" ") if flag]

def _cc_library(name, linkopts, deps):
    return """
cc_library(
    name = "{name}",
    linkopts = {linkopts},
    visibility = ["//visibility:public"],
    deps = {deps},
)
""".format(name = name, linkopts = linkopts, deps = deps)

# For each generated file: Bazel 9 has no C++ rules of its own.
_LOAD = """load("@rules_cc//cc:defs.bzl", "cc_library")
"""

_HEADERS = _LOAD + """
cc_library(
    name = "headers",
    hdrs = glob(["include/**"]),
    includes = ["include"],
    visibility = ["//visibility:public"],
)
"""

def _found(repository_ctx, header):
    """The paths of /usr/include that this entry of `headers` names."""
    folder = repository_ctx.path("/usr/include")
    if header.endswith("*"):
        return [path for path in folder.readdir() if path.basename.startswith(header[:-1])]

    # Some have a folder for each kind of machine: x86_64-linux-gnu/curl.
    folders = [folder] + [path for path in folder.readdir() if "-linux-gnu" in path.basename]
    return [path.get_child(header) for path in folders if path.get_child(header).exists][:1]

def _debian_library(repository_ctx):
    for header in repository_ctx.attr.headers:
        paths = _found(repository_ctx, header)
        if not paths:
            fail("/usr/include/%s is missing: run %s" % (header, repository_ctx.attr.setup))
        for path in paths:
            repository_ctx.symlink(path, "include/" + path.basename)

    root = _HEADERS
    packages = {}
    for label, libs in repository_ctx.attr.targets.items():
        linkopts = []
        for lib in libs:
            if lib.startswith("-"):
                linkopts.append(lib)
            else:
                linkopts += _pkg_config_libs(repository_ctx, lib)
        package, name = label.split(":")
        packages[package] = packages.get(package, "") + _cc_library(
            name,
            linkopts,
            ["//:headers"] + repository_ctx.attr.deps,
        )
    for package, text in packages.items():
        if package:
            repository_ctx.file(package + "/BUILD.bazel", _LOAD + text)
        else:
            root += text
    repository_ctx.file("BUILD.bazel", root)

debian_library = repository_rule(
    implementation = _debian_library,
    doc = "One Debian library: its headers, and a cc_library for each label that users name.",
    local = True,
    attrs = {
        "headers": attr.string_list(doc = "Files and folders of /usr/include. A last * stands for any end."),
        "targets": attr.string_list_dict(
            doc = "'package:name' -> pkg-config modules, or link flags where the library has no .pc.",
        ),
        "deps": attr.string_list(doc = "Labels of the repositories that the headers include."),
        "setup": attr.string(default = "tools/setup.sh", doc = "The command that installs the package."),
    },
)

_ABSEIL = {
    "absl/algorithm:container": ["absl_algorithm_container"],
    "absl/base:core_headers": ["absl_core_headers"],
    "absl/cleanup:cleanup": ["absl_cleanup"],
    "absl/container:inlined_vector": ["absl_inlined_vector"],
    "absl/flags:flag": ["absl_flags"],
    "absl/flags:parse": ["absl_flags_parse"],
    "absl/flags:reflection": ["absl_flags_reflection"],
    "absl/flags:usage": ["absl_flags_usage"],
    "absl/flags:usage_config": ["absl_flags_config"],
    "absl/functional:function_ref": ["absl_core_headers"],
    "absl/memory:memory": ["absl_memory"],
    "absl/numeric:bits": ["absl_bits"],
    "absl/random:random": ["absl_random_random"],
    "absl/status:status": ["absl_status"],
    "absl/status:statusor": ["absl_statusor"],
    "absl/strings:cord": ["absl_cord"],
    "absl/strings:str_format": ["absl_str_format"],
    "absl/strings:strings": ["absl_strings"],
    "absl/time:time": ["absl_time"],
    "absl/types:optional": ["absl_optional"],
    "absl/types:span": ["absl_span"],
}

_PEERS = "tools/setup.sh --peers"

def debian_libraries():
    """Every library that the tree uses; tools/setup.sh installs their packages.

    Bazel makes a repository when a target needs it: those of the peers only for //bench:peers.
    """
    debian_library(name = "abseil-cpp", headers = ["absl"], targets = _ABSEIL)
    debian_library(
        name = "googletest",
        headers = ["gtest", "gmock"],
        targets = {
            ":gtest": ["gtest", "gmock"],
            ":gtest_main": ["gtest_main", "gmock"],
        },
    )
    debian_library(
        name = "google_benchmark",
        headers = ["benchmark"],
        targets = {
            ":benchmark": ["benchmark"],
            ":benchmark_main": ["-lbenchmark_main", "-lbenchmark", "-lpthread"],
        },
    )
    debian_library(name = "rapidjson", headers = ["rapidjson"], targets = {":rapidjson": []})
    debian_library(
        name = "libzmq",
        headers = ["zmq.h", "zmq_utils.h"],
        targets = {":libzmq": ["libzmq"]},
    )
    debian_library(
        name = "cppzmq",
        headers = ["zmq.hpp", "zmq_addon.hpp"],
        targets = {":cppzmq": []},
        deps = ["@libzmq//:libzmq"],
    )
    debian_library(name = "nng", headers = ["nng"], targets = {":nng": ["-lnng"]})
    debian_library(name = "asio", headers = ["asio", "asio.hpp"], targets = {":asio": ["-lpthread"]})
    debian_library(
        name = "c-ares",
        # Which others it includes depends on its version.
        headers = ["ares.h", "ares_*"],
        targets = {":ares": ["libcares"]},
    )
    debian_library(
        name = "openssl",
        headers = ["openssl"],
        targets = {
            ":crypto": ["libcrypto"],
            ":ssl": ["libssl", "libcrypto"],
        },
    )
    debian_library(name = "isa-l", headers = ["isa-l"], targets = {":isa-l": ["libisal"]})
    debian_library(name = "libcurl", headers = ["curl"], targets = {":curl": ["libcurl"]})
    debian_library(
        name = "libmicrohttpd",
        headers = ["microhttpd.h"],
        targets = {":libmicrohttpd": ["libmicrohttpd"]},
    )
    debian_library(
        name = "prometheus-cpp",
        headers = ["prometheus"],
        # Not "pull", which is a server of its own.
        targets = {"core:core": ["prometheus-cpp-core"]},
    )
    debian_library(name = "libuv", headers = ["uv.h", "uv"], targets = {":libuv": ["libuv"]})
    debian_library(
        name = "raft",
        headers = ["raft.h", "raft"],
        # The adapter of //examples/raft_library uses functions that libraft.so does not export.
        targets = {":raft": ["-l:libraft.a", "liblz4"]},
        deps = ["@libuv//:libuv"],
    )
    debian_library(name = "libedit", headers = ["histedit.h"], targets = {":libedit": ["libedit"]})
    debian_library(name = "utf8proc", headers = ["utf8proc.h"], targets = {":utf8proc": ["libutf8proc"]})

    # Measured beside this library by //bench:peers, and used by nothing else.
    debian_library(
        name = "caf",
        headers = ["caf"],
        targets = {":caf": ["-lcaf_io", "-lcaf_core"]},
        setup = _PEERS,
    )
    debian_library(
        name = "grpc",
        headers = ["grpc", "grpc++", "grpcpp"],
        targets = {":grpc++": ["grpc++"]},
        deps = ["@abseil-cpp//:headers"],
        setup = _PEERS,
    )
    debian_library(
        name = "nanomsg",
        headers = ["nanomsg"],
        targets = {":nanomsg": ["-lnanomsg"]},
        setup = _PEERS,
    )
