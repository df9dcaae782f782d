"""Prints "passed failed" for a bazel test run: the file of its build events, and its exit status.

A test target that has no summary (it was not built, or not run) has failed. So has, as one more,
a run that ended badly although no test did.
"""

import json
import sys


def count(lines, exit_status):
    expected = set()
    passed = set()
    for line in lines:
        if not line.strip():
            continue
        try:
            event = json.loads(line)
        except ValueError:  # bazel was killed while it wrote
            continue
        event_id = event.get("id", {})
        if "testSize" in event.get("configured", {}):
            expected.add(event_id["targetConfigured"]["label"])
        if "testSummary" in event_id:
            label = event_id["testSummary"]["label"]
            expected.add(label)
            if event.get("testSummary", {}).get("overallStatus") == "PASSED":
                passed.add(label)
    failed = len(expected - passed)
    if failed == 0 and (exit_status != 0 or not expected):
        failed = 1
    return len(passed), failed


def main():
    try:
        with open(sys.argv[1], encoding="utf-8") as lines:
            passed, failed = count(lines, int(sys.argv[2]))
    except OSError:  # bazel did not start
        passed, failed = 0, 1
    print(passed, failed)


main()
