#!/usr/bin/python3
"""check_layout finds each kind of error, and accepts the rest."""

import importlib.machinery
import importlib.util
import sys
import unittest


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, "tools/" + name)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
layout = load("check_layout")


class CheckLayoutTest(unittest.TestCase):
    def expect(self, path, text, *wanted):
        found = list(layout.check(path, text))
        self.assertEqual([line for line, _ in found], [line for line, _ in wanted], found)
        for (_, said), (_, part) in zip(found, wanted):
            self.assertIn(part, said)

    def test_includes(self):
        self.expect("programs/a.cc", '#include "cluster/transport/frame.h"\n#include <base/x.h>\n'
                    '#include "tests/base/x.h"\n')
        for folder in ("base", "codec/json", "transport/zmq"):
            self.expect("tests/a.cc", '\n#include "%s/a.h"\n' % folder,
                        (2, '"cluster/%s/a.h"' % folder))

        self.expect("tests/workspace/a.cc", '#include "base/a.h"\n')

    def test_guards(self):
        def guarded(guard):
            return "// Text.\n\n#ifndef %s\n#define %s\n#endif\n" % (guard, guard)

        self.expect("codec/json/a_b.h", guarded("CLUSTER_CODEC_JSON_A_B_H_"))
        self.expect("cluster/a.h", guarded("CLUSTER_A_H_"))
        self.expect("tests/a.h", guarded("TESTS_A_H_"))
        self.expect("codec/a.h", guarded("CODEC_A_H_"), (1, "CLUSTER_CODEC_A_H_"))
        self.expect("cluster/a.h", "#ifndef CLUSTER_A_H_\n#define CLUSTER_B_H_\n", (1, ""))
        self.expect("cluster/a.h", "#pragma once\n", (1, "CLUSTER_A_H_"))

    def test_loads(self):
        rules = 'load("@rules_cc//cc:defs.bzl", "cc_library", "cc_test")\n'
        own = 'load("//tools:cc.bzl", "cc_library")\n'
        library = 'cc_library(\n    name = "a",\n)\n'
        self.expect("cluster/BUILD.bazel", rules + library + 'alias(name = "b")\n')
        self.expect("codec/BUILD.bazel", own + library)
        self.expect("codec/BUILD.bazel", rules + library, (2, "//tools:cc.bzl"))
        self.expect("cluster/BUILD.bazel", rules + "\n[cc_binary(\n) for a in b]\n", (3, "cc_binary"))
        self.expect("cluster/BUILD.bazel", 'sh_test(\n)\n' + rules, (1, "load sh_test"))
        self.expect("third_party/x/BUILD.bazel", library)
        self.expect("cluster/a.bzl", library)


if __name__ == "__main__":
    unittest.main()
