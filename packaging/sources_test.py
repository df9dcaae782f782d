#!/usr/bin/python3
"""CMakeLists.txt compiles the files that are in Bazel's //packaging:libcluster, and no others.

    sources_test.py FILE     the labels of Bazel's files, one on a line
"""

import re
import sys
import unittest

LABELS = sys.argv.pop()


class SourcesTest(unittest.TestCase):

    def test_cmake_compiles_the_files_of_bazel(self):
        with open("CMakeLists.txt", encoding="utf-8") as file:
            block = re.search(r"^set\(CLUSTER_SOURCES\n(.*?)\)", file.read(), re.MULTILINE | re.DOTALL)
        cmake = block[1].split()
        with open(LABELS, encoding="utf-8") as file:
            labels = re.findall(r"^//(.*\.cc)$", file.read(), re.MULTILINE)
        bazel = sorted(label.replace(":", "/") for label in labels)
        self.assertGreater(len(bazel), 50)
        self.assertEqual(cmake, bazel, "CLUSTER_SOURCES in CMakeLists.txt against Bazel's files")


if __name__ == "__main__":
    unittest.main()
