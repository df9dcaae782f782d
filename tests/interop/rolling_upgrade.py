#!/usr/bin/python3
"""A cluster of three goes from one build to another under load, one server at a time, and back.

    PYTHONPATH=. tests/interop/rolling_upgrade.py OLD NEW

OLD and NEW are folders with a node and a keygen. It runs over each transport that both have, in
plaintext and with the keys of either. Each server quits and starts again as the other build, while
all send to all. Nothing may be lost, and nothing doubled: but a new life gets again what is of
unknown fate, and its sender says how many. Ports are free ones at the begin of each run.
"""

import collections
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from programs.program import Program

IDS = (1, 2, 3)
# Between two changes each server delivers so many more.
PROGRESS = 300


def transports(node):
    """Those that the build lists."""
    text = subprocess.run([node, "--help"], check=True, stdout=subprocess.PIPE).stdout.decode()
    names = re.search(r"--transport=NAME +instead of the config's: (.+)", text)[1]
    return re.split(", | or ", names)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Life(Program):
    """One life of a server, which sends a numbered line to all again and again."""

    count = 0

    def __init__(self, build, config, server_id):
        Life.count += 1
        self.name = "life%d" % Life.count
        self.id = server_id
        self.arrived = collections.defaultdict(list)  # numbers by the sender's life
        self.resent = collections.Counter()  # by the receiver, as it says
        self.delivered = 0
        self.sent = 0
        self.changed = threading.Condition()
        super().__init__([os.path.join(build, "node"), "--config=" + config, str(server_id)])
        self.expect(r"^server %d at " % server_id)
        self._stop = threading.Event()
        self._load = threading.Thread(target=self._send)

    # Instead of one line after the other: most are arrivals.
    def _read_lines(self):
        for line in self.process.stdout:
            text = line.decode().rstrip("\n")
            match = re.match(r"<- \d+ .*: (life\d+) (\d+|end)$", text)
            if match is None:
                self._note(text)
                continue
            with self.changed:
                self.arrived[match[1]].append(match[2])
                self.delivered += 1
                self.changed.notify_all()
        self._lines.put(None)

    def _note(self, text):
        again = re.match(r"-- peer (\d+) restarted: .* (\d+) sent again\)$", text)
        if again:
            self.resent[int(again[1])] += int(again[2])
        self._lines.put(text)

    def begin(self):
        self._load.start()

    def _send(self):
        while not self._stop.wait(0.005):
            for _ in range(5):
                self.say("all %s %d" % (self.name, self.sent))
                self.sent += 1

    def cease(self):
        """Sends one last line, after all others."""
        self._stop.set()
        self._load.join()
        self.say("all %s end" % self.name)

    def quit(self):
        """Its peers have all that it sent."""
        self.say("quit")
        code = self.wait()
        if code != 0 or "not acknowledged" in self.errors():
            sys.exit("server %d: exit code %d, %s" % (self.id, code, self.errors()))

    def wait_until(self, condition):
        with self.changed:
            if not self.changed.wait_for(condition, timeout=60):
                sys.exit("server %d, %s: nothing more after %d; %s" % (
                    self.id, self.name, self.delivered, self._seen[-20:]))


class Cluster:
    def __init__(self, folder, keys_of, **config):
        self.path = os.path.join(folder, "config.json")
        self.config = dict(cluster="upgrade", heartbeat_ms=2000, peer_timeout_ms=20000, **config)
        self.config["servers"] = [{"id": i, "address": "127.0.0.1:%d" % port}
                                  for i, port in zip(IDS, free_ports(len(IDS)))]
        if keys_of is not None:
            self.config["security"] = {"mode": "mutual", "identity": "keys/{id}",
                                       "peers": "keys/public"}
        self.write()
        if keys_of is not None:
            subprocess.run([os.path.join(keys_of, "keygen"), "--config=" + self.path,
                            "--out=" + os.path.join(folder, "keys")],
                           check=True, stdout=subprocess.DEVNULL)
        self.lives = {i: [] for i in IDS}

    def write(self):
        with open(self.path, "w") as file:
            json.dump(self.config, file)

    def now(self, server_id):
        return self.lives[server_id][-1]

    def start(self, build, server_id):
        self.lives[server_id].append(Life(build, self.path, server_id))

    def await_peers(self, server_id):
        self.now(server_id).expect_all([r"^-- peer %d up" % peer
                                        for peer in IDS if peer != server_id])

    def progress(self):
        for i in IDS:
            life = self.now(i)
            goal = life.delivered + PROGRESS
            life.wait_until(lambda: life.delivered >= goal)

    def replace(self, build, server_id):
        self.now(server_id).cease()
        self.now(server_id).quit()
        self.start(build, server_id)
        self.await_peers(server_id)
        self.now(server_id).begin()

    def other_times(self, server_id, answer):
        """SIGHUP with another heartbeat."""
        self.config["heartbeat_ms"] += 1
        self.write()
        self.now(server_id).process.send_signal(signal.SIGHUP)
        self.now(server_id).expect(answer)

    def end(self):
        for i in IDS:
            self.now(i).cease()
        for i in IDS:
            life = self.now(i)
            for sender in IDS:
                if sender != i:
                    name = self.now(sender).name
                    life.wait_until(lambda: "end" in life.arrived[name])
        for i in IDS:
            self.now(i).quit()

    def check(self):
        """Returns how many arrived again, in a new life of their receiver."""
        again = 0
        for sender in IDS:
            for life in self.lives[sender]:
                for receiver in IDS:
                    if receiver == sender:
                        continue
                    parts = [each.arrived[life.name] for each in self.lives[receiver]]
                    repeated = repeats(life.sent, parts)
                    if repeated is None or repeated > life.resent[receiver]:
                        sys.exit("%s of server %d sent 0 to %d and the end; server %d took %s; "
                                 "sent again: %d" % (life.name, sender, life.sent - 1, receiver,
                                                     [ranges(part) for part in parts],
                                                     life.resent[receiver]))
                    again += repeated
        return again


def repeats(sent, parts):
    """How many of 0, 1 ... end are in the next part again; None: some are lost or out of order."""
    place = repeated = 0
    for part in parts:
        numbers = [sent if each == "end" else int(each) for each in part]
        if not numbers:
            continue
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))) or numbers[0] > place:
            return None
        repeated += place - numbers[0]
        place = numbers[-1] + 1
    return repeated if place == sent + 1 else None


def ranges(part):
    """For people: "0-17 19-end"."""
    text = []
    for each in part:
        if text and each != "end" and int(each) == int(text[-1][1]) + 1:
            text[-1][1] = each
        else:
            text.append([each, each if each != "end" else "-1"])
    return " ".join("%s-%s" % (first, last) for first, last in text)


def roll(old, new, keys_of, transport):
    with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as folder:
        cluster = Cluster(folder, keys_of, transport=transport)
        for i in IDS:
            cluster.start(old, i)
        for i in IDS:
            cluster.await_peers(i)
        for i in IDS:
            cluster.now(i).begin()
        for build in (new, old):
            for i in IDS:
                cluster.progress()
                cluster.replace(build, i)
            cluster.progress()
        cluster.end()
        sent = sum(life.sent for lives in cluster.lives.values() for life in lives)
        return sent, cluster.check()


def main():
    old, new = sys.argv[1:]
    nodes = [os.path.join(build, "node") for build in (old, new)]
    both = [name for name in transports(nodes[0]) if name in transports(nodes[1])]
    if not both:
        sys.exit("the two builds have no transport in common")
    for transport in both:
        for keys_of in (None, old, new):
            begin = time.monotonic()
            try:
                sent, again = roll(old, new, keys_of, transport)
            finally:
                Program.kill_all()
            print("%s, %s: %d broadcasts arrived, %d of them again in a new life (%.0f s)" % (
                transport, "plaintext" if keys_of is None else "keys of " + keys_of, sent, again,
                time.monotonic() - begin), flush=True)


main()
