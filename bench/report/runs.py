"""Runs a benchmark program, shows its progress, and keeps the quietest of several runs.

A run is kept as the raw figures of every repetition, without names and paths of the machine.
figures.py has the statistics.
"""

import json
import re
import subprocess
import sys
import tempfile
import time

# Facts about the machine that do not identify it or its user.
CONTEXT_KEYS = ("date", "num_cpus", "mhz_per_cpu", "cpu_scaling_enabled", "load_avg")
# Google Benchmark times a whole measurement with its set-up, so these figures mean nothing.
NO_FIGURES = ("family_index", "per_family_instance_index", "run_name", "run_type", "repetitions",
              "threads", "iterations", "real_time", "cpu_time", "time_unit")
UNOPTIMISED = 3  # the exit code of an unoptimised program


class RunFailed(Exception):
    pass


class Progress:
    """A line on stderr: how much is done, the case that runs, the time that is left."""

    def __init__(self, total):
        self._total = total
        self._done = -1  # the first announcement only begins a case
        self._start = time.monotonic()

    def begin(self, case):
        self._done += 1
        left = "?"
        if self._done > 0:
            seconds = (time.monotonic() - self._start) / self._done * (self._total - self._done)
            left = "%d:%02d" % divmod(round(seconds), 60)
        line = "[%d/%d] %s left, measuring %s" % (self._done + 1, self._total, left, case)
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K" + line)
            sys.stderr.flush()
        elif self._done % max(1, self._total // 20) == 0:
            print(line, file=sys.stderr)

    @staticmethod
    def end():
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")


def case_count(program, flags):
    listed = subprocess.run([program, "--benchmark_list_tests"] + flags, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, check=False)
    if listed.returncode == UNOPTIMISED:
        raise RunFailed("built without optimisation, so figures would mean nothing: use bazel "
                        "run -c opt, or --anyway")
    if listed.returncode != 0:
        raise RunFailed("%s: %s" % (program, listed.stderr))
    return len(listed.stdout.splitlines())


def run(program, options, json_file):
    """Writes the figures of the quietest run; returns its tables, "" if no case matched."""
    flags = ["--benchmark_filter=" + options.filter]
    if not options.anyway:
        flags.append("--refuse_unoptimised")
    cases = case_count(program, flags)
    if cases == 0:
        return ""
    all_runs = []
    for number in range(1, options.runs + 1):
        print("run %d of %d of %s" % (number, options.runs, program), file=sys.stderr)
        all_runs.append(_run_once(program, flags, options, cases))
    measured, tables = min(all_runs, key=lambda one: one[0]["context"]["steal"])
    measured["context"]["steals"] = [one["context"]["steal"] for one, _ in all_runs]
    write(measured, json_file)
    return tables


def _run_once(program, flags, options, cases):
    # Not in the folder of the results, since the raw file names the machine.
    with tempfile.NamedTemporaryFile(suffix=".json") as raw_file, \
         tempfile.NamedTemporaryFile(suffix=".md", mode="r", encoding="utf-8") as tables_file:
        notes = _measure(program, flags, options, tables_file.name, raw_file.name, cases)
        measured = keep(json.load(raw_file))
        tables = tables_file.read()
    measured["context"].update(repetitions=options.repetitions, seconds=options.min_time,
                               notes=notes, steal=steal(notes))
    return measured, tables


def steal(notes):
    """The program's figure for the machine's time that other virtual machines took, in percent."""
    for note in notes:
        found = re.search(r"steal was ([0-9.]+)%", note)
        if found:
            return float(found.group(1))
    raise RunFailed("the program did not say how much steal there was")


def _measure(program, flags, options, tables_file, raw_file, cases):
    command = [program] + flags + [
        "--announce",
        "--tables_out=" + tables_file,
        "--benchmark_min_time=%g" % options.min_time,
        "--benchmark_repetitions=%d" % options.repetitions,
        "--benchmark_enable_random_interleaving=true",
        "--benchmark_out=" + raw_file,
        "--benchmark_out_format=json",
    ]
    return _watch(command, Progress(cases * options.repetitions))


def _watch(command, progress):
    """Runs the program; returns its output without the progress, with every warning."""
    notes = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as process:
        for line in process.stderr:
            # Google Benchmark 1.9 ends its remarks without a newline.
            note, measuring, case = line.strip().partition("measuring ")
            if note:
                progress.end()
                print(note, file=sys.stderr)
                notes.append(note)
            if measuring:
                progress.begin(case)
    progress.end()
    if process.returncode != 0:
        raise RunFailed("%s ended with %d" % (command[0], process.returncode))
    return notes


def keep(measured):
    """The part of Google Benchmark's report to keep, without anything private."""
    context = measured["context"]
    return {
        "context": {key: context[key] for key in CONTEXT_KEYS if key in context},
        "benchmarks": [
            {key: value for key, value in benchmark.items() if key not in NO_FIGURES}
            for benchmark in measured["benchmarks"] if benchmark["run_type"] == "iteration"
        ],
    }


def write(measured, json_file):
    """A line for each repetition of each case, so that runs can be compared line by line."""
    with open(json_file, "w", encoding="utf-8") as file:
        file.write('{"context": %s,\n"benchmarks": [\n' % json.dumps(measured["context"]))
        file.write(",\n".join(json.dumps(benchmark) for benchmark in measured["benchmarks"]))
        file.write("\n]}\n")
