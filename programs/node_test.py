#!/usr/bin/python3
"""Runs the node program as real processes, and talks to them through pipes.

Nodes listen on port 0 and learn of each other by `add`, so no port is guessed.
"""

import array
import fcntl
import http.client
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unicodedata
import unittest

from programs.program import Program, write_config

NODE = "programs/node"
KEYGEN = "programs/keygen/keygen"

PROMPT = b"\r\x1b[J1> "
TAIL = re.escape(PROMPT) + rb"$"


def unread_bytes(pipe):
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


class Screen:
    """What a program shows on a terminal, read in pieces."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.unread = b""

    def until(self, end):
        """What is shown up to `end`, and that."""
        while end not in self.unread:
            if not select.select([self.descriptor], [], [], 30)[0]:
                raise AssertionError("no %r in %r" % (end, self.unread))
            self.unread += os.read(self.descriptor, 4096)
        shown, self.unread = self.unread.split(end, 1)
        return shown + end

    def type(self, keys):
        os.write(self.descriptor, keys)


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

    def test_tcp(self):
        self.exchange(transport="tcp")

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
        one.expect(r"^   2 up at %s$" % re.escape(two.address))
        one.expect(r"^   3 down at 127.0.0.1:0$")
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
        one.say("add 4 127.0.0.1:9")
        one.expect(r"^-- peer 4 added at 127.0.0.1:9$")

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
                    r"a\\x1b\[31mb\\x00c\\td\\\\e\\x7f\\u009b\\xff\u00e9$")

    def test_no_character_can_turn_or_hide_a_line(self):
        node = Node(1, self.config())
        # The oracle is another implementation's table of Unicode.
        text = "".join(chr(c) for c in range(0x80, 0x110000)
                       if unicodedata.category(chr(c)) in ("Cc", "Cf", "Zl", "Zp"))
        self.assertGreater(len(text), 150)
        node.say("1 " + text)
        escapes = node.expect(r"^<- 1 AppendEntriesRequest term 0: (.*)$")[1]
        self.assertTrue(escapes.isascii())
        self.assertEqual(escapes.encode().decode("unicode_escape"), text)

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

    def test_the_end_of_the_input_does_not_wait_for_ever(self):
        node = Node(1, self.config())
        node.say("2 nobody is there")
        node.end_input()
        self.assertEqual(node.wait(), 1)
        self.assertEqual(
            node.errors(),
            "node: waits up to 5s for acknowledgements of 1 envelope by: 2; Ctrl-C ends it\n"
            "node: not acknowledged in time by: 2\n")

    def test_a_signal_ends_that_wait(self):
        node = Node(1, self.config())
        node.say("2 nobody is there")
        node.end_input()
        self.wait_until(lambda: "waits up to 5s" in node.errors())
        node.process.send_signal(signal.SIGINT)
        self.assertEqual(node.wait(), 0)

    def test_signals_end_it(self):
        for flags in ([], ["--no_console"]):
            for number in (signal.SIGINT, signal.SIGTERM):
                node = Node(1, self.config(), *flags)
                node.process.send_signal(number)
                self.assertEqual(node.wait(), 0)
                self.assertEqual(node.errors(), "")

    @staticmethod
    def edit(path, **keys):
        """Puts these keys into a config, and tells the servers of it afterwards."""
        with open(path) as file:
            config = json.load(file)
        config.update(keys)
        with open(path, "w") as file:
            json.dump(config, file)

    def test_sighup_applies_the_config(self):
        path = self.config()
        one, two = start_nodes([1, 2], path)
        one.process.send_signal(signal.SIGHUP)
        one.expect(r"^-- config applied, 0 changes$")
        self.edit(path, heartbeat_ms=500, peer_timeout_ms=4000,
                  servers=[{"id": 1, "address": "127.0.0.1:0"},
                           {"id": 2, "address": "127.0.0.1:0"},
                           {"id": 4, "address": "127.0.0.1:9"}])
        one.process.send_signal(signal.SIGHUP)
        one.expect(r"^-- server 3: 127\.0\.0\.1:0 -> none$")
        one.expect(r"^-- server 4: none -> 127\.0\.0\.1:9$")
        one.expect(r"^-- heartbeat_ms: 2000 -> 500$")
        one.expect(r"^-- peer_timeout_ms: 5000 -> 4000$")
        one.expect(r"^-- config applied, 4 changes$")
        one.say("peers")
        one.expect(r"^   2 up at %s$" % re.escape(two.address))
        one.expect(r"^   4 down at 127\.0\.0\.1:9$")
        one.say("2 still here")
        two.expect(r": still here$")

    def test_sighup_changes_nothing_if_a_part_cannot_change(self):
        path = self.config()
        node = Node(1, path)
        self.edit(path, heartbeat_ms=500, window_bytes=4194304)
        node.process.send_signal(signal.SIGHUP)
        node.expect(r"^!! .*\$\.window_bytes: found 4194304, and the server runs with 8388608; .*"
                    "nothing was changed")
        with open(path, "w") as file:
            file.write("{")
        node.process.send_signal(signal.SIGHUP)
        node.expect(r"^!! .*config\.json:1")
        self.edit(self.config(), linger_ms=5)
        node.process.send_signal(signal.SIGHUP)
        node.expect(r"^-- linger_ms: 1000 -> 5$")
        node.expect(r"^-- config applied, 1 change$")

    def test_without_a_console_it_reads_no_input(self):
        two = Node(2, self.config())
        with open(self.config()) as file:
            config = json.load(file)
        config["servers"][1]["address"] = two.address
        path = os.path.join(self.folder.name, "known.json")
        with open(path, "w") as file:
            json.dump(config, file)
        one = Node(1, path, "--no_console")
        one.say("quit")
        one.end_input()
        two.say("add 1 " + one.address)
        two.say("1 hello")
        one.expect(r": hello$")

    def test_an_empty_input_is_told_what_to_do(self):
        node = Node(1, self.config())
        node.end_input()
        node.expect(r"^-- there is no input, so it ends; see --no_console$")
        self.assertEqual(node.wait(), 0)

    def ends_without(self, redirections):
        """How a node ends whose descriptors a shell has changed."""
        done = subprocess.run(
            ["sh", "-c", "exec %s --config=%s 1 %s" % (NODE, self.config(), redirections)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
        return done.returncode, done.stderr.decode()

    def test_an_output_that_cannot_be_written_is_an_error(self):
        full = "node: cannot write standard output: No space left on device\n"
        self.assertEqual(self.ends_without(">/dev/full"), (1, full))
        self.assertEqual(self.ends_without(">/dev/full --no_console"), (1, full))
        self.assertEqual(self.ends_without(">/dev/full --help"), (1, full))
        self.assertEqual(self.ends_without(">/dev/full --keys"), (1, full))

    def test_closed_descriptors_are_those_of_no_socket(self):
        closed = "node: cannot write standard output: Bad file descriptor\n"
        self.assertEqual(self.ends_without("<&-"), (0, ""))
        self.assertEqual(self.ends_without(">&-"), (1, closed))
        self.assertEqual(self.ends_without("<&- >&-"), (1, closed))
        self.assertEqual(self.ends_without("<&- 2>&-"), (0, ""))

    def test_a_closed_output_ends_it(self):
        read, write = os.pipe()
        node = Program([NODE, "--config=" + self.config(), "1"], stdout=write)
        os.close(write)
        self.assertIn(b"server 1 at", os.read(read, 100))
        os.close(read)
        node.say("peers")
        self.assertEqual(node.wait(), 0)

    def test_it_ends_when_nobody_reads_its_output(self):
        self.ends_unread(0, lambda node: node.process.send_signal(signal.SIGTERM))
        # Its own line is not acknowledged, since it is not shown.
        self.ends_unread(1, lambda node: node.end_input())

        def ask_then_signal(node):
            node.say("peers")
            self.wait_until(lambda: unread_bytes(node.process.stdin) == 0)
            node.process.send_signal(signal.SIGINT)
        self.ends_unread(0, ask_then_signal)

    def wait_until(self, condition):
        deadline = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            os.sched_yield()

    def ends_unread(self, code, end):
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
        self.assertEqual(node.wait(), code)

    def at_a_terminal(self, term="xterm"):
        """A node at a terminal of 40 columns, and the terminal's other end."""
        other, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
        self.addCleanup(os.close, other)
        process = subprocess.Popen([NODE, "--config=" + self.config(), "1"],
                                   stdin=terminal, stdout=terminal,
                                   env=dict(os.environ, TERM=term))
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(terminal)
        return process, Screen(other)

    def test_a_terminal_gets_one_prompt_per_line(self):
        process, screen = self.at_a_terminal()
        self.assertRegex(screen.until(PROMPT), rb"^server 1 at [^ ]*\r\n" + TAIL)
        screen.type(b"peers\n")
        self.assertRegex(screen.until(PROMPT),
                         rb"^peers\r\n   2 down at [^ ]*\r\n   3 down at [^ ]*\r\n" + TAIL)
        screen.type(b"\n")
        self.assertRegex(screen.until(PROMPT), rb"^\r\n" + TAIL)
        screen.type(b"\x04")  # ^D
        self.assertEqual(process.wait(30), 0)

    def test_an_event_leaves_what_is_half_typed(self):
        process, screen = self.at_a_terminal()
        screen.until(PROMPT)
        screen.type(b"1 caf\xc3\xa9 at ho")
        screen.until(b"at ho")
        process.send_signal(signal.SIGHUP)
        # The line takes the place of the prompt, which follows it.
        shown = screen.until(b"1> 1 caf\xc3\xa9 at ho\r\x1b[15C")
        self.assertRegex(shown, rb"^\r\x1b\[J-- config applied, 0 changes\r\n\r\x1b\[J1> 1 caf")
        screen.type(b"me\n")
        screen.until(b"<- 1 AppendEntriesRequest term 0: caf\xc3\xa9 at home\r\n")

    def test_a_long_half_typed_line_moves_as_a_whole(self):
        process, screen = self.at_a_terminal()
        screen.until(PROMPT)
        line = b"1 " + b"0123456789" * 9 + b"end"
        screen.type(line)
        screen.until(b"end")
        process.send_signal(signal.SIGHUP)
        # 98 columns are three rows of 40, so the cursor is in the third.
        shown = screen.until(line + b"\r\x1b[18C")
        self.assertRegex(shown, rb"^\x1b\[2A\r\x1b\[J-- config applied")

    def test_lines_can_be_edited_and_called_back(self):
        process, screen = self.at_a_terminal()
        screen.until(PROMPT)
        screen.type(b"1 hallo\x1b[D\x1b[D\x1b[D\x7fe\n")  # left, left, left, rub out
        screen.until(b": hello\r\n")
        screen.until(PROMPT)
        screen.type(b"\x1b[A\n")  # up
        screen.until(b": hello\r\n")

    def test_a_terminal_that_cannot_move_its_cursor(self):
        process, screen = self.at_a_terminal(term="dumb")
        screen.type(b"1 hello\n")
        shown = screen.until(b"<- 1 AppendEntriesRequest term 0: hello\r\n")
        self.assertNotIn(b"\x1b", shown)
        screen.type(b"\x04")
        self.assertEqual(process.wait(30), 0)

    def with_its_own_terminal(self):
        """A node whose session has no other process, and its terminal."""
        process, other = pty.fork()
        if process == 0:
            os.environ["TERM"] = "xterm"
            os.execv(NODE, [NODE, "--config=" + self.config(), "1"])
        screen = Screen(other)
        screen.until(PROMPT)
        screen.type(b"1 half")
        screen.until(b"half")
        return process, screen

    def test_a_terminal_of_another_size_shows_the_line_again(self):
        process, screen = self.with_its_own_terminal()
        self.addCleanup(os.waitpid, process, 0)
        self.addCleanup(os.close, screen.descriptor)  # hangs up
        fcntl.ioctl(screen.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 7, 0, 0))
        # "1> 1 ha" fills the first row.
        self.assertIn(b"1> 1 ha", screen.until(b"lf"))

    def test_the_end_of_its_terminal_ends_it(self):
        process, screen = self.with_its_own_terminal()
        os.close(screen.descriptor)
        self.assertEqual(os.waitpid(process, 0)[0], process)

    def test_a_stopped_node_shows_its_line_again(self):
        shell, other = pty.fork()
        if shell == 0:
            os.environ.update(TERM="xterm", PS1="$ ")
            os.execv("/bin/bash", ["bash", "--norc", "--noprofile", "-i"])
        self.addCleanup(os.waitpid, shell, 0)
        self.addCleanup(os.close, other)  # hangs up
        screen = Screen(other)
        screen.type(("%s --config=%s 1\n" % (NODE, self.config())).encode())
        screen.until(PROMPT)
        screen.type(b"1 half")
        screen.until(b"half")
        screen.type(b"\x1a")  # ^Z
        screen.until(b"Stopped")
        screen.type(b"fg\n")
        screen.until(b"\r\x1b[J1> 1 half")
        screen.type(b" way\n")
        screen.until(b": half way\r\n")
        screen.until(PROMPT)
        screen.type(b"\x04")
        screen.until(b"$ ")

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
        self.fails(2, r"^node: no flag --confg; did you mean \"config\"\?", "--confg=x", "1")
        self.fails(2, r"^node: --config needs a value", "1", "--config")
        self.fails(2, r"^node: --log_level=loud: want off, info, warning or error", config,
                   "--log_level=loud", "1")
        self.fails(2, r"^node: --log_format=xml: want text or json", config,
                   "--log_format=xml", "1")
        self.fails(2, r"^node: no server has id 9 in .*; known: 1, 2, 3$", config, "9")
        self.fails(2, r"^node: --transport=pigeon: .*: memory, nng, tcp, zmq", config,
                   "--transport=pigeon", "1")
        self.fails(2, r"^node: --codec=morse: .*: binary, json", config, "--codec=morse", "1")
        self.fails(2, r"^node: --transport=memory: .*one process only; want nng, tcp or zmq$",
                   config, "--transport=memory", "1")

    def test_other_errors(self):
        config = "--config=" + self.config()
        self.fails(1, r"^node: .*nothere.json", "--config=/nothere.json", "1")
        self.fails(1, r"^node: .*memory.*one process.*--transport=zmq",
                   "--config=" + self.config(transport="memory"), "1")
        broken = os.path.join(self.folder.name, "broken.json")
        with open(broken, "w") as file:
            file.write('{"servers": [')
        self.fails(1, r"^node: .*broken.json:1", "--config=" + broken, "1")

    def test_outside_the_tree_a_config_is_asked_for(self):
        done = subprocess.run([shutil.copy(NODE, self.folder.name), "1"], cwd=self.folder.name,
                              env={}, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr.decode(), r"name the cluster's with --config=FILE\n$")

    def test_an_address_in_use(self):
        for transport in ("zmq", "nng", "tcp"):
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

    def ask(self, address, page, token=None):
        """The code and the body of a page of an admin server."""
        connection = http.client.HTTPConnection(address, timeout=30)
        self.addCleanup(connection.close)
        connection.request("GET", page,
                           headers={"Authorization": "Bearer " + token} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def test_it_logs_on_demand(self):
        node = Node(1, self.config(), "--no_console", "--log_level=info")
        node.process.send_signal(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)
        stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
        self.assertRegex(node.errors(), r"^%s info server 1: started: at %s\n"
                         r"%s info server 1: stopping\n%s info server 1: stopped\n$" %
                         (stamp, node.address, stamp, stamp))

    def test_it_logs_in_json_from_a_level_on(self):
        node = Node(1, self.config(peer_timeout_ms=100, heartbeat_ms=50), "--no_console",
                    "--log_level=warning", "--log_format=json")
        self.wait_until(lambda: node.errors().count("\n") >= 2)
        records = [json.loads(line) for line in node.errors().splitlines()]
        self.assertEqual({(record["event"], record["severity"], record["server"])
                          for record in records}, {("down", "warning", 1)})
        self.assertEqual({record["peer"] for record in records}, {2, 3})

    def test_without_being_asked_it_has_no_admin_server(self):
        node = Node(1, self.config())
        node.end_input()
        node.wait()
        self.assertNotIn("admin server", "\n".join(node.rest()))

    def test_an_admin_server_by_flag(self):
        node = Node(1, self.config(), "--admin=127.0.0.1:0")
        address = node.expect(r"^-- admin server at (127\.0\.0\.1:\d+)$")[1]
        self.assertEqual(self.ask(address, "/healthz"), (200, "ok\n"))
        self.assertEqual(self.ask(address, "/readyz")[0], 503)  # alone of three
        status = json.loads(self.ask(address, "/status")[1])
        self.assertEqual(status["server"]["address"], node.address)
        # It goes with the node.
        node.process.send_signal(signal.SIGTERM)
        self.assertEqual(node.wait(), 0)
        with self.assertRaises(OSError):
            self.ask(address, "/healthz")

    def test_an_admin_server_by_config(self):
        with open(self.config()) as file:
            config = json.load(file)
        config["servers"][0]["admin"] = "127.0.0.1:0"
        config["admin"] = {"token_file": "token"}  # beside the config
        path = os.path.join(self.folder.name, "admin.json")
        with open(path, "w") as file:
            json.dump(config, file)
        token = os.path.join(self.folder.name, "token")

        def write(text):
            with open(token, "w") as file:
                file.write(text + "\n")
            os.chmod(token, 0o600)
        write("0123456789abcdef")
        node = Node(1, path)
        address = node.expect(r"^-- admin server at (.*)$")[1]
        self.assertEqual(self.ask(address, "/status")[0], 401)
        self.assertEqual(self.ask(address, "/status", "0123456789abcdef")[0], 200)
        write("fedcba9876543210")
        node.process.send_signal(signal.SIGHUP)
        node.expect(r"^-- admin token reloaded$")
        self.assertEqual(self.ask(address, "/status", "0123456789abcdef")[0], 401)
        self.assertEqual(self.ask(address, "/status", "fedcba9876543210")[0], 200)

    def test_an_admin_server_for_others_needs_a_token(self):
        self.fails(1, r'^node: admin address "0.0.0.0:0": other machines can reach it',
                   "--config=" + self.config(), "--admin=0.0.0.0:0", "1")

    def test_help(self):
        program = Program([NODE, "--help"])
        program.expect(r"--config=FILE")
        program.expect(r"all hello")
        program.expect(r"^Exit code: 0, or 1 after an error, or 2 if")
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
