#!/usr/bin/python3
"""Two builds of the node exchange envelopes, both ways, over each transport and as each server.

    PYTHONPATH=. tests/interop/two_builds.py NODE NODE

A NODE is a command, of several words if need be. As a test it runs one build against itself;
tools/test_on_sid.sh gives it nodes of two systems. Files are in $TMPDIR, which both have to see.
"""

import re
import shlex
import subprocess
import sys
import tempfile

from programs.program import Program, write_config

# More than one frame, and more than one buffer of a socket.
LONG = "x" * 60000


def transports(command):
    """Those that the build of this node lists, without any that it was built without."""
    text = subprocess.run(command + ["--help"], check=True, stdout=subprocess.PIPE).stdout.decode()
    names = re.search(r"--transport=NAME +instead of the config's: (.+)", text)[1]
    return re.split(", | or ", names)


def start(command, server_id, config):
    node = Program(command + ["--config=" + config, str(server_id)])
    return node, node.expect(r"^server %d at (.+)$" % server_id)[1]


def exchange(commands, config):
    nodes, addresses = zip(*(start(command, server_id, config)
                             for server_id, command in enumerate(commands, 1)))
    for node, server_id in zip(nodes, (1, 2)):
        node.say("add %d %s" % (3 - server_id, addresses[2 - server_id]))
    for node, server_id in zip(nodes, (1, 2)):
        node.expect(r"^-- peer %d up" % (3 - server_id))
    for sender, receiver, server_id in ((nodes[0], nodes[1], 1), (nodes[1], nodes[0], 2)):
        for text in ("hello", LONG, "last"):
            sender.say("%d %s" % (3 - server_id, text))
            receiver.expect(r"^<- %d AppendEntriesRequest term 0: %s$" % (server_id, text))


def main():
    first, second = (shlex.split(command) for command in sys.argv[1:])
    both = [name for name in transports(first) if name in transports(second)]
    if not both:
        sys.exit("the two builds have no transport in common")
    try:
        for transport in both:
            for commands in ((first, second), (second, first)):
                with tempfile.TemporaryDirectory() as folder:
                    exchange(commands, write_config(folder, servers=2, transport=transport))
                Program.kill_all()
            print("%s: exchanged both ways" % transport)
    finally:
        Program.kill_all()


main()
