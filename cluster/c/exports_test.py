#!/usr/bin/python3
"""libcluster.so exports the functions that cluster.h declares, and nothing else."""

import re
import subprocess
import unittest

FOLDER = "cluster/c/"


class ExportsTest(unittest.TestCase):
    def test_exports_what_the_header_declares(self):
        with open(FOLDER + "cluster.h", encoding="utf-8") as file:
            declared = re.findall(r"^CLUSTER_EXPORT[\s\w*]+?(\w+)\(", file.read(), re.MULTILINE)
        listed = subprocess.run(["nm", "-D", "--defined-only", FOLDER + "libcluster.so"],
                                check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout
        # Small letters are local symbols.
        exported = [name for _, kind, name in map(str.split, listed.splitlines()) if kind.isupper()]
        self.assertEqual(sorted(exported), sorted(declared))
        self.assertGreater(len(declared), 20)


if __name__ == "__main__":
    unittest.main()
