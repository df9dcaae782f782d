#!/usr/bin/python3
"""The man pages name the flags that the programs name, and no others."""

import re
import subprocess
import unittest

PROGRAMS = {
    "cluster-node": "programs/node",
    "cluster-keygen": "programs/keygen/keygen",
}


def flags(text):
    return set(re.findall(r"--[a-z_]+", text))


class ManPagesTest(unittest.TestCase):

    def test_flags_are_those_of_help(self):
        for page, program in PROGRAMS.items():
            said = subprocess.run([program, "--help"], check=True, stdout=subprocess.PIPE)
            with open("packaging/man/%s.1" % page, encoding="utf-8") as file:
                text = file.read().replace("Fl -", "--")
            self.assertEqual(flags(text), flags(said.stdout.decode()) | {"--help"}, page)

    def test_help_has_the_name_that_the_program_was_started_by(self):
        for page, program in PROGRAMS.items():
            said = subprocess.run([page, "--help"], executable=program, check=True, stdout=subprocess.PIPE)
            self.assertRegex(said.stdout.decode(), r"(?m)^  %s " % page)


if __name__ == "__main__":
    unittest.main()
