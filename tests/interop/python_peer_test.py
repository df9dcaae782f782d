#!/usr/bin/python3
"""A script without our library takes part in a best-effort JSON cluster, both ways."""

import ast
import os
import re
import tempfile
import unittest

from programs.program import Program, write_config

NODE = "programs/node"
PEER = ["/usr/bin/python3", "tests/interop/python_peer.py"]


class PythonPeerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(folder.cleanup)
        self.addCleanup(Program.kill_all)
        config = write_config(folder.name, servers=2, transport="zmq", codec="json",
                              delivery="best_effort")
        self.node = Program([NODE, "--config=" + config, "1"])
        node_address = self.node.expect(r"^server 1 at (.+)$")[1]
        self.peer = Program(PEER + ["127.0.0.1:0", node_address])
        address = self.peer.expect(r"^server 2 at (.+)$")[1]
        self.node.expect(r"^<- 2 RequestVoteRequest term 7: hello$")
        self.node.say("add 2 " + address)
        self.node.expect(r"^-- peer 2 up")

    def exchange(self, line, **want):
        """Types `line` into the node; the peer gets `want`, and the node gets its answer."""
        self.node.say(line)
        got = ast.literal_eval(self.peer.expect(r"^{.*}$")[0])
        self.assertRegex(got.pop("MessageId"), r"^\d+-\d+$")
        self.assertEqual(got, {"SenderId": 1, "Pid": 2, "MsgType": 0, "Term": 0,
                               "Voted": False, **want})
        self.node.expect(r"^<- 2 RequestVoteResponse term %d voted: I got: %s$" %
                         (got["Term"], re.escape(got["Payload"])))

    def test_exchanges_envelopes(self):
        self.exchange("2 how are you?", Payload="how are you?")
        self.exchange("2 --type=RequestVoteRequest --term=9 --voted vote",
                      MsgType=2, Term=9, Voted=True, Payload="vote")
        self.exchange("all na\u00efve", Pid=-1, Payload="na\u00efve")
        self.exchange('2 "quoted"', Payload='"quoted"')


if __name__ == "__main__":
    unittest.main()
