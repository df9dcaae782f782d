"""The transports that a build may leave out, with --//:with_nng=false and so on.

A transport is optional when its name is in OPTIONAL_TRANSPORTS. A build without it links a factory
that says so, and nothing of the transport.
"""

load("//tools:cc.bzl", "cc_library")

OPTIONAL_TRANSPORTS = [
    "nng",
    "tcp",
    "zmq",
]

def _bool_flag(_ctx):
    return []

bool_flag = rule(
    implementation = _bool_flag,
    doc = "A flag of the command line, true or false.",
    build_setting = config.bool(flag = True),
)

def transport_flags():
    """For the root package: the flag with_NAME of each, and what select() asks for."""
    for name in OPTIONAL_TRANSPORTS:
        bool_flag(
            name = "with_" + name,
            build_setting_default = True,
            visibility = ["//visibility:public"],
        )
        native.config_setting(
            name = "without_" + name,
            flag_values = {":with_" + name: "False"},
            visibility = ["//transport:__pkg__"],
        )

def optional_transports():
    """For //transport: no_NAME, the factory of a build without that transport."""
    for name in OPTIONAL_TRANSPORTS:
        cc_library(
            name = "no_" + name,
            srcs = ["absent.cc"],
            local_defines = [
                "CLUSTER_ABSENT=" + name,
                'CLUSTER_ABSENT_FLAG=\\"--//:with_%s=false\\"' % name,
                "CLUSTER_ABSENT_FACTORY=New%sTransport" % name.capitalize(),
            ],
            deps = [
                ":transport",
                "@abseil-cpp//absl/status",
                "@abseil-cpp//absl/status:statusor",
                "@abseil-cpp//absl/strings",
            ],
        )

def chosen_transports():
    """The deps of a library that has every transport of this build."""
    deps = []
    for name in OPTIONAL_TRANSPORTS:
        deps += select({
            "//:without_" + name: ["//transport:no_" + name],
            "//conditions:default": ["//transport/" + name],
        })
    return deps
