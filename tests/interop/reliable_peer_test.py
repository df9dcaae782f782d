#!/usr/bin/python3
"""A peer that was written from docs/session.md exchanges envelopes with a node."""

import collections
import json
import os
import random
import re
import signal
import tempfile
import threading
import time
import unittest
from dataclasses import replace

from cutting_proxy import CuttingProxy
from programs.program import SECONDS, Program
from reliable_peer import WINDOW_BYTES, Peer, Session
from wire import *

NODE = "programs/node"
NODE_ID, PEER_ID = 1, 2
TIMEOUT = 2  # of both sides, for a silent peer
PAYLOAD_BYTES_MAX = 100000
CHUNKED = 40000  # bytes, which take three frames or more
LANE_NAMES = ("urgent", "normal", "bulk")


def kind_of(frame):
    """A frame's kind, as far as its loss makes a difference."""
    if frame.kind == DATA:
        return "data " + ("whole", "first", "middle", "last")[frame.chunk]
    if frame.kind == CONTROL:
        return "control " + ("gap" if frame.flags & GAP else
                             "probe" if frame.flags & ACKNOWLEDGE else "other")
    return {HELLO: "hello", GOODBYE: "goodbye", REFUSAL: "refusal"}[frame.kind]


class LossyPeer(Peer):
    """Loses each `every`-th frame of a kind, and the next of each kind in `loses`, both ways."""

    def __init__(self, session, every, loses):
        super().__init__(session)
        self.every, self.loses = every, set(loses)
        self.seen = collections.Counter()
        self.deaf = False

    def hear(self, data):
        if not self.deaf and not self._lost("in " + kind_of(Frame.decode(data))):
            super().hear(data)

    def say(self, frame):
        if not self._lost("out " + kind_of(frame)):
            super().say(frame)

    def _lost(self, kind):
        self.seen[kind] += 1
        if kind in self.loses:
            self.loses.remove(kind)
            return True
        return bool(self.every) and self.seen[kind] % self.every == 0


def load(name, count):
    """Numbered (lane, text): small ones in the urgent and normal lane, and large ones in bulk."""
    items = []
    for i in range(count):
        lane = BULK if i % 250 == 7 else URGENT if i % 5 == 0 else NORMAL
        size = CHUNKED if lane == BULK else 20 + i % 200
        items.append((lane, "%s%d %s" % (name, i, "x" * size)))
    return items


def by_lane(items):
    return [[text for each, text in items if each == lane] for lane in LANES]


def example(path, name):
    """The bytes of an example in a document."""
    with open(path, encoding="utf-8") as file:
        block = re.search("^```hex %s\n(.*?)^```" % name, file.read(), re.DOTALL | re.MULTILINE)
    lines = [line.partition("#")[0].split()[1:] for line in block[1].splitlines()]
    return bytes.fromhex("".join(sum(lines, [])))


class WireTest(unittest.TestCase):
    def test_frames_are_as_in_the_documents(self):
        for path, name in (("docs/wire-format.md", "frame"), ("docs/wire-format.md", "goodbye"),
                           ("docs/session.md", "control")):
            data = example(path, name)
            self.assertEqual(Frame.decode(data).encode(), data, name)

    def test_records_are_as_in_the_document(self):
        first, second, third = decode_records(
            Frame.decode(example("docs/wire-format.md", "frame")).body)
        self.assertEqual(first, Envelope(b"hello", NORMAL, pid=2, type=2, term=7, voted=True,
                                         sender=1, incarnation=0x1122334455667788, sequence=300))
        self.assertEqual(second, replace(first, payload=b"again", sequence=301))
        self.assertEqual(third, replace(second, payload=b"new", sequence=302, pid=BROADCAST,
                                        term=8, voted=False))
        self.assertTrue(example("docs/wire-format.md", "standalone").endswith(first.encode()))

    def test_entries_are_as_in_the_document(self):
        for name, entries in (("hello", HELLO_ENTRIES), ("refusal", REFUSAL_ENTRIES)):
            data = example("docs/wire-format.md", name)
            self.assertEqual(encode_entries(entries, decode_entries(entries, data)), data, name)


class ReliablePeerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(folder.cleanup)
        self.typing = []
        self.addCleanup(lambda: [thread.join() for thread in self.typing])
        self.addCleanup(Program.kill_all)
        self.config = os.path.join(folder.name, "config.json")

    def start(self, cuts=0, **peer):
        """A node, the peer, and a proxy before each of them."""
        dice = random.Random(23)
        self.to_node, self.to_peer = proxies = [
            CuttingProxy([dice.randrange(60000) for _ in range(cuts // 2)]) for _ in range(2)]
        for proxy in proxies:
            self.addCleanup(proxy.close)
        self.start_node()
        self.start_peer(**peer)

    def start_node(self):
        self.write_config()
        self.node = Program([NODE, "--config=" + self.config, str(NODE_ID)])
        self.to_node.point(self.node.expect(r"^server 1 at (.+)$")[1])

    def write_config(self, **keys):
        with open(self.config, "w") as file:
            json.dump({
                "cluster": "test", "transport": "zmq", "codec": "binary", "delivery": "reliable",
                "frame_bytes": 4096, "inflight_bytes": 65536, "window_bytes": 262144,
                "payload_bytes_max": PAYLOAD_BYTES_MAX,
                "heartbeat_ms": 500, "peer_timeout_ms": TIMEOUT * 1000, "linger_ms": 1000,
                "servers": [{"id": NODE_ID, "address": "127.0.0.1:0"},
                            {"id": PEER_ID, "address": self.to_peer.address}], **keys}, file)

    def start_peer(self, cluster="test", every=0, loses=()):
        self.peer = LossyPeer(Session(PEER_ID, NODE_ID, cluster, timeout=TIMEOUT), every, loses)
        self.addCleanup(self.peer.close)
        self.session = self.peer.session
        self.taken = []
        self.to_peer.point(self.peer.address())
        self.peer.dial(self.to_node.address)

    def until(self, condition, takes=True):
        """Lets the peer go on until the condition holds."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            if time.monotonic() > deadline:
                self.fail("in vain: %s, seen %s" % (self.session.events, self.peer.seen))
            self.peer.turn()
            while takes and (envelope := self.session.take()):
                self.taken.append((envelope.lane, envelope.payload.decode()))

    def type(self, items):
        """Types the load into the node, on a thread: the node reads as it has room."""
        text = "".join("%d --lane=%s %s\n" % (PEER_ID, LANE_NAMES[lane], text)
                       for lane, text in items)
        self.typing.append(threading.Thread(target=self.node.say_bytes, args=(text.encode(),)))
        self.typing[-1].start()

    def send(self, items):
        for lane, text in items:
            self.session.send(text.encode(), lane)

    def printed(self, count):
        """The next envelopes that the node delivers."""
        return [arrival(self.node.expect("^<- ").string) for _ in range(count)]

    def assert_continues(self, items, first, second):
        """Of each lane, one life got a prefix and the next one the rest, or a bit more."""
        for want, before, after in zip(by_lane(items), by_lane(first), by_lane(second)):
            self.assertEqual(before, want[:len(before)])
            self.assertEqual(after, want[len(want) - len(after):])
            self.assertGreaterEqual(len(before) + len(after), len(want))

    def test_delivers_all_once_and_in_order_under_cuts_and_losses(self):
        self.start(cuts=40, every=20)
        to_node, to_peer = load("p", 10000), load("n", 10000)
        self.type(to_peer)
        self.send(to_node)
        self.until(lambda: len(self.taken) >= 10000 and self.session.sender.settled())
        self.assertEqual(by_lane(self.printed(10000)), by_lane(to_node))
        self.assertEqual(by_lane(self.taken), by_lane(to_peer))
        self.assertEqual(self.to_node.cuts + self.to_peer.cuts, [])
        self.assertEqual(self.session.events.count("session"), 1)

    def test_each_kind_of_frame_may_be_lost(self):
        self.start(loses={direction + kind for direction in ("in ", "out ") for kind in (
            "hello", "data whole", "data first", "data middle", "data last", "control gap",
            "control probe", "control other")})
        sent = []
        while self.peer.loses:
            self.assertLess(len(sent), 40, self.peer.loses)
            for text in ("small %d" % len(sent), "x" * CHUNKED):
                sent.append((NORMAL, text))
                # A single frame that is lost shows no gap: its sender has to ask.
                self.peer.loses.add("out data whole")
                self.send(sent[-1:])
                self.until(self.session.sender.settled)
                self.peer.loses.add("in data whole")
                self.type(sent[-1:])
                self.until(lambda: len(self.taken) == len(sent))
            self.peer.loses -= {"out data whole", "in data whole"}
        self.assertEqual(self.printed(len(sent)), sent)
        self.assertEqual(self.taken, sent)

    def test_a_new_life_of_the_node_gets_the_rest(self):
        self.start()
        items = load("p", 4000)
        self.send(items)
        self.until(lambda: self.session.sender.consumed > 0)
        self.assertFalse(self.session.sender.settled())
        self.node.process.kill()
        self.node.wait()
        first = [arrival(line) for line in self.node.rest() if line.startswith("<- ")]
        self.start_node()
        answer = load("n", 100)
        self.type(answer)
        self.until(lambda: self.session.sender.settled() and len(self.taken) == len(answer))
        self.assertIn("restarted", self.session.events)
        self.node.say("quit")
        self.node.wait()
        second = [arrival(line) for line in self.node.rest() if line.startswith("<- ")]
        self.assert_continues(items, first, second)
        self.assertEqual(by_lane(self.taken), by_lane(answer))

    def test_a_new_life_of_the_peer_gets_the_rest(self):
        self.start()
        items = load("n", 4000)
        self.type(items)
        self.until(lambda: self.taken)
        first = self.taken
        self.peer.close()
        self.start_peer()
        answer = load("p", 100)
        self.send(answer)
        lasts = {(lane, texts[-1]) for lane, texts in enumerate(by_lane(items))}
        self.until(lambda: lasts <= set(self.taken) and self.session.sender.settled())
        self.node.expect("^-- peer 2 restarted: it is another process")
        self.assertEqual(by_lane(self.printed(len(answer))), by_lane(answer))
        self.assertLess(len(first), len(items))
        self.assert_continues(items, first, self.taken)

    def test_a_new_session_of_the_same_lives_repeats_nothing(self):
        self.start()
        items = load("n", 4000)
        self.type(items)
        self.until(lambda: self.session.receiver.inbox, takes=False)
        self.session.end("a test")
        lasts = {(lane, texts[-1]) for lane, texts in enumerate(by_lane(items))}
        self.until(lambda: lasts <= set(self.taken))
        event = self.node.expect("^-- peer 2 restarted: a new session with the same process "
                                 r"\((\d+) of unknown fate, 0 sent again\)")
        missing = set(items) - set(self.taken)
        self.assertLessEqual(len(missing), int(event[1]))
        arrived = [item for item in items if item not in missing]
        self.assertEqual(by_lane(self.taken), by_lane(arrived))

    def test_urgent_envelopes_overtake_bulk(self):
        self.start()
        bulk = [(BULK, "%d %s" % (i, "x" * CHUNKED)) for i in range(20)]  # windows hold six
        urgent = [(URGENT, "urgent")]
        self.type(bulk + urgent)
        self.until(lambda: any(envelope.lane == URGENT
                               for _, envelope in self.session.receiver.inbox), takes=False)
        self.send(bulk)
        self.until(lambda: self.session.sender.transmitted > 0, takes=False)
        self.send(urgent)
        self.until(lambda: self.session.sender.settled() and len(self.taken) == len(bulk + urgent))
        for got in self.taken, self.printed(len(bulk + urgent)):
            self.assertLess(got.index(urgent[0]), len(bulk))
            self.assertEqual(by_lane(got), by_lane(bulk + urgent))

    def test_the_window_is_filled_and_not_overrun(self):
        self.start()
        items = [(URGENT, "%d %s" % (i, "x" * 100)) for i in range(5000)]
        self.type(items)
        # A frame of the node has 4096 bytes, and a little more for the fields of its records.
        self.until(lambda: self.session.receiver.used() > WINDOW_BYTES - 5000, takes=False)
        self.send([(URGENT, "and back")])
        self.until(self.session.sender.settled, takes=False)
        self.until(lambda: len(self.taken) == len(items))
        self.assertEqual(self.taken, items)
        self.assertEqual(self.session.events, ["session", "up"])

    def test_a_peer_without_the_feature_gets_no_other_times(self):
        self.start()
        self.until(lambda: self.session.up)
        self.node.expect("^-- peer 2 up")
        self.write_config(heartbeat_ms=400, linger_ms=5)
        self.node.process.send_signal(signal.SIGHUP)
        self.node.expect(r"^!! .*heartbeat_ms.*: server 2 runs a release that takes no other times")
        self.write_config(linger_ms=5)
        self.node.process.send_signal(signal.SIGHUP)
        self.node.expect("^-- linger_ms: 1000 -> 5$")
        self.node.expect("^-- config applied, 1 change$")

    def test_says_goodbye_and_hears_it(self):
        self.start()
        self.until(lambda: self.session.up)
        self.session.goodbye = 1
        self.peer.turn()
        self.peer.close(linger=SECONDS)  # at most: until it is sent
        self.node.expect("^-- peer 2 down: it stopped")
        self.start_peer()
        self.until(lambda: self.session.up)
        # In the session of its last life the peer would not hear a goodbye.
        self.node.expect("^-- peer 2 up: new session")
        self.node.say("quit")
        self.until(lambda: "down: it stopped" in self.session.events)

    def test_a_lost_goodbye_is_silence(self):
        self.start(loses={"out goodbye"})
        self.until(lambda: self.session.up)
        self.session.goodbye = 1
        self.peer.turn()
        self.node.expect("^-- peer 2 down: not heard for 2s")

    def test_a_refusal_is_repeated_and_believed(self):
        self.start(cluster="other", loses={"in refusal"})
        self.until(lambda: any("refused" in event for event in self.session.events))
        self.assertEqual(self.session.events,
                         ['refused: wrong cluster: server 1 is of "test", server 2 of "other"'])
        self.assertEqual(self.peer.seen["in refusal"], 2)

    def test_one_way_deafness_is_down_on_both_sides_and_ends_no_session(self):
        self.start()
        self.until(lambda: self.session.up)
        session = self.session.id
        self.peer.deaf = True
        self.until(lambda: not self.session.up)
        self.node.expect("^-- peer 2 down: it does not hear this server")
        self.peer.deaf = False
        self.send([(NORMAL, "still here")])
        self.until(lambda: self.session.sender.settled() and self.session.up)
        self.node.expect("^-- peer 2 up: heard again")
        self.assertEqual(self.session.id, session)

    def data(self, body, **fields):
        """Puts a data frame into the session, to be sent next."""
        fields = {"codec": BINARY, "records": 1, **fields}
        sender = self.session.sender
        sender.last += 1
        sender.sent.append((Frame(DATA, body=body, sequence=sender.last, **fields), []))

    def control(self, **fields):
        """Sends a control frame with these fields."""
        frame = self.session.control()
        vars(frame).update(fields)
        self.peer.say(frame)

    def assert_fate(self, ends, name, act):
        """Whether the session ends after `act`, which breaks a rule or only looks like it."""
        with self.subTest(name):
            self.until(lambda: self.session.id and self.session.sender.settled())
            session = self.session.id
            act()
            self.send([(NORMAL, "the next one")])
            if ends:
                self.until(lambda: self.session.id not in (0, session))
            else:
                self.until(self.session.sender.settled)
                self.assertEqual(self.session.id, session)

    def test_what_ends_a_session(self):
        self.start()

        def record(payload=b"odd", **fields):
            fields = {"pid": NODE_ID, "sender": PEER_ID, "incarnation": 1, **fields}
            return Envelope(payload, **fields).encode()

        whole = record()
        head, tail, total = whole[:9], whole[9:], {"chunk_total": len(whole)}
        first, last = {"chunk": FIRST, **total}, {"chunk": LAST, "records": 0, **total}
        for ends, name, *frames in (
                (True, "a record for another pid", (record(pid=3), {})),
                (True, "a record in another's name", (record(sender=3), {})),
                (True, "a wrong number of records", (whole, {"records": 2})),
                (True, "bytes that are no record", (b"\xff", {})),
                (True, "a first record that is not full", (b"\x00\x00", {})),
                (True, "an unknown codec", (whole, {"codec": 77})),
                (True, "a payload over the limit", (record(bytes(PAYLOAD_BYTES_MAX + 1)), {})),
                (True, "a chunk that claims too much",
                 (head, {**first, "chunk_total": 2 * PAYLOAD_BYTES_MAX})),
                (True, "whole records amid chunks", (head, first), (whole, {})),
                (True, "chunks of different totals", (head, first),
                 (tail, {**last, "chunk_total": len(whole) + 1})),
                (True, "a last chunk alone", (tail, last)),
                (False, "a foreign incarnation", (record(incarnation=7), {})),
                (False, "a message id that came before", (whole, {}), (whole, {})),
                (False, "a record of another lane than its frame's", (whole, {"lane": BULK})),
                (False, "no records", (b"", {"records": 0})),
                (False, "chunks of two lanes", (head, first), (head, {"lane": BULK, **first}),
                 (tail, last), (tail, {"lane": BULK, **last})),
                (False, "whole records amid the chunks of another lane", (head, first),
                 (whole, {"lane": URGENT}), (tail, last))):
            self.assert_fate(ends, name, lambda: [self.data(body, **fields)
                                                  for body, fields in frames])
        for ends, name, fields in (
                (True, "it is received, but was never sent", {"received_through": 10 ** 9}),
                (True, "it is consumed, but not received",
                 {"received_through": 0, "consumed_through": 1}),
                (False, "another destination", {"destination": 9}),
                (False, "another session", {"session": 9}),
                (False, "another version", {"version": 3}),
                (False, "a sender that is no member", {"sender": 9}),
                (False, "an unknown flag", {"flags": 32 | HEARS_YOU}),
                (False, "a flag of a feature that the session lacks", {"flags": 16 | HEARS_YOU}),
                (False, "an old stamp", {"stamp": 0, "flags": 0}),
                (False, "a gap", {"sequence": 10 ** 9, "flags": HEARS_YOU}),
                (False, "any lane", {"lane": BULK})):
            self.assert_fate(ends, name, lambda: self.control(**fields))
        self.node.say("quit")
        self.until(lambda: "down: it stopped" in self.session.events)
        self.node.wait()
        self.assertNotIn("-- peer 2 down: it does not hear this server", self.node.rest())


def arrival(line):
    """The lane and payload of an envelope that the node printed."""
    match = re.match(r"<- 2 AppendEntriesRequest term 0( urgent| bulk)?: (.*)$", line)
    return {None: NORMAL, " urgent": URGENT, " bulk": BULK}[match[1]], match[2]


if __name__ == "__main__":
    unittest.main()
