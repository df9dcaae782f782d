#!/usr/bin/python3 -B
"""Measures other messaging libraries beside this one, and draws the figures.

    tools/setup.sh --peers && bazel run -c opt //bench:peers
    bazel run -c opt //bench:peers -- --filter='/64$' --runs=1 --repetitions=3 --out=/tmp/out

Into the folder of --out (bench/results of the workspace) it writes peers.json, every repetition's
figures; peers.svg and peers_latency.svg, the plots; and peers.md, the tables. It runs three times
(--runs), and keeps the run with the least steal time. With --draw_only it measures nothing and
draws the kept figures again.
"""

from bench.report import report

if __name__ == "__main__":
    report.main(report.PEERS, __doc__)
