#!/usr/bin/python3
"""Merges coverage into one LCOV file: gcov's JSON files of a test, or the LCOV files of tests.

    lcov.py --output_file=FILE --coverage_dir=DIR     all *.gcov.json.gz in the folder
    lcov.py --output_file=FILE --reports_file=FILE    the LCOV files that it names, a line each

Other flags, which Bazel passes too, change nothing. Only the tree's own files are kept. Headers that
were included through Bazel's _virtual_includes have their own names.
"""

import collections
import glob
import gzip
import json
import os
import re
import sys

VIRTUAL = re.compile(r".*/_virtual_includes/[^/]+/cluster/(.*)")


def own_path(path):
    """The path in the tree, or None for a file outside it."""
    virtual = VIRTUAL.fullmatch(path)
    if virtual:
        return virtual[1]
    if path.startswith(("/", "external/", "bazel-out/")):
        return None
    return path


def read_gcov(path, counts):
    with gzip.open(path, "rt") as file:
        for source in json.load(file)["files"]:
            name = own_path(source["file"])
            if name is not None:
                for line in source["lines"]:
                    counts[name][line["line_number"]] += line["count"]


def read_lcov(path, counts):
    name = None
    with open(path) as file:
        for line in file:
            if line.startswith("SF:"):
                name = own_path(line[3:].rstrip())
                if name is not None:
                    counts[name]  # a file without lines is one that no test ran
            elif line.startswith("DA:") and name is not None:
                number, count = line[3:].split(",")[:2]
                counts[name][int(number)] += int(count)


def write_lcov(path, counts):
    with open(path, "w") as file:
        for name, lines in sorted(counts.items()):
            file.write("SF:%s\n" % name)
            for number, count in sorted(lines.items()):
                file.write("DA:%d,%d\n" % (number, count))
            file.write("LH:%d\nLF:%d\nend_of_record\n" % (
                sum(1 for count in lines.values() if count), len(lines)))


def main():
    flags = dict(argument[2:].split("=", 1) for argument in sys.argv[1:] if "=" in argument)
    counts = collections.defaultdict(lambda: collections.defaultdict(int))
    if "coverage_dir" in flags:
        for path in glob.glob(os.path.join(flags["coverage_dir"], "*.gcov.json.gz")):
            read_gcov(path, counts)
    if "reports_file" in flags:
        with open(flags["reports_file"]) as file:
            for path in file.read().split():
                read_lcov(path, counts)
    write_lcov(flags["output_file"], counts)


main()
