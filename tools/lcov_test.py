#!/usr/bin/python3
"""The merger of coverage: names of files, sums of lines, and files that it ignores."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import unittest

MERGER = sys.argv.pop()


def gcov(path, name, lines):
    with gzip.open(path, "wt") as file:
        json.dump({"files": [{"file": name, "lines": [
            {"line_number": number, "count": count} for number, count in lines]}]}, file)


class LcovTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def merge(self, *flags):
        subprocess.run([MERGER, "--output_file=" + self.path("out"), *flags], check=True)
        with open(self.path("out")) as file:
            return file.read().split()

    def test_a_tests_files(self):
        header = "bazel-out/k8/bin/codec/_virtual_includes/codec/cluster/codec/a.h"
        for number, (name, lines) in enumerate([
                ("codec/a.cc", [(1, 2), (3, 0)]), ("codec/a.cc", [(1, 3), (3, 0)]),
                (header, [(7, 1)]), ("/usr/include/x.h", [(1, 1)]),
                ("external/absl/x.h", [(1, 1)]), ("bazel-out/k8/bin/gen.cc", [(1, 1)])]):
            gcov(self.path("%d.gcov.json.gz" % number), name, lines)
        self.assertEqual(
            self.merge("--coverage_dir=" + self.folder, "--filter_sources=/usr/.+"),
            ["SF:codec/a.cc", "DA:1,5", "DA:3,0", "LH:1", "LF:2", "end_of_record",
             "SF:codec/a.h", "DA:7,1", "LH:1", "LF:1", "end_of_record"])

    def test_all_tests_reports(self):
        for name, text in (("1", "SF:a.cc\nDA:1,3\nDA:2,1\nend_of_record\n"),
                           ("2", "SF:a.cc\nDA:1,4\nend_of_record\nSF:b.cc\nend_of_record\n")):
            with open(self.path(name), "w") as file:
                file.write(text)
        with open(self.path("reports"), "w") as file:
            file.write(self.path("1") + "\n" + self.path("2") + "\n")
        self.assertEqual(
            self.merge("--reports_file=" + self.path("reports")),
            ["SF:a.cc", "DA:1,7", "DA:2,1", "LH:2", "LF:2", "end_of_record",
             "SF:b.cc", "LH:0", "LF:0", "end_of_record"])


if __name__ == "__main__":
    unittest.main()
