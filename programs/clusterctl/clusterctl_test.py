#!/usr/bin/python3
"""clusterctl against running nodes: what it shows, what it finds, and how it ends."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

import reliable_peer
from programs.program import Program

CTL = "programs/clusterctl/clusterctl"
NODE = "programs/node"
KEYGEN = "programs/keygen/keygen"
SECONDS = 60  # for anything; only a broken program takes so long


class Cluster:
    """A folder with configs, keys and the sockets of nodes on ipc addresses."""

    def __init__(self, test):
        # A socket's path has at most 107 bytes.
        self.folder = tempfile.mkdtemp(dir="/tmp")
        test.addCleanup(shutil.rmtree, self.folder)
        self.transport = "tcp"

    def path(self, name):
        return os.path.join(self.folder, name)

    def server(self, id):
        return {"id": id, "address": "ipc://" + self.path("s%d" % id),
                "admin": "ipc://" + self.path("a%d" % id)}

    def config(self, name, servers=(1, 2), **keys):
        """A config file of these servers, by id or whole."""
        config = {"cluster": "demo", "transport": self.transport, "heartbeat_ms": 100,
                  "peer_timeout_ms": 500}
        config.update(keys)
        config["servers"] = [self.server(server) if isinstance(server, int) else server
                             for server in servers]
        with open(self.path(name), "w") as file:
            json.dump(config, file)
        return self.path(name)

    def node(self, id, config):
        node = Program([NODE, "--config=" + config, "--no_console", str(id)])
        node.expect(r"^server %d at " % id)
        return node


def ctl(*arguments):
    done = subprocess.run([CTL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=SECONDS)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class ClusterctlTest(unittest.TestCase):

    def setUp(self):
        self.cluster = Cluster(self)
        self.addCleanup(Program.kill_all)

    def wait_for(self, arguments, done):
        """Repeats a command until `done` of its code and output is true; the output."""
        deadline = time.monotonic() + SECONDS
        while True:
            code, output, errors = ctl(*arguments)
            if done(code, output):
                return output
            self.assertLess(time.monotonic(), deadline, output + errors)

    def two_up(self, **keys):
        config = self.cluster.config("c.json", **keys)
        nodes = [self.cluster.node(id, config) for id in (1, 2)]
        self.wait_for(["--config=" + config, "status"], lambda code, _: code == 0)
        return config, nodes

    def diagnosis(self, config, code):
        """The finding with this code, once the doctor has it."""
        found = []

        def done(exit_code, output):
            found[:] = [finding for finding in json.loads(output) if finding["code"] == code]
            return exit_code == 3 and found
        self.wait_for(["--config=" + config, "--json", "doctor"], done)
        # The likeliest cause is first.
        return found[0]

    # --- what it shows ---

    def test_status_of_a_healthy_cluster(self):
        config, _ = self.two_up()
        code, output, errors = ctl("--config=" + config, "status")
        self.assertEqual((code, errors), (0, ""))
        self.assertRegex(output, r"(?m)^1 +ready +2/2 ")
        self.assertRegex(output, r"(?m)^1 +2 +up ")
        self.assertNotIn("\x1b", output)  # plain when piped

    def test_status_in_json(self):
        config, _ = self.two_up()
        servers = json.loads(ctl("--config=" + config, "--json", "status")[1])
        self.assertEqual([server["id"] for server in servers], [1, 2])
        self.assertEqual(servers[0]["status"]["schema"], 1)
        self.assertEqual(servers[0]["status"]["peers"][0]["state"], "up")

    def test_a_server_that_is_gone_is_exit_code_3(self):
        config, nodes = self.two_up()
        nodes[1].process.kill()
        output = self.wait_for(["--config=" + config, "status"],
                               lambda code, output: code == 3 and "DOWN" in output)
        self.assertRegex(output, r"(?m)^2 +no answer ")
        code, output, _ = ctl("--config=" + config, "matrix")
        self.assertEqual(code, 3)
        self.assertRegex(output, r"(?m)^1 +\. +DOWN$")
        self.assertRegex(output, r"(?m)^2 +\? +\.$")

    def test_matrix(self):
        config, _ = self.two_up()
        code, output, _ = ctl("--config=" + config, "--json", "matrix")
        self.assertEqual(code, 0)
        self.assertEqual([(cell["server"], cell["hears"], cell["state"])
                          for cell in json.loads(output)], [(1, 2, "up"), (2, 1, "up")])

    def test_a_failure_of_one_way_is_seen(self):
        # Server 2 hears server 1; its own frames go to a place where nobody is.
        away = dict(self.cluster.server(1), address="ipc://" + self.cluster.path("nobody"))
        config = self.cluster.config("c.json")
        self.cluster.node(1, config)
        self.cluster.node(2, self.cluster.config("two.json", [away, 2]))
        self.diagnosis(config, "wrong_address")

    def test_ping_measures(self):
        config, _ = self.two_up()
        code, output, errors = ctl("--config=" + config, "--count=3", "--interval_ms=100", "ping", "2")
        self.assertEqual((code, errors), (0, ""))
        self.assertEqual(output.count("server 2 from server 1: "), 3)
        self.assertRegex(output, r"from server 1: [0-9.e-]+ms\n")
        pings = json.loads(ctl("--config=" + config, "--json", "--count=1", "--from=2", "ping", "1")[1])
        self.assertEqual((pings["from"], pings["to"], pings["lost"]), (2, 1, 0))
        self.assertGreater(pings["round_trip_seconds"][0], 0)

    def test_a_ping_that_is_not_answered_is_exit_code_3(self):
        config, nodes = self.two_up()
        nodes[1].process.send_signal(signal.SIGSTOP)
        code, output, _ = ctl("--config=" + config, "--count=1", "--timeout_ms=300", "--from=1",
                              "ping", "2")
        nodes[1].process.send_signal(signal.SIGCONT)
        self.assertEqual((code, output), (3, "server 2 from server 1: no answer\n"))

    def test_top_shows_rates_until_a_signal(self):
        config, _ = self.two_up()
        top = Program([CTL, "--config=" + config, "--interval_ms=100", "top"])
        for _ in range(3):
            top.expect(r"^FROM +TO +STATE")
            top.expect(r"^1 +2 +up ")
        top.process.send_signal(signal.SIGINT)
        self.assertEqual(top.wait(), 0)

    # --- how it asks ---

    def test_a_token_is_sent(self):
        token = self.cluster.path("token")
        with open(token, "w") as file:
            file.write("0123456789abcdef0123456789abcdef\n")
        os.chmod(token, 0o600)
        config, _ = self.two_up(admin={"token_file": "token"})
        self.assertEqual(ctl("--config=" + config, "status")[0], 0)
        wrong = self.cluster.path("wrong")
        with open(wrong, "w") as file:
            file.write("0123456789abcdef0123456789abcdee\n")
        os.chmod(wrong, 0o600)
        code, output, _ = ctl("--config=" + config, "--token_file=" + wrong, "status")
        self.assertEqual(code, 3)
        self.assertIn("HTTP 401", output)

    def test_a_token_does_not_travel_in_plaintext(self):
        token = self.cluster.path("token")
        with open(token, "w") as file:
            file.write("0123456789abcdef0123456789abcdef\n")
        os.chmod(token, 0o600)
        far = dict(self.cluster.server(1), admin="192.0.2.1:9101")
        config = self.cluster.config("c.json", [far], admin={"token_file": "token"})
        code, output, _ = ctl("--config=" + config, "status")
        self.assertEqual(code, 3)
        self.assertIn("the token would travel in plaintext to 192.0.2.1:9101", output)

    def test_tls_pins_the_certificate(self):
        self.keys("keys")
        keys = self.cluster.path("keys")
        admin = {"certificate": "keys/{id}/tls.crt", "key": "keys/{id}/tls.key"}
        config, _ = self.two_up(admin=admin)
        self.assertEqual(ctl("--config=" + config, "status")[0], 0)
        code, output, _ = ctl("--config=" + config, "--certificate=" + keys + "/2/tls.crt",
                              "status")
        self.assertEqual(code, 3)
        self.assertRegex(output, r"(?m)^1 +no answer ")
        self.assertRegex(output, r"(?m)^2 +ready ")

    # --- the doctor ---

    def test_doctor_of_a_healthy_cluster(self):
        config, _ = self.two_up()
        self.assertEqual(ctl("--config=" + config, "doctor"),
                         (0, "all 2 servers run and hear each other\n", ""))

    def pair(self, one=None, two=None):
        """Nodes of different configs; the config that clusterctl reads."""
        config = self.cluster.config("c.json")
        self.cluster.node(1, self.cluster.config("one.json", **(one or {})))
        self.cluster.node(2, self.cluster.config("two.json", **(two or {})))
        return config

    def test_doctor_wrong_cluster_name(self):
        finding = self.diagnosis(self.pair(two={"cluster": "dmeo"}), "wrong_cluster")
        self.assertIn('server 1 is of the cluster "demo", server 2 is of the cluster "dmeo"',
                      finding["what"])

    def test_doctor_not_listed(self):
        config = self.cluster.config("c.json")
        self.cluster.node(1, self.cluster.config("one.json", [1]))
        self.cluster.node(2, config)
        self.assertEqual(self.diagnosis(config, "not_listed")["what"],
                         "server 1 does not list server 2 as a member")

    def test_doctor_delivery_differs(self):
        config = self.cluster.config("c.json")
        self.cluster.node(1, config)
        best_effort = self.cluster.config("two.json", delivery="best_effort")
        with open(best_effort) as file:
            keys = json.load(file)
        del keys["heartbeat_ms"], keys["peer_timeout_ms"]
        with open(best_effort, "w") as file:
            json.dump(keys, file)
        self.cluster.node(2, best_effort)
        self.diagnosis(config, "delivery_differs")

    def keys(self, name):
        """Keys of both servers in a folder; the config's object for them."""
        subprocess.run([KEYGEN, "--config=" + self.cluster.config("keygen.json"),
                        "--out=" + self.cluster.path(name)], check=True,
                       stdout=subprocess.DEVNULL)
        return {"mode": "mutual", "identity": name + "/{id}", "peers": name + "/public"}

    def test_doctor_wrong_key(self):
        for transport in ("tcp", "zmq"):
            with self.subTest(transport):
                self.cluster = Cluster(self)
                self.cluster.transport = transport
                config = self.pair({"security": self.keys("keys")},
                                   {"security": self.keys("others")})
                self.diagnosis(config, "wrong_key")
                Program.kill_all()

    def test_doctor_plaintext_against_secured(self):
        for transport in ("tcp", "zmq"):
            with self.subTest(transport):
                self.cluster = Cluster(self)
                self.cluster.transport = transport
                config = self.pair(two={"security": self.keys("keys")})
                self.diagnosis(config, "plaintext_against_secured")
                Program.kill_all()

    def test_doctor_wrong_address(self):
        elsewhere = dict(self.cluster.server(2), address="ipc://" + self.cluster.path("nobody"))
        config = self.cluster.config("c.json")
        self.cluster.node(1, self.cluster.config("one.json", [1, elsewhere]))
        self.cluster.node(2, config)
        finding = self.diagnosis(config, "wrong_address")
        self.assertIn("server 1 dials server 2 at %s, but it listens at %s" %
                      (elsewhere["address"], self.cluster.server(2)["address"]),
                      finding["what"])

    def test_doctor_not_running(self):
        config, nodes = self.two_up()
        nodes[1].process.kill()
        finding = self.diagnosis(config, "not_running")
        self.assertIn("server 2 does not run, or is cut off", finding["what"])

    def test_doctor_heartbeat_against_timeout(self):
        config = self.pair(two={"heartbeat_ms": 5000, "peer_timeout_ms": 20000})
        output = self.wait_for(["--config=" + config, "--json", "doctor"],
                               lambda _, output: "times_do_not_fit" in output)
        self.assertIn("server 1 takes a peer for down after 500ms, but server 2 has a "
                      "heartbeat of 5s", output)

    def test_doctor_no_common_version(self):
        # A peer of a later library, which speaks none of this one's versions.
        with unittest.mock.patch("reliable_peer.VERSION", 200):
            peer = reliable_peer.Peer(reliable_peer.Session(2, 1, "demo"))
            self.addCleanup(peer.close)
            one = dict(self.cluster.server(1), address="127.0.0.1:0")
            config = self.cluster.config("c.json", [one, {"id": 2, "address": peer.address()}],
                                         transport="zmq")
            node = Program([NODE, "--config=" + config, "--no_console", "1"])
            peer.dial(node.expect(r"^server 1 at (.*)$")[1])
            ended = threading.Event()

            def talk():
                while not ended.is_set():
                    peer.turn()
            talker = threading.Thread(target=talk)
            talker.start()
            try:
                finding = self.diagnosis(config, "no_common_version")
            finally:
                ended.set()
                talker.join()
        self.assertRegex(finding["what"], r"server 1 speaks \d.*, server 2 200")

    def test_doctor_two_processes(self):
        config, _ = self.two_up()
        # Another process with the id 2, which is at another address.
        twin = dict(self.cluster.server(2), address="ipc://" + self.cluster.path("twin"))
        del twin["admin"]
        self.cluster.node(2, self.cluster.config("twin.json", [1, twin]))
        finding = self.diagnosis(config, "two_processes")
        self.assertIn("two processes run as server 2", finding["what"])

    # --- check ---

    def test_check_of_a_good_file(self):
        config = self.cluster.config("c.json")
        self.assertEqual(ctl("check", config),
                         (0, "%s: good: 2 servers over tcp\n" % config, ""))

    def test_check_of_a_bad_file(self):
        config = self.cluster.config("c.json", heartbeat_ms=1)
        code, output, _ = ctl("check", config)
        self.assertEqual(code, 3)
        self.assertIn("wrong: %s:1: $.heartbeat_ms: found 1, want an integer from 10" % config, output)
        code, output, _ = ctl("check", "/nowhere.json")
        self.assertEqual(code, 3)
        self.assertIn("/nowhere.json", output)

    def test_check_says_what_differs_and_must_not(self):
        one = self.cluster.config("one.json", window_bytes=65536)
        elsewhere = dict(self.cluster.server(2), address="ipc:///elsewhere")
        two = self.cluster.config("two.json", [1, elsewhere, 3], cluster="dmeo",
                                  transport="zmq")
        code, output, _ = ctl("check", one, two)
        self.assertEqual(code, 3)
        self.assertIn('$.cluster: "dmeo", but', output)
        self.assertIn('$.transport: "zmq", but', output)
        self.assertIn("server 2 at ipc:///elsewhere, but", output)
        self.assertIn("3 at ", output)
        self.assertNotIn("window_bytes", output)

    def test_check_says_when_certificates_expire(self):
        config = self.cluster.config("c.json", security=self.keys("keys"))
        code, output, _ = ctl("check", config)
        self.assertEqual(code, 0, output)
        self.assertRegex(output, r"server 1: certificate until 20\d\d-\d\d-\d\d")
        shutil.rmtree(self.cluster.path("keys/1"))
        self.assertIn("server 1: its keys are not on this machine", ctl("check", config)[1])
        with open(self.cluster.path("keys/2/tls.key"), "w") as file:
            file.write("no key")
        code, output, _ = ctl("check", config)
        self.assertEqual(code, 3)
        self.assertIn("wrong: ", output)

    # --- the document ---

    def test_each_command_of_the_document(self):
        config, _ = self.two_up()
        with open("docs/operating.md", encoding="utf-8") as file:
            commands = set(re.findall(r"`clusterctl\s([^`]+)`", file.read()))
        self.assertGreater(len(commands), 5)
        for command in commands:
            words = command.split() + (["FILE"] if command == "check" else [])
            if not any(word.startswith("--config") or word == "check" for word in words):
                words.insert(0, "--config=FILE")
            words = [word.replace("FILE...", config).replace("FILE", config).replace("ID", "2")
                     for word in words] + ["--count=1"]
            with self.subTest(words):
                if "top" in words:
                    top = Program([CTL] + words)
                    top.expect(r"^FROM +TO")
                    top.process.send_signal(signal.SIGINT)
                    self.assertEqual(top.wait(), 0)
                else:
                    self.assertEqual((ctl(*words)[0], ctl(*words)[2]), (0, ""))

    # --- how it ends ---

    def fails(self, code, pattern, *arguments):
        exit_code, output, errors = ctl(*arguments)
        self.assertEqual((exit_code, output), (code, ""))
        self.assertRegex(errors, pattern)
        self.assertEqual(errors.count("\n"), 1, errors)

    def test_usage_errors(self):
        config = "--config=" + self.cluster.config("c.json")
        self.fails(2, r"^clusterctl: want a command: check, status")
        self.fails(2, r'^clusterctl: no command stats; did you mean "status"\?', config, "stats")
        self.fails(2, r"^clusterctl: name the cluster's config", "status")
        self.fails(2, r"^clusterctl: ping: want one server id", config, "ping")
        self.fails(2, r"^clusterctl: status: takes no argument", config, "status", "1")
        self.fails(2, r"^clusterctl: --count=0: want 1 to", config, "--count=0", "ping", "1")
        self.fails(2, r"^clusterctl: check: want one file", "check")

    def test_other_errors(self):
        self.fails(1, r"^clusterctl: .*nothere.json", "--config=/nothere.json", "status")
        plain = {"id": 1, "address": "127.0.0.1:1"}
        config = self.cluster.config("plain.json", [plain])
        self.fails(1, r'no server has an "admin" address', "--config=" + config, "status")

    def test_help_teaches(self):
        code, output, _ = ctl("--help")
        self.assertEqual(code, 0)
        for word in ("check FILE", "status", "top", "matrix", "ping ID", "doctor", "Exit code 3"):
            self.assertIn(word, output)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
