#!/usr/bin/python3
"""Unicast, multicast, mixed and cyclic traffic between Python servers, over TEST_TRANSPORT."""

import collections
import os
import threading
import unittest

from cluster import Envelope
from testing.servers import SECONDS, Seen, ServersTest

TRANSPORT = os.environ["TEST_TRANSPORT"]
SERVERS = 3
COUNT = 150  # of each sender's envelopes of a kind


class Traffic:
    """What was sent and what arrived, for each sender and receiver in order."""

    def __init__(self, servers):
        self.servers = {server.id: server for server in servers}
        self.sent = collections.defaultdict(list)
        self.arrived = Seen()

    def send(self, sender, way, i):
        """One envelope from a server: "all", "some", or to the server of that id."""
        server = self.servers[sender]
        payload = b"%d" % i * (i * i % 97)
        envelope = Envelope(payload=payload, term=i)
        if way == "all":
            to = [pid for pid in self.servers if pid != sender]
            server.broadcast(envelope, SECONDS)
        elif way == "some":
            to = sorted({1 + i % SERVERS, 1 + i * i % SERVERS})
            server.multicast(to, envelope, SECONDS)
        else:
            to = [way]
            envelope.pid = way
            server.send(envelope, SECONDS)
        for receiver in to:
            self.sent[sender, receiver].append((i, payload))

    def handler(self, receiver):
        def arrive(envelope):
            self.arrived.add((envelope.sender_id, receiver, envelope.term, envelope.payload))
        return arrive


class ScenariosTest(ServersTest):
    def run_scenario(self, ways_of):
        """Each server sends from a thread of its own, in the ways that `ways_of` names."""
        servers = self.make(SERVERS, TRANSPORT)
        traffic = Traffic(servers)
        # Server 1 receives in a loop, the others by handlers.
        for server in servers[1:]:
            server.on_envelope(traffic.handler(server.id))
        self.start(servers)

        def receive():
            for envelope in servers[0]:
                traffic.handler(1)(envelope)

        def send(sender):
            ways = ways_of(sender)
            for i in range(COUNT * len(ways)):
                traffic.send(sender, ways[i % len(ways)], i)

        receiver = threading.Thread(target=receive)
        senders = [threading.Thread(target=send, args=(server.id,)) for server in servers]
        for thread in senders + [receiver]:
            thread.start()
        for thread in senders:
            thread.join()
        count = sum(map(len, traffic.sent.values()))
        arrived = collections.defaultdict(list)
        for sender, to, i, payload in traffic.arrived.wait_for(lambda items: len(items) >= count):
            arrived[sender, to].append((i, payload))
        for server in servers:
            server.flush(SECONDS)
        for server in servers:
            server.stop()
        receiver.join()
        self.assertEqual(arrived, traffic.sent)
        self.assertEqual(len(traffic.arrived.items), count)
        self.assertEqual(self.unraisable.items, [])
        self.assertGreaterEqual(count, SERVERS * COUNT)

    def test_unicast(self):
        self.run_scenario(lambda sender: [pid for pid in (1, 2, 3) if pid != sender])

    def test_multicast(self):
        self.run_scenario(lambda sender: ["all", "some"])

    def test_mixed(self):
        self.run_scenario(lambda sender: ["all", 1 + sender % SERVERS, "some", sender])

    def test_cyclic(self):
        self.run_scenario(lambda sender: [1 + sender % SERVERS])


if __name__ == "__main__":
    unittest.main()
