"""cc_library for the packages outside cluster/, whose headers users include too."""

load("@rules_cc//cc:defs.bzl", native_cc_library = "cc_library")

def cc_library(name, srcs = [], deps = [], **kwargs):
    """A cc_library whose headers are included as "cluster/<package>/<header>".

    So no header of ours clashes with one of the same path in a user's workspace. Bazel prefixes
    `hdrs` alone, so headers in `srcs` get a private target of their own, `<name>_private`.

    Args:
      name: as of any cc_library.
      srcs: as of any cc_library.
      deps: as of any cc_library.
      **kwargs: as of any cc_library.
    """
    prefix = "cluster/" + native.package_name()
    if type(srcs) == type([]):
        private = [file for file in srcs if file.endswith(".h")]
        if private:
            native_cc_library(
                name = name + "_private",
                testonly = kwargs.get("testonly", False),
                hdrs = private,
                include_prefix = prefix,
                visibility = ["//visibility:private"],
                deps = deps,
            )
            srcs = [file for file in srcs if file not in private]
            deps = deps + [":" + name + "_private"]
    native_cc_library(name = name, srcs = srcs, include_prefix = prefix, deps = deps, **kwargs)
