"""Debian's libraries for MODULE.bazel. Bazel 4 has no module_extension and never loads this file."""

load(":debian.bzl", "debian_libraries")

def _debian(_module_ctx):
    debian_libraries()

debian = module_extension(
    implementation = _debian,
    doc = "The repositories of debian_libraries().",
)
