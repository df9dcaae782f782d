#!/usr/bin/python3
"""Nodes that find each other by DNS, with a resolv.conf and a name server of the test's own.

The test runs itself again in namespaces for users, mounts and the network. So its name server has
port 53 of loopback, and its resolv.conf is the system's, without touching the machine's. If the
kernel or a sandbox forbids that, the test says so and passes.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from programs.program import Program

NODE = "programs/node"
INSIDE = "CLUSTER_NAMES_TEST_INSIDE"
NAMESPACES = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
RESOLV_CONF = "/etc/resolv.conf"

LINGER_MS = 100
AT_ONCE = 2.0  # seconds; a look-up without an answer takes longer

TYPE_A = 1


class NameServer:
    """Knows IPv4 addresses, denies nothing, and says nothing of the names in `silent`."""

    def __init__(self, address, names):
        self.names = names
        self.silent = set()
        self.asked = []
        self._changed = threading.Condition()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            question, peer = self._socket.recvfrom(512)
            labels, at = [], 12
            while question[at]:
                labels.append(question[at + 1:at + 1 + question[at]].decode())
                at += 1 + question[at]
            name = ".".join(labels)
            with self._changed:
                self.asked.append(name)
                self._changed.notify_all()
            if name in self.silent or "*" in self.silent:
                continue
            kind = int.from_bytes(question[at + 1:at + 3], "big")
            number = self.names.get(name) if kind == TYPE_A else None
            answer = (b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(number)
                      if number else b"")
            self._socket.sendto(question[:2] + b"\x81\x80\0\1\0" +
                                (b"\1" if number else b"\0") + b"\0\0\0\0" +
                                question[12:at + 5] + answer, peer)

    def await_questions(self, name, count):
        with self._changed:
            if not self._changed.wait_for(lambda: self.asked.count(name) >= count, 30):
                raise AssertionError("%s was not asked for" % name)

    def count(self, name):
        with self._changed:
            return self.asked.count(name)


def use_name_server(address):
    """The file stays the one that is mounted."""
    with open(RESOLV_CONF, "w") as file:
        file.write("nameserver %s\n" % address)


class NamesTest(unittest.TestCase):
    names = {"s1.test": "127.0.0.1", "s2.test": "127.0.0.2"}
    servers = 0

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(self.folder.cleanup)
        self.addCleanup(Program.kill_all)
        NamesTest.servers += 1
        self.address = "127.1.0.%d" % NamesTest.servers
        self.server = NameServer(self.address, dict(self.names))
        use_name_server(self.address)

    def start(self, transport):
        path = os.path.join(self.folder.name, transport + ".json")
        with open(path, "w") as file:
            file.write('{"transport": "%s", "linger_ms": %d, "allow_plaintext": true, "servers": ['
                       '{"id": 1, "address": "s1.test:7001"}, {"id": 2, "address": "s2.test:7002"},'
                       '{"id": 3, "address": "s3.test:7003"}]}' % (transport, LINGER_MS))
        nodes = [Program([NODE, "--config=" + path, str(i)]) for i in (1, 2)]
        for node in nodes:
            node.expect(r"^server \d at s\d\.test:700\d$")
        return nodes

    def ping(self, one, two):
        for sender, receiver, pid in ((one, two, 2), (two, one, 1)):
            sender.say("%d ping" % pid)
            receiver.expect(r"^<- \d AppendEntriesRequest term 0: ping$")

    def stop(self, node):
        begin = time.monotonic()
        node.end_input()
        self.assertEqual(node.wait(), 0)
        self.assertLess(time.monotonic() - begin, LINGER_MS / 1000 + AT_ONCE)

    def a_dead_name_server(self, transport):
        self.server.silent.add("s3.test")
        one, two = self.start(transport)
        one.expect(r"^-- peer 2 up")
        self.ping(one, two)
        self.server.silent.add("*")
        # Until each has asked for server 3 in vain, and asks again.
        while self.server.count("s3.test") < 9:
            self.ping(one, two)
        self.stop(one)
        self.stop(two)

    def test_a_dead_name_server_over_zmq(self):
        self.a_dead_name_server("zmq")

    def test_a_dead_name_server_over_nng(self):
        self.a_dead_name_server("nng")

    def another_name_server(self, transport):
        del self.server.names["s2.test"]
        # Server 2 has to find its own name to listen.
        other = NameServer("127.2.0.%d" % NamesTest.servers, dict(self.names))
        one = self.start_one(transport, 1)
        self.server.await_questions("s2.test", 2)
        use_name_server("127.2.0.%d" % NamesTest.servers)
        two = self.start_one(transport, 2)
        one.expect(r"^-- peer 2 up")
        self.ping(one, two)
        self.assertGreater(other.count("s2.test"), 0)

    def start_one(self, transport, server_id):
        path = os.path.join(self.folder.name, transport + ".json")
        with open(path, "w") as file:
            file.write('{"transport": "%s", "allow_plaintext": true, "servers": ['
                       '{"id": 1, "address": "s1.test:7001"}, '
                       '{"id": 2, "address": "s2.test:7002"}]}' % transport)
        node = Program([NODE, "--config=" + path, str(server_id)])
        node.expect(r"^server %d at s%d\.test:700%d$" % (server_id, server_id, server_id))
        return node

    def test_another_name_server_over_zmq(self):
        self.another_name_server("zmq")

    def test_a_dead_name_server_over_tcp(self):
        self.a_dead_name_server("tcp")

    def test_another_name_server_over_tcp(self):
        self.another_name_server("tcp")

    def test_another_name_server_over_nng(self):
        self.another_name_server("nng")

    def test_a_name_that_does_not_resolve_ends_the_program_with_its_place(self):
        path = os.path.join(self.folder.name, "no.json")
        with open(path, "w") as file:
            file.write('{"allow_plaintext": true, "servers": [\n'
                       '{"id": 1, "address": "no.test:7001"}]}')
        node = Program([NODE, "--config=" + path, "1"])
        self.assertEqual(node.wait(), 1)
        self.assertRegex(node.errors(),
                         r"no\.json:2: \$\.servers\[0\]\.address: cannot bind no\.test:7001: "
                         r"host \"no\.test\" does not resolve: the name has no IPv4 and no IPv6 "
                         r"address \(asked %s\); only the hosts file and DNS are read\n$" %
                         self.address)


def enter():
    """Runs this file again inside the namespaces."""
    os.environ["PATH"] = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
    os.environ[INSIDE] = "1"
    with tempfile.NamedTemporaryFile(dir=os.environ.get("TEST_TMPDIR")) as file:
        prepare = "ip link set lo up && mount --bind %s %s" % (file.name, RESOLV_CONF)
        if subprocess.call(NAMESPACES + ["sh", "-c", prepare]) != 0:
            print("no namespaces for users, mounts and the network here: nothing was tested")
            return 0
        return subprocess.call(NAMESPACES + ["sh", "-c", prepare + " && exec \"$@\"", "sh",
                                             sys.executable] + sys.argv)


if __name__ == "__main__":
    if INSIDE not in os.environ:
        sys.exit(enter())
    unittest.main()
