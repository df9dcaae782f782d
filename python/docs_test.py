#!/usr/bin/python3
"""Each example of docs/python.md is a program that works."""

import re
import subprocess
import sys
import unittest

from testing.servers import SECONDS


class DocsTest(unittest.TestCase):
    def test_examples_run(self):
        with open("docs/python.md", encoding="utf-8") as file:
            examples = re.findall(r"^```python\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
        self.assertGreater(len(examples), 4)
        for example in examples:
            with self.subTest(example=example):
                result = subprocess.run(
                    [sys.executable, "-W", "error::ResourceWarning", "-c", example],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS)
                self.assertEqual((result.returncode, result.stderr), (0, b""))


if __name__ == "__main__":
    unittest.main()
