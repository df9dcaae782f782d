#!/usr/bin/python3 -B
"""Runs both benchmarks and draws their figures.

    bazel run -c opt //bench:report
    bazel run -c opt //bench:report -- --filter='/64$' --repetitions=3 --min_time=0.2 --out=/tmp/out

Into the folder of --out (bench/results of the workspace) it writes throughput.json and
latency.json, every repetition's figures; throughput.svg and latency.svg, the plots; and report.md,
the tables. Each program runs three times (--runs), and the run with the least steal time is kept.
With --draw_only it measures nothing and draws the kept figures again.

It needs Debian's python3-matplotlib, which tools/setup.sh installs.
"""

import argparse
import collections
import importlib
import importlib.util
import json
import os
import sys
import textwrap

from bench.report import figures, runs

# A file of tables; the programs that measure them, below bench/; the plots of each program.
# NAME_plot.py draws NAME.svg.
Report = collections.namedtuple("Report", "file programs plots")

OWN = Report("report.md", {"throughput": "throughput", "latency": "latency"},
             {"throughput": ["throughput"], "latency": ["latency"]})
PEERS = Report("peers.md", {"peers": "peers/peers"}, {"peers": ["peers", "peers_latency"]})


def parse_arguments(description):
    parser = argparse.ArgumentParser(
        prog="report", description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3,
                        help="of each program; the one with the least steal is kept; default: 3")
    parser.add_argument("--repetitions", type=int, default=5, help="of each case; default: 5")
    parser.add_argument("--min_time", type=float, default=0.5, metavar="SECONDS",
                        help="of each repetition; default: 0.5")
    parser.add_argument("--filter", default="", metavar="REGEX", help="of cases; default: all")
    parser.add_argument("--out", default="", metavar="FOLDER", help="default: bench/results")
    parser.add_argument("--anyway", action="store_true",
                        help="measure even without optimisation, where figures mean nothing")
    parser.add_argument("--draw_only", action="store_true", help="measure nothing")
    return parser.parse_args()


def out_folder(wanted):
    """`bazel run` starts this elsewhere; its variables name the user's folder and the tree."""
    if wanted:
        return os.path.join(os.environ.get("BUILD_WORKING_DIRECTORY", ""), wanted)
    return os.path.join(os.environ.get("BUILD_WORKSPACE_DIRECTORY", ""), "bench", "results")


def measure(report, options, folder):
    """Returns whether anything was measured."""
    tables = {}
    for program, path in report.programs.items():
        text = runs.run(os.path.join("bench", path), options,
                        os.path.join(folder, program + ".json"))
        if text:
            tables[program] = text
    if tables:
        write_report(report, tables, folder)
    return bool(tables)


def choice(context):
    """Names the run: "The quietest of 3 runs: steal 0.4% (others: 2.1%, 3.0%)."."""
    steals = sorted(context["steals"])
    if len(steals) == 1:
        return "One run: steal %.1f%%." % steals[0]
    others = ", ".join("%.1f%%" % steal for steal in steals[1:])
    return "The quietest of %d runs: steal %.1f%% (others: %s)." % (len(steals), steals[0], others)


def write_report(report, tables, folder):
    with open(os.path.join(folder, report.file), "w", encoding="utf-8") as out:
        out.write("# Figures\n")
        for program, text in tables.items():
            with open(os.path.join(folder, program + ".json"), encoding="utf-8") as file:
                context = json.load(file)["context"]
            out.write("\n## %s\n\n" % program.title())
            out.writelines("![%s](%s.svg)\n\n" % (plot.replace("_", " "), plot)
                           for plot in report.plots[program])
            paragraph = ("%s; %d cores of %d MHz; median of %d repetitions of %g s, interleaved at "
                         "random. %s" % (context["date"], context["num_cpus"],
                                         context["mhz_per_cpu"], context["repetitions"],
                                         context["seconds"], choice(context)))
            out.write(textwrap.fill(paragraph, 100) + "\n\n")
            out.writelines("- %s\n" % note for note in context["notes"])
            out.write(text)


def draw(report, folder):
    for program, plots in report.plots.items():
        measured = os.path.join(folder, program + ".json")
        if not os.path.exists(measured):
            continue
        for plot in plots:
            # main has checked that matplotlib exists.
            module = importlib.import_module("bench.report.%s_plot" % plot)
            module.draw(figures.Figures.load(measured), os.path.join(folder, plot + ".svg"))


def main(report=OWN, description=__doc__):
    options = parse_arguments(description)
    if importlib.util.find_spec("matplotlib") is None:
        sys.exit("report: matplotlib is missing: run tools/setup.sh, or apt-get install "
                 "python3-matplotlib")
    folder = out_folder(options.out)
    os.makedirs(folder, exist_ok=True)
    try:
        if not options.draw_only and not measure(report, options, folder):
            sys.exit("report: no case matches --filter=" + options.filter)
    except runs.RunFailed as error:
        sys.exit("report: %s" % error)
    draw(report, folder)
    print("written to " + folder)


if __name__ == "__main__":
    main()
