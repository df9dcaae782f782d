"""Servers of one process for tests, and what their handlers see."""

import os
import sys
import threading
import unittest

import cluster

SECONDS = 60  # for anything; only a defect takes so long


def config(transport, servers, **keys):
    """Servers 1, 2, ... of a new cluster; over sockets every port is 0."""
    config.made += 1
    name = "python-%d-%d" % (os.getpid(), config.made)
    address = name + "-%d" if transport == "memory" else "127.0.0.1:0"
    return {"cluster": name, "transport": transport, **keys,
            "servers": [{"id": i, "address": address % i if "%" in address else address}
                        for i in range(1, servers + 1)]}


config.made = 0


def introduce(servers):
    """Lets servers that were started know each other's ports."""
    for server in servers:
        for other in servers:
            if other is not server and other.address.startswith("127."):
                server.add_peer(other.id, other.address)


class Seen:
    """A list that threads append to and wait for."""

    def __init__(self):
        self.items = []
        self._changed = threading.Condition()

    def add(self, item):
        with self._changed:
            self.items.append(item)
            self._changed.notify_all()

    def wait_for(self, true_of):
        """Waits until `true_of(items)`, and returns the items."""
        with self._changed:
            if not self._changed.wait_for(lambda: true_of(self.items), SECONDS):
                raise AssertionError("not in time; seen: %r" % self.items[-20:])
            return list(self.items)


class ServersTest(unittest.TestCase):
    """A test that makes servers, stops them at its end, and has the errors of handlers."""

    def setUp(self):
        self.unraisable = Seen()
        before = sys.unraisablehook
        sys.unraisablehook = lambda error: self.unraisable.add(
            (error.exc_type, str(error.exc_value), repr(error.object or error.err_msg)))
        self.addCleanup(setattr, sys, "unraisablehook", before)

    def make(self, count, transport="memory", **keys):
        made = config(transport, count, **keys)
        servers = [cluster.Server(i, made) for i in range(1, count + 1)]
        for server in servers:
            self.addCleanup(server.stop)
        return servers

    def start(self, servers):
        for server in servers:
            server.start()
        introduce(servers)

    def started(self, count, transport="memory", **keys):
        servers = self.make(count, transport, **keys)
        self.start(servers)
        return servers
