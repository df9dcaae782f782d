#!/usr/bin/python3
"""MODULE.bazel says what the rest of the tree says: the version, and the repositories.

//cluster:version_test compares version.h with CHANGELOG.md.
"""

import re
import unittest


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class ModuleTest(unittest.TestCase):

    def test_the_version_is_the_librarys(self):
        version = re.search(r'kVersion\[\] = "([^"]+)"', read("cluster/version.h"))[1]
        module = re.search(r"^module\(([^)]*)\)", read("MODULE.bazel"), re.MULTILINE)[1]
        self.assertIn('version = "%s"' % version, module)

    def test_it_uses_every_repository(self):
        made = re.findall(r'debian_library\(\s*name = "([^"]+)"', read("third_party/debian.bzl"))
        self.assertGreater(len(made), 5)
        used = re.search(r"^use_repo\(\s*debian,([^)]*)\)", read("MODULE.bazel"), re.MULTILINE)[1]
        self.assertEqual(re.findall(r'"([^"]+)"', used), sorted(made))


if __name__ == "__main__":
    unittest.main()
