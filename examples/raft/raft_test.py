#!/usr/bin/python3
"""The program: elections, a leader that dies, a minority, and journals that stay."""

import os
import re
import signal
import tempfile
import unittest

from programs.program import Program

RAFT = "examples/raft/raft"
TRANSPORTS = ["nng", "tcp", "zmq"]
AGAIN = "did not run|may have run|may still run"


class RaftTest(unittest.TestCase):
    def setUp(self):
        self.servers = 3
        self.addCleanup(Program.kill_all)

    def start(self, *flags):
        # Slow elections, so that a busy machine does not cause them.
        self.program = Program([RAFT, "--tick_ms=30", *flags])

    def say(self, line):
        self.program.say(line)

    def status(self):
        self.say("status")
        lines = {1: self.program.expect(r"^   server 1: (.*)$")[1]}
        while len(lines) < self.servers:
            match = self.program.expect(r"^   server (\d): (.*)$")
            lines[int(match[1])] = match[2]
        return lines

    def leader(self):
        """The server that leads, once one does."""
        while True:
            for server, text in self.status().items():
                if text.startswith("leader"):
                    return server

    def expect_answer(self, command, answer):
        """Asks until it is done, as a client does."""
        match = None
        while match is None or re.search(AGAIN, match[1] or "may have run"):
            self.say(command)
            match = self.program.expect(r"^   (.*)   \(by server \d\)$|^!! no answer")
        self.assertEqual(match[1], answer)

    def quit(self):
        self.say("quit")
        self.assertEqual(self.program.wait(), 0)
        self.assertEqual(self.program.errors(), "")

    def test_a_leader_that_dies_has_a_successor_who_has_all(self):
        for transport in TRANSPORTS:
            with self.subTest(transport):
                self.start("--transport=" + transport)
                first = self.leader()
                self.expect_answer("put color dark blue", "dark blue")
                self.expect_answer("get color", "dark blue")
                self.say("kill %d" % first)
                self.program.expect(r"^-- server %d is killed$" % first)
                self.assertNotEqual(self.leader(), first)
                self.expect_answer("get color", "dark blue")
                self.expect_answer("put color red", "red")
                # It learns what it missed.
                self.say("start %d" % first)
                self.program.expect(r"^-- server %d follows server \d" % first)
                self.expect_answer("get color", "red")
                self.quit()

    def test_two_of_five_may_die_and_a_minority_does_nothing(self):
        self.servers = 5
        self.start("--servers=5", "--transport=tcp")
        self.expect_answer("put a 1", "1")
        for server in (1, 2):
            self.say("kill %d" % server)
        self.expect_answer("put a 2", "2")
        self.say("kill 3")
        self.say("put a 3")
        self.program.expect(r"did not run|may still run|may have run")
        self.say("start 1")
        self.expect_answer("put a 4", "4")
        self.expect_answer("get a", "4")
        status = self.status()
        self.assertRegex(status[1], r"^\w+ in term \d+, committed up to \d+, log 1 to \d+$")
        self.assertEqual(status[2], "does not run")
        self.quit()

    def test_a_paused_leader_steps_down(self):
        self.start("--transport=tcp")
        first = self.leader()
        self.say("pause %d" % first)
        second = self.leader()
        self.assertNotEqual(second, first)
        self.expect_answer("put a 1", "1")
        self.say("resume %d" % first)
        self.program.expect(r"^-- server %d follows server \d" % first)
        self.expect_answer("get a", "1")
        self.quit()

    def test_journals_outlive_the_program(self):
        with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as folder:
            folder = os.path.join(folder, "journals")
            self.start("--folder=" + folder)
            self.expect_answer("get a", "(none)")
            self.expect_answer("put a 1", "1")
            # As bad as a power failure, but for the disk's own cache.
            self.program.process.send_signal(signal.SIGKILL)
            self.program.wait()
            self.start("--folder=" + folder)
            self.expect_answer("get a", "1")
            self.quit()

    def test_wrong_lines(self):
        self.start("--servers=1")
        for line, pattern in [
                ("put a", r"^!! want 'put KEY VALUE' or 'get KEY'"),
                ("get", r"^!! want 'put KEY VALUE' or 'get KEY'"),
                ("fly 1", r"^!! no command 'fly'"),
                ("fly", r"^!! no command 'fly'"),
                ("kill 2", r"^!! there is no server 2; want 1 to 1"),
                ("start 1", r"^!! server 1 runs"),
                ("resume 1", r"^!! server 1 is not paused"),
                ("put a \x1b[2J", r"^   \\x1b\[2J "),
                ("put a " + "x" * 3000, r"^!! the line is too long"),
                ("help", r"^  put KEY VALUE "),
        ]:
            self.say(line)
            self.program.expect(pattern)
        self.say("kill 1")
        self.say("kill 1")
        self.program.expect(r"^!! server 1 does not run")
        self.say("get a")
        self.program.expect(r"^!! no server runs")
        self.quit()

    def test_usage(self):
        for pattern, flags in [
                (r"want no argument, found 'tcp'", ["tcp"]),
                (r"--servers=0: want 1 to 9", ["--servers=0"]),
                (r"--transport=memory: want ", ["--transport=memory"]),
                (r"--transport=pigeon: want ", ["--transport=pigeon"]),
        ]:
            program = Program([RAFT, *flags])
            self.assertEqual(program.wait(), 2, flags)
            self.assertRegex(program.errors(), r"^raft: .*%s.*\n$" % pattern)


if __name__ == "__main__":
    unittest.main()
