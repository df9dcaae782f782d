#!/usr/bin/python3
"""Every metric that the rules, the dashboard and the document name is exposed by a node."""

import http.client
import json
import os
import re
import tempfile
import unittest

from programs.program import Program, write_config

NODE = "programs/node"
FOLDER = "examples/monitoring/"
OF_PROMETHEUS = {"up"}


def metrics_in(expression):
    """The names of metrics in an expression of PromQL."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|on|without|group_left) *\([^)]*\)', " ",
                  expression)
    return set(re.findall(r"\bcluster_[a-z_]+|\bup\b", bare))


def text(name):
    with open(FOLDER + name, encoding="utf-8") as file:
        return file.read()


class MonitoringTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        config = write_config(cls.folder.name, servers=2, transport="tcp")
        node = Program([NODE, "--config=" + config, "--no_console", "--admin=127.0.0.1:0", "1"])
        address = node.expect(r"^-- admin server at (.*)$")[1]
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("GET", "/metrics")
        cls.page = connection.getresponse().read().decode()
        connection.close()

    @classmethod
    def tearDownClass(cls):
        Program.kill_all()
        cls.folder.cleanup()

    def check(self, expressions):
        types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", self.page, re.MULTILINE))
        names = set(types) | OF_PROMETHEUS
        for name, kind in types.items():
            if kind == "histogram":
                names |= {name + "_bucket", name + "_sum", name + "_count"}
        # Where there are no certificates there is no date.
        names |= {"cluster_certificate_expires_seconds",
                  "cluster_peer_certificate_expires_seconds"}
        self.assertGreater(len(expressions), 8)
        for expression in expressions:
            found = metrics_in(expression)
            self.assertTrue(found, expression)
            self.assertEqual(found - names, set(), expression)
            # A rate is of a counter, and a counter is shown as a rate.
            for call, metric in re.findall(r"\b(rate|increase)\((cluster_[a-z_]+)", expression):
                self.assertRegex(metric, "_total$|_bucket$", call)

    def test_alert_rules(self):
        self.check(re.findall(r"^ +expr: (.*)$", text("alerts.yml"), re.MULTILINE))

    def test_dashboard(self):
        dashboard = json.loads(text("dashboard.json"))
        self.check([target["expr"] for panel in dashboard["panels"]
                    for target in panel["targets"]])

    def test_document(self):
        with open("docs/operating.md", encoding="utf-8") as file:
            self.check(re.findall(r"`(cluster_[a-z_]+)`", file.read()))

    def test_reasons_in_expressions_exist(self):
        reasons = set(re.findall(r'reason="([a-z_]+)"', self.page))
        for name in ("alerts.yml", "dashboard.json"):
            for words in re.findall(r'reason[!=]=?~?\\*"([a-z_|]+)\\*"', text(name)):
                self.assertEqual(set(words.split("|")) - reasons, set(), name)


if __name__ == "__main__":
    unittest.main()
