#!/usr/bin/python3
"""check_prose finds each kind of error, and accepts the rest."""

import importlib.machinery
import importlib.util
import sys
import unittest


def load(path):
    loader = importlib.machinery.SourceFileLoader("check_prose", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_prose", loader))
    loader.exec_module(module)
    return module


sys.dont_write_bytecode = True
prose = load("tools/check_prose")

WORDS_25 = " ".join("w" * 25)


class CheckProseTest(unittest.TestCase):
    def expect(self, path, text, *wanted):
        """`wanted`: (line, a part of the text) for each finding, in order."""
        found = sorted(prose.violations(path, text))
        self.assertEqual([line for line, _ in found], [line for line, _ in wanted], found)
        for (_, said), (_, part) in zip(found, wanted):
            self.assertIn(part, said)

    def test_sentences_of_comments(self):
        self.expect("a.h", "// %s.\n// %s.\n" % (WORDS_25, WORDS_25))
        self.expect("a.h", "// Good.\n//\n// %s\n// more.\n" % WORDS_25, (3, "26 words"))
        self.expect("a.cc", "int a;  // %s\n        // more\n" % WORDS_25, (1, "26 words"))
        self.expect("a.cc", "int a;  // %s\nint b;  // more\n" % WORDS_25)
        # An empty line, code and a list item each end a sentence.
        self.expect("a.h", "// %s\n//\n// more\n" % WORDS_25)
        self.expect("a.h", "// %s\n//   int code;\n// more\n" % WORDS_25)
        self.expect("a.h", "// - %s\n// - more\n" % WORDS_25)
        # Neither code nor strings are prose.
        self.expect("a.cc", "f(%s);\n" % WORDS_25.replace(" ", ", "))
        self.expect("a.cc", 'f("// %s more");\n' % WORDS_25)
        self.expect("a.cc", "f('\"');  // %s more\n" % WORDS_25, (1, "26 words"))
        self.expect("a.cc", "int a = 1'000;  // %s more\n" % WORDS_25, (1, "26 words"))

        self.expect("a.h", "#define X \\\n  /* %s */ \\\n  /* %s more. */ \\\n" %
                    (WORDS_25, WORDS_25), (3, "26 words"))
        self.expect("a.cc", "f(/*count=*/1);\n")

    def test_ends_of_sentences(self):
        for end in (".", "?", "!", ".)", '."', ".**"):
            self.expect("a.h", "// %s%s More\n" % (WORDS_25, end))
        for no_end in (",", ";", ":", "e.g.", "3.5", "a.b"):
            self.expect("a.h", "// %s %s more\n" % (WORDS_25, no_end), (1, "words"))

    def test_sentences_of_documents(self):
        self.expect("a.md", "Good.\n\n%s\nmore.\n" % WORDS_25.replace(" ", "\n", 1),
                    (3, "26 words"))
        self.expect("a.md", "# %s\nmore\n" % WORDS_25)
        self.expect("a.md", "- one\n- %s\n  more\n" % WORDS_25.replace(" ", "\n  ", 1),
                    (2, "26 words"))
        self.expect("a.md", "| a | %s more |\n|---|---|\n" % WORDS_25, (1, "26 words"))
        # Code counts as one word. The words of a link count, its target does not.
        self.expect("a.md", "`a. b c` %s.\n" % WORDS_25[2:])
        self.expect("a.md", "`a. b c` ``d ` e``\n%s.\n" % WORDS_25, (1, "27 words"))
        self.expect("a.md", "[w](a.b/c) %s.\n" % WORDS_25[2:])
        self.expect("a.md", "```\n%s more\n```\n" % WORDS_25)
        self.expect("a.md", "Text.\n\n    %s more\n" % WORDS_25[2:])
        self.expect("a.md", "<!-- %s\nmore\n-->\n" % WORDS_25)

    def test_clauses_as_subjects(self):
        for bad in ("Who sends waits.", "What is left goes.", "Good. Whoever asks, waits.",
                    "It waits; who sends does not.", "It waits, since who sends has it.",
                    "A sender; what it sends goes first."):
            self.expect("a.h", "// %s\n" % bad, *[(1, "")] * (2 if "Whoever" in bad else 1))
        for good in ("A sender that waits is slow.", "Who sends this?", "It says what was lost.",
                     "See what is left, and who sends it.", "A user, who sends it."):
            self.expect("a.h", "// %s\n" % good)
        self.expect("a.md", "## What is promised\n", (1, "begin with a subject"))
        self.expect("a.md", "## What is it?\n")

    def test_phrases(self):
        for bad in ("The peer is told.", "Peers are told of it.", "Peers were never told of it.",
                    "A port that is none.", "It stands in the header.", "The header lies in front"
                    " of it and the body lies between both.", "It gives it to whoever asks.",
                    "Threads: one. Errors: none.", "What it is: a ring.", "What it is not: slow."):
            self.expect("a.h", "// %s\n" % bad, (1, '"'))
        for good in ("The peer tells this server.", "The return value tells.", "There is none.",
                     "None of them is left.", "0 stands for any port.", "A peer that stands still.",
                     "Tests of the checker's lies.", "Errors: those of open."):
            self.expect("a.h", "// %s\n" % good)
        self.expect("a.md", "A `peer.is none` peer `is told` so.\n")
        self.expect("a.h", "// A peer\n// is told\n// of it.\n", (1, "peer is told of it"))

    def test_width_of_documents(self):
        line = "word " * 20 + "w"
        self.expect("a.md", line[:100] + "\n")
        self.expect("a.md", line + "\n", (1, "101 characters"))
        self.expect("a.md", "ä" * 100 + "\n")
        self.expect("a.md", "| %s |\n```\n%s\n```\n" % (line, line))
        self.expect("a.md", "Text.\n\n    %s\n" % line)
        self.expect("a.md", "A [link](https://%s) and more.\n" % ("x" * 100))
        self.expect("a.h", "// %s\n" % line)


if __name__ == "__main__":
    unittest.main()
