#!/usr/bin/python3 -B
"""Commit latency of canonical/raft over this library, and over its own libuv TCP.

    bazel run -c opt //bench:raft
    bazel run -c opt //bench:raft -- --rounds=1 --seconds=0.5 --out=/tmp/out

Three servers, a process each, on TCP loopback. Server 1 leads, and keeps 1, 32 or 512 entries of
64 B outstanding, each by a raft_apply of its own. "disk" is a folder of --folder, where raft_uv
writes with O_DIRECT and O_DSYNC; "memory" is one in /dev/shm, which takes no time to sync.

A round starts each system once on each storage, in a new order. The figures are medians over the
rounds (--rounds). Into the folder of --out (bench/results of the workspace) go raft.json, every
round's figures; raft.svg, the plot; and raft.md, the tables. With --draw_only it measures nothing.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time

from bench.report import figures, raft_plot, runs
from programs.program import Program

MEMBER = "bench/raft/raft_member"
SYSTEMS = ("libuv", "tcp", "zmq", "nng")
STORAGES = ("memory", "disk")
OUTSTANDING = (1, 32, 512)
WARM_UP_SECONDS = 0.3
NAMES = {"libuv": "canonical's libuv TCP", "tcp": "cluster on tcp", "zmq": "cluster on zmq",
         "nng": "cluster on nng"}
# The goals: at most so many of libuv's p50, at least so many of its entries.
GOALS = tuple(goal for storage in STORAGES for goal in (
    (storage + "/%s/1", "p50_us", 1.0, "at most"),
    (storage + "/%s/512", "items_per_second", 1.2, "at least")))


def parse_arguments():
    parser = argparse.ArgumentParser(prog="raft", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="default: 9")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each case; default: 1")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="default: all")
    parser.add_argument("--storages", default=",".join(STORAGES), help="default: both")
    parser.add_argument("--folder", default="/var/tmp", help="on a disk; default: /var/tmp")
    parser.add_argument("--out", default="", metavar="FOLDER", help="default: bench/results")
    parser.add_argument("--draw_only", action="store_true", help="measure nothing")
    return parser.parse_args()


def host():
    """One that nobody else uses, so that its ports are free."""
    return "127.%d.%d.%d" % tuple(random.randint(1, 254) for _ in range(3))


class Cluster:
    """Three members of one system. Ends with its block."""

    def __init__(self, system, folder):
        self._members = []
        for number in (1, 2, 3):
            own = os.path.join(folder, str(number))
            os.mkdir(own)
            self._members.append(Program([MEMBER, str(number), system, own, host()]))
        servers = " ".join("%d=%s" % (number + 1, member.expect("^address (.*)")[1])
                           for number, member in enumerate(self._members))
        for member in self._members:
            member.say("start " + servers)
        self._members[0].expect("^leads$")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        Program.kill_all()

    def _cpu_ns(self):
        for member in self._members:
            member.say("cpu")
        return sum(int(member.expect("^cpu (.*)")[1]) for member in self._members)

    def run(self, outstanding, seconds):
        """The counters of one case."""
        leader = self._members[0]
        before = self._cpu_ns()
        leader.say("run %d %g" % (outstanding, seconds))
        ran = leader.expect("^ran (.*)")[1].split()
        entries, took, p50, p99 = (float(word) for word in ran)
        return {"p50_us": p50, "p99_us": p99, "items_per_second": entries / took,
                "cpu_us_per_item": (self._cpu_ns() - before) / 1000 / max(1, entries)}


def measure_round(options):
    """A list of cases in the form of Google Benchmark's report."""
    cases = []
    turns = [(storage, system) for storage in options.storages.split(",")
             for system in options.systems.split(",")]
    random.shuffle(turns)
    for storage, system in turns:
        parent = options.folder if storage == "disk" else "/dev/shm"
        with tempfile.TemporaryDirectory(dir=parent, prefix="raft") as folder:
            with Cluster(system, folder) as cluster:
                cluster.run(32, WARM_UP_SECONDS)
                for outstanding in OUTSTANDING:
                    case = {"name": "%s/%s/%d" % (storage, system, outstanding)}
                    case.update(cluster.run(outstanding, options.seconds))
                    cases.append(case)
    return cases


def measure(options):
    context = {"date": time.strftime("%Y-%m-%d"), "num_cpus": os.cpu_count(),
               "rounds": options.rounds, "seconds": options.seconds}
    benchmarks = []
    for number in range(options.rounds):
        print("round %d of %d" % (number + 1, options.rounds), file=sys.stderr)
        benchmarks += measure_round(options)
    return {"context": context, "benchmarks": benchmarks}


def tables(measured):
    """Markdown: a table for each storage, then the goals."""
    shown = figures.Figures(measured)
    lines = []
    for storage in STORAGES:
        lines += ["## " + storage.capitalize(), "",
                  "| | outstanding | p50 us | p99 us | entries/s | x libuv's | CPU us per entry |",
                  "|---|---:|---:|---:|---:|---:|---:|"]
        for outstanding in OUTSTANDING:
            own = shown.spread("%s/libuv/%d" % (storage, outstanding), "items_per_second")
            for system in SYSTEMS:
                case = "%s/%s/%d" % (storage, system, outstanding)
                values = [shown.spread(case, counter) for counter in
                          ("p50_us", "p99_us", "items_per_second", "cpu_us_per_item")]
                if not all(values):
                    continue
                p50, p99, rate, cpu = (value.median for value in values)
                share = "%.2f" % (rate / own.median) if own else ""
                lines.append("| %s | %d | %.0f | %.0f | %.0f | %s | %.1f |" % (
                    NAMES[system], outstanding, p50, p99, rate, share, cpu))
        lines.append("")
    lines += goals(measured)
    return "\n".join(lines) + "\n"


def goals(measured):
    lines = ["## Goals", "", "| tcp beside libuv | ratio | goal |", "|---|---:|---|"]
    for case, counter, goal, kind in GOALS:
        medians = []
        for system in ("tcp", "libuv"):
            values = [one[counter] for one in measured["benchmarks"]
                      if one["name"] == case % system]
            medians.append(statistics.median(values) if values else None)
        if None in medians:
            continue
        reached = medians[0] / medians[1]
        met = reached <= goal if kind == "at most" else reached >= goal
        lines.append("| %s of %s | %.2f | %s %.1f: %s |" % (
            counter, case % "tcp", reached, kind, goal, "met" if met else "missed"))
    return lines


def main():
    options = parse_arguments()
    folder = os.path.join(os.environ.get("BUILD_WORKING_DIRECTORY", ""), options.out)
    if not options.out:
        folder = os.path.join(os.environ.get("BUILD_WORKSPACE_DIRECTORY", ""), "bench", "results")
    os.makedirs(folder, exist_ok=True)
    json_file = os.path.join(folder, "raft.json")
    if not options.draw_only:
        runs.write(measure(options), json_file)
    with open(json_file, encoding="utf-8") as file:
        measured = json.load(file)
    raft_plot.draw(figures.Figures(measured), os.path.join(folder, "raft.svg"))
    text = tables(measured)
    with open(os.path.join(folder, "raft.md"), "w", encoding="utf-8") as file:
        file.write("# Raft over this library\n\n"
                   "`bazel run -c opt //bench:raft` wrote this: medians of %d rounds. "
                   "[docs/performance.md](../../docs/performance.md#raft) explains it.\n\n%s"
                   % (measured["context"]["rounds"], text))
    print(text)


if __name__ == "__main__":
    main()
