"""Tests in Python of the module in this folder."""

load("@rules_shell//shell:sh_test.bzl", "sh_test")

_ENV = {
    "CLUSTER_LIBRARY": "cluster/c/libcluster.so",
    "PYTHONPATH": "python:.",
}

def python_test(name, size, data = [], env = {}, src = None):
    """A script of /usr/bin/python3 that imports the module.

    Bazel's own rules for Python need a `python`, which Debian lacks.

    Args:
      name: as of any test.
      size: as of any test.
      data: files besides the module.
      env: variables besides those of the module.
      src: the script, if it is not `name` with ".py".
    """
    script = src or name + ".py"
    env = dict(env, **_ENV)
    sh_test(
        name = name,
        size = size,
        srcs = ["testing/run.sh"],
        args = ["$(location %s)" % script],
        data = data + [
            script,
            "testing/servers.py",
            ":cluster",
            "//cluster/c:libcluster.so",
        ] + select({
            ":tsan": [":testing/tsan_suppressions.txt"],
            "//conditions:default": [],
        }),
        env = select({
            ":asan": dict(env, TEST_PRELOAD = "libasan.so.8"),
            ":tsan": dict(env, TEST_PRELOAD = "libtsan.so.2"),
            "//conditions:default": env,
        }),
    )
