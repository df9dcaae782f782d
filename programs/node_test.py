#!/usr/bin/python3
"""Runs the node program as real processes, and talks to them through pipes.

Nodes listen on port 0 and learn of each other by `add`, so no port is guessed.
"""

import array
import fcntl
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import unittest

from programs.program import Program, write_config

NODE = "programs/node"
KEYGEN = "programs/keygen/keygen"


def unread_bytes(pipe):
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def read_until(descriptor, end):
    """Reads from a terminal up to `end`."""
    data = b""
    while end not in data:
        if not select.select([descriptor], [], [], 30)[0]:
            raise AssertionError("no %r in %r" % (end, data))
        data += os.read(descriptor, 4096)
    return data


class Node(Program):
    """One node; `address` is the first line that it printed."""

    def __init__(self, server_id, config, *flags):
        super().__init__([NODE, "--config=" + config, *flags, str(server_id)])
        self.id = server_id
        self.address = self.expect(r"^server %d at (.+)$" % server_id)[1]


def start_nodes(ids, config, *flags):
    nodes = [Node(server_id, config, *flags) for server_id in ids]
    for node in nodes:
        for other in nodes:
            if node is not other:
                node.say("add %d %s" % (other.id, other.address))
    for node in nodes:
        node.expect_all([r"^-- peer %d up" % other.id
                         for other in nodes if other is not node])
    return nodes


class NodeTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(self.folder.cleanup)
        self.addCleanup(Program.kill_all)

    def config(self, **keys):
        return write_config(self.folder.name, servers=3, **keys)

    def exchange(self, *flags, **keys):
        one, two, three = start_nodes([1, 2, 3], self.config(**keys), *flags)
        one.say("2 hello")
        two.expect(r"^<- 1 AppendEntriesRequest term 0: hello$")
        two.say("all to everybody")
        for node in (one, three):
            node.expect(r"^<- 2 AppendEntriesRequest term 0: to everybody$")
        three.say("1,2 --type=RequestVoteRequest --term=7 --voted --lane=urgent me?")
        for node in (one, two):
            node.expect(r"^<- 3 RequestVoteRequest term 7 voted urgent: me\?$")
        three.say("3 --type=70 -- --dashed")
        three.expect(r"^<- 3 MsgType\(70\) term 0: --dashed$")

    def test_zmq(self):
        self.exchange(transport="zmq")

    def test_nng(self):
        self.exchange(transport="nng")

    def test_flags_override_the_config(self):
        self.exchange("--transport=nng", "--codec=json", transport="memory")

    def test_best_effort_json(self):
        self.exchange(delivery="best_effort", codec="json")

    def secured(self):
        """A config with keys from keygen."""
        config = self.config(security={"mode": "mutual", "identity": "keys/{id}",
                                       "peers": "keys/public"})
        subprocess.run([KEYGEN, "--config=" + config, "--out=" + self.folder.name + "/keys"],
                       check=True, stdout=subprocess.DEVNULL)
        return config

    def test_keys_and_their_reload_by_sighup(self):
        one, two = start_nodes([1, 2], self.secured())
        one.say("2 hello")
        two.expect(r"^<- 1 AppendEntriesRequest term 0: hello$")
        one.process.send_signal(signal.SIGHUP)
        one.expect(r"^-- keys and peers reloaded$")
        one.say("2 hello again")
        two.expect(r"^<- 1 AppendEntriesRequest term 0: hello again$")
        os.chmod(self.folder.name + "/keys/1/zmq.secret", 0o644)
        one.process.send_signal(signal.SIGHUP)
        one.expect(r"^!! .*zmq.secret: .* chmod 600 ")
        one.say("2 still here")
        two.expect(r"^<- 1 AppendEntriesRequest term 0: still here$")

    def test_a_private_key_that_others_may_read_is_refused(self):
        config = self.secured()
        os.chmod(self.folder.name + "/keys/1", 0o777)
        node = Program([NODE, "--config=" + config, "1"])
        self.assertNotEqual(node.wait(), 0)
        self.assertIn("chmod 700 ", node.errors())

    def test_commands(self):
        one, two = start_nodes([1, 2], self.config())
        one.say("peers")
        one.expect(r"^   2 up$")
        one.expect(r"^   3 down$")
        one.say("2 x")
        two.expect(r": x$")
        two.say("stats")
        two.expect(r"^   peer 1: up")
        two.expect(r"^   1 delivered here$")
        one.say("help")
        one.expect(r"all hello")
        one.say("remove 2")
        one.expect(r"^-- peer 2 removed")
        one.say("2 gone")
        one.expect(r"^!! no server 2 in the cluster; known: 1, 3")

    def test_a_peer_that_ends_is_reported(self):
        one, two = start_nodes([1, 2], self.config())
        two.say("quit")
        self.assertEqual(two.wait(), 0)
        one.expect(r"^-- peer 2 down")

    def test_mistakes_are_explained(self):
        node = Node(1, self.config())
        for line, answer in [
            ("frobnicate now", r"^!! unknown command 'frobnicate'; help lists"),
            ("-1 hello", r"^!! unknown command '-1'"),
            ("9 hello", r"^!! no server 9 in the cluster; known: 1, 2, 3"),
            ("2,9 hello", r"^!! no server 9 in the cluster; known: 1, 2, 3"),
            ("2 --term=x hello", r"^!! --term 'x': want a number"),
            ("2 --type=Vote hello", r"^!! --type 'Vote': want AppendEntriesRequest,"),
            ("2 --lane=fast hello", r"^!! --lane 'fast': want urgent"),
            ("2 --loud hello", r"^!! option '--loud': want --type="),
            ("add 1 127.0.0.1:1", r"^!! server 1 is a member already"),
            ("add 2 nowhere", r"^!! .*nowhere"),
            ("add 2", r"^!! want: add ID ADDRESS"),
            ("remove nine", r"^!! id 'nine': want a number"),
            ("\x1b[2J", r"^!! unknown command '\\x1b\[2J'"),
        ]:
            node.say(line)
            node.expect(answer)

    def test_control_characters_are_escaped(self):
        node = Node(1, self.config())
        node.say_bytes(b"1 a\x1b[31mb\x00c\td\\e\x7f\xc2\x9b\xff\xc3\xa9\n")
        node.expect(r"^<- 1 AppendEntriesRequest term 0: "
                    r"a\\x1b\[31mb\\x00c\\td\\\\e\\x7f\\xc2\\x9b\\xff\u00e9$")

    def test_what_precedes_the_end_of_the_input_arrives(self):
        config = self.config()
        one, two = Node(1, config), Node(2, config)
        two.say("add 1 " + one.address)
        # The nodes are not connected yet when the input ends.
        count = 2000
        one.say("add 2 " + two.address)
        one.say_bytes(b"".join(b"2 line %d\n" % i for i in range(count)) + b"2 last")
        one.end_input()
        for i in range(count):
            self.assertEqual(two.expect(r"^<- .*: (.*)$")[1], "line %d" % i)
        two.expect(r": last$")
        self.assertEqual(one.wait(), 0)
        self.assertEqual(one.errors(), "")

    def test_the_end_of_the_input_does_not_wait_for_ever(self):
        node = Node(1, self.config())
        node.say("2 nobody is there")
        node.end_input()
        node.expect(r"^!! not acknowledged in time by: 2$")
        self.assertEqual(node.wait(), 0)

    def test_signals_end_it(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            node = Node(1, self.config())
            node.process.send_signal(number)
            self.assertEqual(node.wait(), 0)
            self.assertEqual(node.errors(), "")

    def test_a_closed_output_ends_it(self):
        read, write = os.pipe()
        node = Program([NODE, "--config=" + self.config(), "1"], stdout=write)
        os.close(write)
        self.assertIn(b"server 1 at", os.read(read, 100))
        os.close(read)
        node.say("peers")
        self.assertEqual(node.wait(), 0)

    def test_it_ends_when_nobody_reads_its_output(self):
        self.ends_unread(lambda node: node.process.send_signal(signal.SIGTERM))
        self.ends_unread(lambda node: node.end_input())

        def ask_then_signal(node):
            node.say("peers")
            self.wait_until(lambda: unread_bytes(node.process.stdin) == 0)
            node.process.send_signal(signal.SIGINT)
        self.ends_unread(ask_then_signal)

    def wait_until(self, condition):
        deadline = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            os.sched_yield()

    def ends_unread(self, end):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        capacity = fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
        node = Program([NODE, "--config=" + self.config(), "1"], stdout=write)
        os.close(write)
        node.say_bytes(b"1 " + b"x" * (3 * capacity) + b"\n")
        # The line is longer than the pipe, so the node waits in a write.
        self.assertIn(b"server 1 at", os.read(read, capacity))
        self.wait_until(lambda: unread_bytes(read) > capacity // 2)
        end(node)
        self.assertEqual(node.wait(), 0)

    def test_a_terminal_gets_a_prompt(self):
        screen, terminal = pty.openpty()
        self.addCleanup(os.close, screen)
        process = subprocess.Popen([NODE, "--config=" + self.config(), "1"],
                                   stdin=terminal, stdout=terminal)
        self.addCleanup(process.kill)
        os.close(terminal)
        shown = read_until(screen, b"\r\n1> ")
        self.assertRegex(shown, rb"^server 1 at [^ ]*\r\n1> $")
        os.write(screen, b"1 hello\n")
        # The arrival replaces the prompt, which then follows it.
        read_until(screen, b"\r\x1b[K<- 1 AppendEntriesRequest term 0: hello\r\n1> ")
        os.write(screen, b"\x04")  # ^D
        self.assertEqual(process.wait(30), 0)

    def fails(self, code, pattern, *arguments):
        program = Program([NODE, *arguments])
        program.end_input()
        self.assertEqual(program.wait(), code)
        errors = program.errors()
        self.assertRegex(errors, pattern)
        self.assertEqual(errors.count("\n"), 1, errors)

    def test_usage_errors(self):
        config = "--config=" + self.config()
        self.fails(2, r"^node: want one server id", config)
        self.fails(2, r"^node: want one server id", config, "1", "2")
        self.fails(2, r"^node: want one server id", config, "one")
        self.fails(2, r"^node: no flag --confg", "--confg=x", "1")
        self.fails(2, r"^node: --config needs a value", "1", "--config")

    def test_other_errors(self):
        config = "--config=" + self.config()
        self.fails(1, r"^node: .*no server has id 9; known: 1", config, "9")
        self.fails(1, r"^node: .*nothere.json", "--config=/nothere.json", "1")
        self.fails(1, r"^node: .*transport.*: .*nng, zmq", config,
                   "--transport=pigeon", "1")
        self.fails(1, r"^node: .*codec.*: .*binary, json", config,
                   "--codec=morse", "1")
        self.fails(1, r"^node: .*memory.*one process", config,
                   "--transport=memory", "1")
        broken = os.path.join(self.folder.name, "broken.json")
        with open(broken, "w") as file:
            file.write('{"servers": [')
        self.fails(1, r"^node: .*broken.json:1", "--config=" + broken, "1")

    def test_an_address_in_use(self):
        for transport in ("zmq", "nng"):
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                address = "127.0.0.1:%d" % taken.getsockname()[1]
                config = os.path.join(self.folder.name, "taken.json")
                with open(config, "w") as file:
                    json.dump({"transport": transport,
                               "servers": [{"id": 1, "address": address}]}, file)
                self.fails(1, r"^node: server 1: .*%s.* in use" % address,
                           "--config=" + config, "1")

    def test_help(self):
        program = Program([NODE, "--help"])
        program.expect(r"--config=FILE")
        program.expect(r"all hello")
        self.assertEqual(program.wait(), 0)

    def test_keys(self):
        program = Program([NODE, "--keys"])
        program.expect(r"^frame_bytes: 512 to 4194304 \(65536\); reliable delivery only$")
        self.assertEqual(program.wait(), 0)

    def test_version(self):
        for name in (NODE, KEYGEN):
            program = Program([name, "--version"])
            program.expect(r"^cluster \d+\.\d+\.\d+$")
            self.assertEqual(program.wait(), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
