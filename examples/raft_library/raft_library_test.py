#!/usr/bin/python3
"""Canonical's Raft library over this one: processes that are killed, and a newcomer.

    raft_library_test TRANSPORT
"""

import os
import random
import sys
import tempfile
import time
import unittest

from programs.program import Program

NODE = "examples/raft_library/raft_node"
TRANSPORT = sys.argv.pop()


class Node(Program):
    """A life of a server. The next one has its folder and its address."""

    def __init__(self, number, folder, address):
        super().__init__([NODE, str(number), TRANSPORT, folder, address])
        self.number = number
        self.folder = folder
        self.address = self.expect("^address (.*)")[1]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def next_life(self):
        node = Node(self.number, self.folder, self.address)
        node.say("start")
        return node

    def words(self):
        self.say("words")
        return self.expect("^words (.*)")[1].split()

    def await_word(self, word):
        """Until it has applied the word, maybe long ago or as a part of a snapshot."""
        if word not in self.words():
            self.expect("^applied %s$" % word)


class RaftLibraryTest(unittest.TestCase):

    def setUp(self):
        self.folders = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(self.folders.cleanup)
        self.addCleanup(Program.kill_all)
        self.nodes = {}
        self.count = 0
        self.acknowledged = []

    def start_node(self, number):
        folder = os.path.join(self.folders.name, str(number))
        os.mkdir(folder)
        # Nobody else takes a port of that host, so it is free for the next life.
        host = "127.%d.%d.%d:0" % tuple(random.randint(1, 254) for _ in range(3))
        self.nodes[number] = Node(number, folder, host)
        return self.nodes[number]

    def start_three(self):
        servers = " ".join("%d=%s" % (n, self.start_node(n).address) for n in (1, 2, 3))
        for node in self.nodes.values():
            node.say("bootstrap " + servers)
            node.expect("bootstrapped")
            node.say("start")

    def on_leader(self, command, done):
        """Asks the others too until one answers that it is done, as a client would."""
        while True:
            for node in list(self.nodes.values()):
                node.say(command)
                if node.expect("^(%s|failed) " % done)[1] == done:
                    return node
            time.sleep(0.02)  # between two rounds of questions

    def put(self, count):
        for _ in range(count):
            self.count += 1
            word = "word%d" % self.count
            leader = self.on_leader("put " + word, "committed")
            self.acknowledged.append(word)
        return leader

    def kill(self, node):
        node.kill()
        del self.nodes[node.number]

    def expect_agreement(self):
        """All have what was acknowledged, in one order."""
        for node in self.nodes.values():
            node.await_word(self.acknowledged[-1])
            self.assertEqual(node.words(), self.acknowledged, "server %d" % node.number)

    def test_no_acknowledged_word_is_lost_with_a_leader(self):
        self.start_three()
        for _ in range(2):
            leader = self.put(20)
            self.kill(leader)
            self.put(20)  # under the next leader
            self.nodes[leader.number] = leader.next_life()
        self.put(1)
        self.expect_agreement()

    def test_all_can_be_killed_at_once(self):
        self.start_three()
        self.put(20)
        self.expect_agreement()
        dead = list(self.nodes.values())
        for node in dead:
            self.kill(node)
        for node in dead:
            self.nodes[node.number] = node.next_life()
        self.put(1)
        self.expect_agreement()

    def test_a_newcomer_gets_all_and_counts(self):
        self.start_three()
        # More than are kept behind a snapshot, which a newcomer therefore gets.
        leader = self.put(150)
        newcomer = self.start_node(4)
        newcomer.say("start")
        leader = self.on_leader("add 4 " + newcomer.address, "added")
        self.put(1)
        self.expect_agreement()
        # Three of four are a majority now, and one of them is the newcomer.
        self.kill(next(node for node in self.nodes.values()
                       if node not in (leader, newcomer)))
        self.put(20)
        self.expect_agreement()
        snapshots = [name for name in os.listdir(newcomer.folder) if name.startswith("snapshot")]
        self.assertTrue(snapshots)

    def test_a_server_that_left_is_not_let_in_again(self):
        self.start_three()
        leader = self.put(1)
        gone = next(node for node in self.nodes.values() if node != leader)
        self.on_leader("remove %d" % gone.number, "removed")
        del self.nodes[gone.number]
        gone.expect("removed by server")
        self.put(20)
        self.expect_agreement()
        self.assertNotIn(self.acknowledged[-1], gone.words())
        for node in self.nodes.values():
            node.say("peers")
            self.assertNotIn(str(gone.number), node.expect("^peers (.*)")[1].split())


if __name__ == "__main__":
    unittest.main()
