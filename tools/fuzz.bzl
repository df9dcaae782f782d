"""Fuzz targets: one fuzz function, run by libFuzzer or replayed over its corpus."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_test")

def fuzz_target(name, srcs, deps, corpus):
    """Makes `<name>_fuzzer` and `<name>_corpus_test` from one fuzz function.

    The fuzzer is run with clang, and starts from the corpus without writing to it:

        bazel run --config=fuzz //codec/binary:binary_fuzzer -- -max_total_time=30

    The test is an ordinary one, of any compiler: it calls the fuzz function on each file.

    Args:
      name: prefix of both targets.
      srcs: the file that defines LLVMFuzzerTestOneInput.
      deps: what it needs.
      corpus: files, each one input; not empty.
    """
    locations = ["$(rootpath %s)" % file for file in corpus]
    cc_binary(
        name = name + "_fuzzer",
        testonly = True,
        srcs = srcs,
        args = ["-seed_inputs=" + ",".join(locations)],
        data = corpus,
        linkopts = [
            "-fsanitize=fuzzer",
            # Bazel links with clang, not clang++, and so without the part of the
            # undefined-behaviour runtime for virtual tables.
            "-fsanitize-link-c++-runtime",
        ],
        tags = ["manual"],
        deps = deps,
    )
    cc_test(
        name = name + "_corpus_test",
        size = "small",
        srcs = srcs,
        args = locations,
        data = corpus,
        deps = deps + ["//tools:replay_corpus"],
    )
