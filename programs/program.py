"""A program under test: a process, its lines, and deadlines instead of sleeps."""

import json
import os
import queue
import re
import subprocess
import threading

SECONDS = 30  # for anything; only a broken program takes so long


class Program:
    """A running program whose output is read line by line."""

    running = []

    def __init__(self, command, stdout=subprocess.PIPE):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stdout,
                                        stderr=subprocess.PIPE)
        Program.running.append(self)
        self._lines = queue.Queue()
        self._seen = []
        self._errors = []
        self._readers = [threading.Thread(target=self._read_errors)]
        if stdout == subprocess.PIPE:
            self._readers.append(threading.Thread(target=self._read_lines))
        for reader in self._readers:
            reader.start()

    def _read_lines(self):
        for line in self.process.stdout:
            self._lines.put(line.decode().rstrip("\n"))
        self._lines.put(None)

    def _read_errors(self):
        for line in self.process.stderr:
            self._errors.append(line.decode())

    def say(self, line):
        self.say_bytes(line.encode() + b"\n")

    def say_bytes(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end_input(self):
        self.process.stdin.close()

    def expect(self, pattern):
        """The match of the next line that matches; skips the lines before it."""
        while True:
            try:
                line = self._lines.get(timeout=SECONDS)
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError("no line like %r in:\n%s" %
                                     (pattern, "\n".join(self._seen[-50:])))
            self._seen.append(line)
            match = re.search(pattern, line)
            if match:
                return match

    def expect_all(self, patterns):
        """A line for each pattern, in any order."""
        left = set(patterns)
        while left:
            line = self.expect("|".join(left)).string
            left.remove(next(pattern for pattern in left if re.search(pattern, line)))

    def wait(self):
        """Reads all output, and returns the exit code."""
        code = self.process.wait(timeout=SECONDS)
        for reader in self._readers:
            reader.join()
        return code

    def rest(self):
        """After `wait`: the lines that no call has taken."""
        lines = []
        while not self._lines.empty():
            line = self._lines.get()
            if line is not None:
                lines.append(line)
        return lines

    def errors(self):
        """Its standard error so far; all of it after `wait`."""
        return "".join(self._errors)

    @staticmethod
    def kill_all():
        for program in Program.running:
            program.process.kill()
            program.wait()
            for stream in (program.process.stdin, program.process.stdout,
                           program.process.stderr):
                try:
                    if stream:
                        stream.close()
                except OSError:
                    pass  # unflushed input has no reader
        Program.running = []


def write_config(folder, servers, **keys):
    """A config of servers 1, 2, ... on port 0 of 127.0.0.1; the file's name."""
    config = {"cluster": "test", "transport": "zmq"}
    config.update(keys)
    config["servers"] = [{"id": i, "address": "127.0.0.1:0"}
                         for i in range(1, servers + 1)]
    path = os.path.join(folder, "config.json")
    with open(path, "w") as file:
        json.dump(config, file)
    return path
