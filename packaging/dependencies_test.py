#!/usr/bin/python3
"""docs/dependencies.md has a row for each library in third_party/debian.bzl, and no others."""

import re
import unittest


class DependenciesTest(unittest.TestCase):

    def test_each_library_has_its_row(self):
        with open("third_party/debian.bzl", encoding="utf-8") as file:
            libraries = re.findall(r'debian_library\(\s*name = "([^"]+)"', file.read())
        with open("docs/dependencies.md", encoding="utf-8") as file:
            rows = re.findall(r"^\| `@([^`]+)` \|", file.read(), re.MULTILINE)
        self.assertGreater(len(libraries), 5)
        self.assertEqual(sorted(rows), sorted(libraries))


if __name__ == "__main__":
    unittest.main()
