#!/usr/bin/python3
"""The demo: with one config, with one word of it changed, and when a server dies."""

import os
import signal
import tempfile
import unittest

from programs.program import Program, write_config

DEMO = "programs/demo/demo"
SCENARIOS = ["unicast", "multicast", "mixed", "cyclic"]


class DemoTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(self.folder.cleanup)
        self.addCleanup(Program.kill_all)
        self.config = write_config(self.folder.name, servers=3)

    def table(self, program):
        """Scenario -> the numbers of its row, without the rate."""
        program.expect(r"^scenario +sent +delivered +lost +duplicated +out of order")
        return {name: [int(word) for word in
                       program.expect(r"^%s +(.*)$" % name)[1].split()[:-1]]
                for name in SCENARIOS}

    def runs_right(self, servers, count, *flags):
        program = Program([DEMO, "--config=" + self.config, "--count=%d" % count, *flags])
        for server_id in range(1, servers + 1):
            program.expect(r"^server %d: process \d+ at " % server_id)
        pairs = servers * (servers - 1)
        right = {"unicast": pairs, "multicast": pairs, "mixed": 2 * pairs, "cyclic": servers}
        self.assertEqual(self.table(program),
                         {name: [sent * count, sent * count, 0, 0, 0]
                          for name, sent in right.items()})
        program.expect(r"^Every envelope arrived once and in order\.$")
        self.assertEqual(program.wait(), 0)
        self.assertEqual(program.errors(), "")

    def test_one_word_swaps_the_transport(self):
        self.runs_right(3, 500)
        with open(self.config) as file:
            text = file.read()
        self.assertEqual(text.count('"zmq"'), 1)
        for other in ("nng", "tcp"):
            with open(self.config, "w") as file:
                file.write(text.replace('"zmq"', '"%s"' % other))
            self.runs_right(3, 500)

    def test_flags(self):
        self.runs_right(3, 200, "--transport=nng", "--codec=json", "--payload_bytes=3000")

    def test_best_effort(self):
        self.config = write_config(self.folder.name, servers=2, delivery="best_effort")
        self.runs_right(2, 200)

    def test_unix_sockets_of_ones_own(self):
        self.config = write_config(self.folder.name, servers=4)
        with open(self.config) as file:
            text = file.read()
        with open(self.config, "w") as file:
            for server_id in range(4):
                text = text.replace("127.0.0.1:0", "ipc:///tmp/taken_%d.sock" % server_id, 1)
            file.write(text)
        self.runs_right(4, 100)

    def start_for_long(self):
        program = Program([DEMO, "--config=" + self.config, "--count=1000000000"])
        pids = {int(match[1]): int(match[2]) for match in
                (program.expect(r"^server (\d): process (\d+) at ") for _ in range(3))}
        return program, pids

    def test_a_killed_server_is_noticed(self):
        program, pids = self.start_for_long()
        os.kill(pids[2], signal.SIGKILL)
        program.expect(r"^scenario +sent +delivered")
        self.assertEqual(program.wait(), 1)
        self.assertRegex(program.errors(),
                         r"^demo: (\w+: )?server 2: ended too early, killed by signal 9\n$")

    def test_loss_is_told(self):
        # Queues that hold a few envelopes, and drop the oldest.
        self.config = write_config(self.folder.name, servers=2, overflow="drop_oldest",
                                   frame_bytes=512, inflight_bytes=512, queue_bytes_max=512)
        program = Program([DEMO, "--config=" + self.config, "--standstill_ms=1000"])
        program.expect(r"^scenario +sent +delivered +lost")
        row = program.expect(r"^unicast +40000 +(\d+) +(\d+) +0 +0 ")
        self.assertEqual(int(row[1]) + int(row[2]), 40000)
        self.assertGreater(int(row[2]), 0)
        program.expect(r"^multicast +not run$")
        self.assertEqual(program.wait(), 1)
        self.assertRegex(program.errors(),
                         r"^demo: unicast: nothing moves for 1s; none of these is done: 1")

    def test_a_server_that_cannot_start_is_told(self):
        with open(self.config) as file:
            text = file.read()
        with open(self.config, "w") as file:
            file.write(text.replace("127.0.0.1:0", "192.0.2.1:0", 1)
                       .replace("{", '{"allow_plaintext": true, ', 1))
        program = Program([DEMO, "--config=" + self.config])
        self.assertEqual(program.wait(), 1)
        self.assertRegex(program.errors(), r"^demo: server 1: .*192\.0\.2\.1.*\n$")

    def test_no_server_outlives_an_interrupt(self):
        program, pids = self.start_for_long()
        program.process.send_signal(signal.SIGINT)
        self.assertEqual(program.wait(), 1)
        self.assertRegex(program.errors(), r"^demo: (\w+: )?interrupted\n$")
        for pid in pids.values():
            self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    def test_no_server_outlives_a_demo_that_is_killed(self):
        program, _ = self.start_for_long()
        program.process.kill()
        # The servers share its standard error, which ends with the last server.
        self.assertEqual(program.wait(), -signal.SIGKILL)

    def test_usage(self):
        for code, pattern, flags in [
                (2, r"want no argument, found 'nng'", ["nng"]),
                (2, r"no flag --cuont", ["--cuont=1"]),
                (2, r"--count=x: want an integer", ["--count=x"]),
                (2, r"--count=0: want 1 to", ["--count=0"]),
                (2, r"--payload_bytes=3: want 24 to", ["--payload_bytes=3"]),
                (2, r"memory.*one process", ["--transport=memory"]),
                (2, r"unknown transport \"pigeon\"", ["--transport=pigeon"]),
        ]:
            program = Program([DEMO, "--config=" + self.config, *flags])
            self.assertEqual(program.wait(), code, flags)
            self.assertRegex(program.errors(), r"^demo: .*%s.*\n$" % pattern)

    def test_a_result_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "w") as full:
            program = Program([DEMO, "--config=" + self.config, "--count=10"], stdout=full)
            self.assertEqual(program.wait(), 1)
        self.assertRegex(program.errors(),
                         r"^demo: cannot write standard output: No space left on device\n$")


if __name__ == "__main__":
    unittest.main()
