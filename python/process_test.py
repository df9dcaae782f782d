#!/usr/bin/python3
"""cluster.Server as processes end, fork and get signals; and the search for the library."""

import os
import signal
import subprocess
import sys
import unittest

from testing.servers import SECONDS

HEAD = """
import os, sys, threading, time
import cluster
from testing.servers import config
one = cluster.Server(1, config(os.environ["TEST_TRANSPORT"], 1))
"""


def start(program, **environment):
    return subprocess.Popen(
        [sys.executable, "-W", "error::ResourceWarning", "-c", program], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        env={**os.environ, "TEST_TRANSPORT": "memory", **environment})


def run(program, **environment):
    """The program's exit code, standard output and errors."""
    with start(program, **environment) as process:
        try:
            output, errors = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return process.returncode, output, errors


class ExitTest(unittest.TestCase):
    def test_a_live_server_does_not_hold_up_the_exit(self):
        for transport in ("memory", "zmq", "nng", "tcp"):
            with self.subTest(transport=transport):
                self.assertEqual(run(HEAD + "one.start()", TEST_TRANSPORT=transport), (0, "", ""))

    def test_a_daemon_thread_in_receive_does_not_hold_up_the_exit(self):
        self.assertEqual(run(HEAD + """
one.start()
threading.Thread(target=list, args=(one,), daemon=True).start()
"""), (0, "", ""))

    def test_handlers_run_up_to_the_exit_and_not_beyond(self):
        self.assertEqual(run(HEAD + """
begun = threading.Event()
@one.on_envelope
def handle(envelope):
    begun.set()
    try:
        one.send(envelope)
    except cluster.CancelledError:
        pass  # the exit has stopped it
one.start()
for _ in range(100):
    one.send(cluster.Envelope(1))
begun.wait()
"""), (0, "", ""))

    def test_an_exit_code_and_a_traceback_stay_as_they_are(self):
        code, _, errors = run(HEAD + "one.start()\nraise RuntimeError('of the program')")
        self.assertEqual(code, 1)
        self.assertTrue(errors.endswith("RuntimeError: of the program\n"), errors)
        self.assertEqual(run(HEAD + "one.start()\nsys.exit(7)"), (7, "", ""))


class SignalTest(unittest.TestCase):
    def test_an_interrupt_ends_a_receive_in_the_main_thread(self):
        for call in ("one.receive()", "one.receive(3600)", "list(one)"):
            with self.subTest(call=call), start(HEAD + """
one.start()
try:
    print("ready", flush=True)
    %s
except KeyboardInterrupt:
    print("interrupted")
""" % call) as process:
                self.addCleanup(process.kill)
                self.assertEqual(process.stdout.readline(), "ready\n")
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.communicate(timeout=SECONDS), ("interrupted\n", ""))


class ForkTest(unittest.TestCase):
    def test_a_child_of_fork_gets_errors_and_leaves_the_parent_alone(self):
        for transport in ("memory", "zmq", "nng", "tcp"):
            with self.subTest(transport=transport):
                # Newer Pythons warn of each fork beside threads.
                self.assertEqual(run(HEAD + """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
one.start()
child = os.fork()
if child == 0:
    for call in (lambda: one.send(cluster.Envelope(1)), lambda: one.receive(0),
                 lambda: one.flush(1), lambda: one.add_peer(2, "x")):
        try:
            call()
        except cluster.FailedPreconditionError as error:
            assert "fork" in str(error), error
        else:
            os._exit(3)
    sys.exit(5)   # with all that Python does at its end
_, status = os.waitpid(child, 0)
one.send(cluster.Envelope(1, b"alive"))
print(os.waitstatus_to_exitcode(status), one.receive(60).payload)
""", TEST_TRANSPORT=transport), (0, "5 b'alive'\n", ""))

    def test_fork_before_start_works(self):
        self.assertEqual(run(HEAD + """
child = os.fork()
with one:
    one.send(cluster.Envelope(1, b"mine"))
    assert one.receive(60).payload == b"mine"
if child == 0:
    sys.exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""", TEST_TRANSPORT="zmq"), (0, "5\n", ""))


class LibraryTest(unittest.TestCase):
    def import_error(self, library):
        code, _, errors = run("import cluster", CLUSTER_LIBRARY=library)
        self.assertEqual(code, 1, errors)
        return errors.splitlines()[-1]

    def test_a_library_that_is_not_there_is_named_with_what_to_do(self):
        self.assertRegex(self.import_error("/nowhere/libcluster.so"),
                         r"^ImportError: cannot load libcluster.so: /nowhere/libcluster.so: .*"
                         r"Install the package libcluster0, or set CLUSTER_LIBRARY to the path")

    def test_another_library_of_the_name_is_refused(self):
        self.assertRegex(self.import_error("libm.so.6"), r"libm.so.6 has no C API of cluster")

    def test_a_library_of_another_abi_is_refused(self):
        self.assertRegex(self.import_error("python/testing/libother_abi.so"),
                         r"libother_abi.so has version 2.0 of the C API, and this module needs 1.1 "
                         r"or a later 1.x: install the library and the module of one release$")

    def test_the_version_is_the_librarys(self):
        with open("CHANGELOG.md", encoding="utf-8") as file:
            versions = [line.split()[1] for line in file if line.startswith("## ")]
        code, output, _ = run("import cluster; print(cluster.__version__)")
        self.assertEqual((code, output.strip()), (0, versions[versions[0] == "Unreleased"]))


if __name__ == "__main__":
    unittest.main()
