#!/usr/bin/python3
"""A node and a Go program read one config in the Go library's form, and talk both ways."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import unittest

from programs.program import Program

NODE = "programs/node"


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class GoProgramTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.go_peer = os.path.join(cls.folder, "go_peer")
        subprocess.run(["go", "build", "-o", cls.go_peer, "tests/interop/go_peer.go"], check=True,
                       env={"GOCACHE": cls.folder, "GO111MODULE": "off", "HOME": cls.folder,
                            "PATH": os.environ["PATH"]})

    def setUp(self):
        self.addCleanup(Program.kill_all)
        config = os.path.join(self.folder, "config.json")
        with open(config, "w") as file:
            json.dump({"Server": [{"Server_Id": i, "Port_Num": port}
                                  for i, port in enumerate(free_ports(3), 1)]}, file)
        self.go = Program([self.go_peer, config, "2"])
        self.other_go = Program([self.go_peer, config, "3"])
        self.go.expect("^ready$")
        self.other_go.expect("^ready$")
        self.node = Program([NODE, "--config=" + config, "1"])
        self.node.expect_all(["^-- peer 2 up", "^-- peer 3 up"])

    def test_a_node_hears_go(self):
        for msg, shown in [('"a <b> & c"', "a <b> & c"), ("null", ""), ("[1,2]", r"\[1,2\]"),
                           ('{"PrevLogIndex":3,"Entries":["x"]}',
                            r'{"Entries":\["x"\],"PrevLogIndex":3}')]:
            for pid in (1, -1):
                self.go.say("%d %s" % (pid, msg))
                self.node.expect(r"^<- 0 RequestVoteRequest term 7: ?%s$" % shown)

    def test_go_hears_a_node(self):
        fields = "id true type 0 term 0 voted false"
        self.node.say("2 a <b>")
        self.go.expect(r"^<- 1 pid 2 %s: string \"a \\u003cb\\u003e\"$" % fields)
        self.node.say('all {"Success": true}')
        for go in (self.go, self.other_go):
            go.expect(r"^<- 1 pid -1 %s: map\[string\]interface {} {\"Success\":true}$" % fields)
        self.node.say("3 --type=RequestVoteResponse --term=9 --voted yes")
        self.other_go.expect('^<- 1 pid 3 id true type 3 term 9 voted true: string "yes"$')


if __name__ == "__main__":
    unittest.main()
