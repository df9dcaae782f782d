#!/usr/bin/python3 -B
"""Runs the report on a few cases of the real programs, for a moment each, and reads its files."""

import argparse
import json
import os
import re
import subprocess
import tempfile
import unittest
from xml.etree import ElementTree

# The folder for matplotlib's list of fonts, since it may not be able to write to the home folder.
os.environ["MPLCONFIGDIR"] = os.environ.get("TEST_TMPDIR", tempfile.gettempdir())
# pylint: disable=wrong-import-position
from bench.report import figures, peers_systems, report as report_program, runs, style

FILTER = "^(raw|unicast)/zmq/(64|1024)$|^(raw_rtt|rtt)/nng/64$"
CASES = {"throughput": ["raw/zmq/64", "raw/zmq/1024", "unicast/zmq/64", "unicast/zmq/1024"],
         "latency": ["raw_rtt/nng/64", "rtt/nng/64"]}
REPETITIONS = 3
RUNS = 2

MEASURES_WITH_STEAL_OF_3_1_AND_2 = r"""
    [ "$1" = --benchmark_list_tests ] && { echo a; exit; }
    echo >> "$0.run"; run=$(wc -l < "$0.run")
    for flag; do
      case $flag in
        --tables_out=*) echo "tables of run $run" > "${flag#*=}" ;;
        --benchmark_out=*) out=${flag#*=} ;;
      esac
    done
    echo '{"context": {}, "benchmarks": [{"name": "a", "x": '$run', "run_type": "iteration"}]}' \
        > "$out"
    set -- 3.5 1.5 2.5; shift $((run - 1))
    echo "meanwhile other processes took 0% of the machine, steal was $1%" >&2
"""


def report(*flags):
    return subprocess.run(["bench/report/report", *flags], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)


def colours(svg_file):
    """The colours of a plot; fails if the file is not well-formed XML."""
    text = ElementTree.tostring(ElementTree.parse(svg_file).getroot(), encoding="unicode")
    return set(re.findall(r"stroke: (#[0-9a-f]{6})", text))


class ReportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # pylint: disable=consider-using-with
        cls.folder = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        cls.addClassCleanup(cls.folder.cleanup)
        # Tests are built without optimisation.
        cls.ran = report("--anyway", "--filter=" + FILTER, "--repetitions=%d" % REPETITIONS,
                         "--runs=%d" % RUNS, "--min_time=0.001", "--out=" + cls.folder.name)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def test_succeeds_with_progress(self):
        self.assertEqual(self.ran.returncode, 0, self.ran.stderr)
        # Of throughput: 4 cases, 3 times.
        self.assertRegex(self.ran.stderr, r"\[12/12\] \d+:\d\d")
        self.assertEqual(sorted(os.listdir(self.folder.name)),
                         ["latency.json", "latency.svg", "report.md", "throughput.json",
                          "throughput.svg"])

    def test_keeps_each_repetition_and_no_summary_of_them(self):
        for program, cases in CASES.items():
            kept = json.loads(self.read(program + ".json"))["benchmarks"]
            self.assertEqual(sorted(benchmark["name"] for benchmark in kept),
                             sorted(cases * REPETITIONS))
            counter = "p50_us" if program == "latency" else "bytes_per_second"
            self.assertTrue(all(benchmark[counter] > 0 for benchmark in kept))

    def test_names_no_machine_and_no_path(self):
        for name in os.listdir(self.folder.name):
            text = self.read(name)
            for secret in (os.uname().nodename, os.getcwd(), self.folder.name, "bench/throughput"):
                self.assertNotIn(secret, text, name)

    def test_draws_what_was_measured_and_nothing_else(self):
        drawn = colours(self.path("throughput.svg"))
        self.assertLessEqual({style.COLOURS["raw"], style.COLOURS["handler"]}, drawn)
        self.assertNotIn(style.COLOURS["receive_batch"], drawn)
        self.assertLessEqual({style.COLOURS["raw"], style.COLOURS["handler"]},
                             colours(self.path("latency.svg")))

    def test_tables_have_ratios_and_goals(self):
        text = self.read("report.md")
        self.assertRegex(text, r"\| envelopes/s \|.* unicast/raw \|")
        self.assertRegex(text, r"\n\| zmq 1024 B \|.* [0-9.]+x \|")
        self.assertRegex(text, r"\| goals \| measured \| wanted \| met \| limit \| of the limit \|")
        self.assertRegex(text, r"\n\| rtt/nng/64 / raw, p50 \| [0-9.]+ \| <= 1 \| (yes|NO) \|")
        self.assertIn("median of %d repetitions" % REPETITIONS, text)
        self.assertRegex(" ".join(text.split()),
                         r"The quietest of 2 runs: steal [0-9.]+% \(others: [0-9.]+%\)\.")

    def test_text_in_the_plots_is_text(self):
        for name in ("throughput.svg", "latency.svg"):
            texts = [element.text for element in ElementTree.parse(self.path(name)).iter()
                     if element.tag.endswith("}text")]
            self.assertIn("cluster, handler" if name == "latency.svg" else "1 KiB", texts)

    def test_the_latency_plot_prints_both_percentiles(self):
        measured = figures.Figures.load(self.path("latency.json"))
        text = self.read("latency.svg")
        for counter in ("p50_us", "p99_us"):
            us = measured.spread("rtt/nng/64", counter).median
            self.assertIn(">%s<" % ("%.0f" % us if us >= 100 else "%.3g" % us), text)

    def test_draws_again_from_the_files_to_the_same_bytes(self):
        before = self.read("latency.svg")
        os.remove(self.path("latency.svg"))
        again = report("--draw_only", "--out=" + self.folder.name)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(self.read("latency.svg"), before)

    def test_a_filter_that_matches_nothing_is_an_error(self):
        with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as folder:
            nothing = report("--anyway", "--filter=^nothing$", "--out=" + folder)
            self.assertNotEqual(nothing.returncode, 0)
            self.assertIn("no case matches --filter=^nothing$", nothing.stderr)
            self.assertEqual(os.listdir(folder), [])


class RunsTest(unittest.TestCase):
    """Tests with scripts in place of a benchmark program."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(folder.cleanup)
        self.program = os.path.join(folder.name, "program")
        self.options = argparse.Namespace(filter="", anyway=False, min_time=0.5, repetitions=5,
                                          runs=1)

    def run_script(self, script):
        with open(self.program, "w", encoding="utf-8") as program:
            program.write("#!/bin/sh\n" + script)
        os.chmod(self.program, 0o755)
        return runs.run(self.program, self.options, self.program + ".json")

    def test_a_build_without_optimisation_is_refused_by_name(self):
        with self.assertRaisesRegex(runs.RunFailed, "without optimisation.*-c opt"):
            self.run_script('[ "$3" = --refuse_unoptimised ] && exit 3')

    def test_repetitions_are_interleaved(self):
        with self.assertRaises(runs.RunFailed):
            self.run_script("""echo a
                echo "$*" >> "$0.flags"
                [ "$1" = --benchmark_list_tests ]""")
        with open(self.program + ".flags", encoding="utf-8") as flags:
            measuring = flags.read().splitlines()[1]
        self.assertIn("--benchmark_repetitions=5", measuring)
        self.assertIn("--benchmark_enable_random_interleaving=true", measuring)

    def test_keeps_the_run_with_the_least_steal(self):
        self.options.runs = 3
        tables = self.run_script(MEASURES_WITH_STEAL_OF_3_1_AND_2)
        with open(self.program + ".json", encoding="utf-8") as file:
            kept = json.load(file)
        self.assertEqual(tables, "tables of run 2\n")
        self.assertEqual(kept["benchmarks"], [{"name": "a", "x": 2}])
        self.assertEqual(kept["context"]["steals"], [3.5, 1.5, 2.5])
        self.assertEqual(report_program.choice(kept["context"]),
                         "The quietest of 3 runs: steal 1.5% (others: 2.5%, 3.5%).")

    def test_one_run_is_not_called_the_quietest(self):
        self.assertEqual(report_program.choice({"steals": [1.25]}), "One run: steal 1.2%.")

    def test_a_program_that_does_not_tell_its_steal_is_an_error(self):
        with self.assertRaisesRegex(runs.RunFailed, "steal"):
            runs.steal(["2 cores, load average 1.2"])

    def test_a_program_that_fails_leaves_nothing(self):
        with self.assertRaisesRegex(runs.RunFailed, "program ended with 7"):
            self.run_script("""[ "$1" = --benchmark_list_tests ] || exit 7; echo a""")
        self.assertEqual(os.listdir(os.path.dirname(self.program)), ["program"])


class ReadmeTest(unittest.TestCase):
    def test_its_ratios_are_those_of_the_published_report(self):
        header = "| envelopes of | handler / raw |"
        tables = {}
        for name in ("README.md", "bench/results/report.md"):
            with open(name, encoding="utf-8") as file:
                text = file.read()
            tables[name] = text[text.index(header):].split("\n\n")[0]
        published = tables["bench/results/report.md"]
        for number, words in (("1048576 B", "1 MiB"), ("65536 B", "64 KiB"), ("1024 B", "1 KiB")):
            published = published.replace(number, words)
        self.assertEqual(tables["README.md"], published)


class PeersTest(unittest.TestCase):
    """Tests of //bench:peers with figures that nobody measured: its program needs more packages."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        cases = [{"name": case, "items_per_second": 2.5e6, "bytes_per_second": 1.6e8}
                 for case in ("one/cluster_tcp/64", "one/grpc/64", "three/grpc/64")]
        cases.append({"name": "rtt/caf/64", "p50_us": 123.4, "p99_us": 5678.9})
        context = {"date": "today", "num_cpus": 2, "mhz_per_cpu": 2596, "repetitions": 3,
                   "seconds": 0.5, "notes": ["a note"], "steals": [0.5]}
        self.write("peers.json", json.dumps({"context": context, "benchmarks": cases}))

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def test_plots_show_the_libraries_that_were_measured(self):
        report_program.draw(report_program.PEERS, self.folder)
        bars, dots = self.read("peers.svg"), self.read("peers_latency.svg")
        for text in ("cluster on tcp", "gRPC", "64 B to three", "2.5 M/s"):
            self.assertIn(">%s<" % text, bars)
        self.assertNotIn("CAF", bars)
        self.assertLessEqual({"CAF", "123", "5679"}, set(re.findall(">([^<]+)<", dots)))
        self.assertNotIn("gRPC", dots)

    def test_a_bar_begins_at_zero(self):
        report_program.draw(report_program.PEERS, self.folder)
        self.assertEqual(self.read("peers.svg").count(">0<"), 4)

    def test_the_tables_come_with_both_plots(self):
        report_program.write_report(report_program.PEERS, {"peers": "| a table |\n"}, self.folder)
        text = self.read("peers.md")
        for part in ("(peers.svg)", "(peers_latency.svg)", "- a note\n", "| a table |"):
            self.assertIn(part, text)

    def test_every_library_of_the_program_has_a_row(self):
        with open("bench/peers/peers_smoke_test.sh", encoding="utf-8") as file:
            named = re.search(r"for peer in (.*); do", file.read())[1].split()
        self.assertEqual(sorted(named), sorted(name for name, _, _ in peers_systems.SYSTEMS))


class FiguresTest(unittest.TestCase):
    def test_spread_is_the_median_between_its_quartiles(self):
        measured = {"benchmarks": [{"name": "a", "x": value} for value in (5, 1, 4, 2, 3)]}
        self.assertEqual(figures.Figures(measured).spread("a", "x"), (2, 3, 4))

    def test_what_was_not_run_has_no_spread(self):
        self.assertIsNone(figures.Figures({"benchmarks": []}).spread("a", "x"))


    def test_only_transports_that_were_measured_have_a_panel(self):
        measured = figures.Figures({"benchmarks": [
            {"name": "unicast/tcp/64", "bytes_per_second": 1.0},
            {"name": "rtt_under_load/nng", "p50_us": 1.0}]})
        self.assertEqual(measured.transports(("zmq", "nng", "tcp")), ["nng", "tcp"])

    def test_a_run_without_any_has_panels_for_all(self):
        self.assertEqual(figures.Figures({"benchmarks": []}).transports(("zmq", "nng")),
                         ["zmq", "nng"])

    def test_the_plots_know_every_transport(self):
        cases = [{"name": "%s/%s/64" % (kind, transport), "bytes_per_second": 1.0, "p50_us": 1.0,
                  "p99_us": 2.0}
                 for kind in ("unicast", "rtt") for transport in ("zmq", "nng", "tcp")]
        with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as folder:
            for program in report_program.OWN.programs:
                with open(os.path.join(folder, program + ".json"), "w", encoding="utf-8") as file:
                    json.dump({"benchmarks": cases}, file)
            report_program.draw(report_program.OWN, folder)
            for name, title in (("throughput.svg", "%s: to one"), ("latency.svg", "%s")):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    text = file.read()
                for transport in ("zmq", "nng", "tcp"):
                    self.assertIn(">%s<" % title % transport, text)


class StyleTest(unittest.TestCase):
    def test_labels_that_would_overlap_move_apart_in_their_order(self):
        self.assertEqual(style.apart([5, 1, 1.5], 1), [5, 0.75, 1.75])

    def test_labels_with_room_stay(self):
        self.assertEqual(style.apart([1, 3, 2], 1), [1, 3, 2])


if __name__ == "__main__":
    unittest.main()
