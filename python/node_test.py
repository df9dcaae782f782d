#!/usr/bin/python3
"""A Python server and a node in C++ exchange envelopes, over TEST_TRANSPORT."""

import os
import tempfile
import unittest

import cluster
from cluster import Envelope, EventType, MsgType
from programs.program import Program, write_config
from testing.servers import SECONDS, Seen, ServersTest

TRANSPORT = os.environ["TEST_TRANSPORT"]
NODE = "programs/node"


class NodeTest(ServersTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(folder.cleanup)
        self.addCleanup(Program.kill_all)
        config = write_config(folder.name, servers=2, transport=TRANSPORT)
        self.events = Seen()
        self.server = cluster.Server(2, config)
        self.addCleanup(self.server.stop)
        self.server.on_peer_event(self.events.add)
        self.server.start()
        self.node = Program([NODE, "--config=" + config, "1"])
        self.server.add_peer(1, self.node.expect(r"^server 1 at (.+)$")[1])
        self.node.say("add 2 " + self.server.address)
        self.node.expect(r"^-- peer 2 up")

    def test_exchanges_envelopes_and_sees_the_node_leave(self):
        message_id = self.server.send(
            Envelope(1, "naïve".encode(), msg_type=MsgType.REQUEST_VOTE_REQUEST, term=7), SECONDS)
        self.assertEqual(message_id.sequence, 1)
        self.node.expect(r"^<- 2 RequestVoteRequest term 7: naïve$")
        self.node.say("2 --type=RequestVoteResponse --term=7 --voted yes")
        got = self.server.receive(SECONDS)
        self.assertEqual((got.sender_id, got.pid, got.msg_type, got.term, got.voted, got.payload),
                         (1, 2, MsgType.REQUEST_VOTE_RESPONSE, 7, True, b"yes"))
        self.server.broadcast(Envelope(payload=b"to all"), SECONDS)
        self.node.expect(r"^<- 2 AppendEntriesRequest term 0: to all$")
        self.server.flush(SECONDS)
        self.node.say("quit")
        events = self.events.wait_for(lambda items: items[-1].type == EventType.DOWN)
        self.assertIn("peer 1 up: first session", map(str, events))
        self.assertIn("stopped", events[-1].reason)


if __name__ == "__main__":
    unittest.main()
