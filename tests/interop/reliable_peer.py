"""A server of the reliable delivery in Python, written from docs/session.md and wire-format.md.

    peer = Peer(Session(own_id=2, peer_id=1, cluster="demo"), "127.0.0.1:10002")
    peer.dial("127.0.0.1:10001")
    peer.session.send(b"hello")
    while True:
        peer.turn()
        envelope = peer.session.take()  # or None
"""

import collections
import math
import os
import time

import zmq

from wire import *

WINDOW_BYTES = 256 << 10
FRAME_BYTES = 4096  # of the bodies that this peer makes
FRAME_BYTES_MAX = 17 << 20
PAYLOAD_BYTES_MAX = 1 << 20
CHARGE = 256  # of a frame to the window, beside its body
ACKNOWLEDGE_DELAY = 0.02  # seconds, as all times
NEVER = math.inf


def fresh_random():
    return int.from_bytes(os.urandom(8), "little") | 1


class Repeat:
    """When to do something again: after `first`, and then after twice as long up to `most`."""

    def __init__(self, first, most):
        self.first, self.most = first, most
        self.stop()

    def stop(self):
        self.at, self.interval = NEVER, self.first

    def start(self, now):
        """From now on anew."""
        self.at, self.interval = now + self.first, 2 * self.first

    def done(self, now):
        self.at = now + self.interval
        self.interval = min(2 * self.interval, self.most)


class Sender:
    """The data frames of this side."""

    def __init__(self):
        # Envelopes that wait, by lane, each with its record.
        self.waiting = [collections.deque() for _ in LANES]
        self.begin()

    def begin(self):
        """A new session."""
        self.sent = collections.deque()  # from consumed + 1 to last: (frame, its envelopes)
        self.last = self.transmitted = self.received = self.consumed = 0
        self.cut = [0] * len(LANES)  # the bytes of the first waiting record that went in chunks
        self.probe = Repeat(0.2, 2)
        self.forget_gaps()

    def add(self, envelope):
        self.waiting[envelope.lane].append((envelope, envelope.encode()))

    def put_back(self):
        """What was transmitted and not consumed is to be sent first, in the next session."""
        for _, envelopes in reversed(self.sent):
            for envelope in reversed(envelopes):
                self.waiting[envelope.lane].appendleft((envelope, envelope.encode()))

    def settled(self):
        return not self.sent and not any(self.waiting)

    def acknowledge(self, received, consumed, now):
        """False: that was never sent."""
        if not consumed <= received <= self.last:
            return False
        if received > self.received:
            self.received = received
            self.transmitted = max(self.transmitted, received)
            self.forget_gaps()
            self.probe.start(now)
        if self.transmitted == self.received:
            self.probe.stop()
        while self.consumed < consumed:
            self.sent.popleft()
            self.consumed += 1
        return True

    def go_back(self, now):
        """At once; then, until something new arrives, after a while and with a single frame."""
        if now < self.gap.at < NEVER:
            return
        self.alone = self.gap.at < NEVER
        self.gap.done(now)
        self.transmitted = self.received

    def forget_gaps(self):
        self.gap, self.alone = Repeat(0.05, 2), False

    def next(self, window, now):
        """The next frame, or None: one that is sent again before any new one."""
        if self.alone and self.transmitted > self.received:
            return None
        if self.transmitted == self.last and not self._make(window):
            return None
        if self.transmitted == self.received:
            self.probe.start(now)
        self.transmitted += 1
        return self.sent[self.transmitted - self.consumed - 1][0]

    def _make(self, window):
        """Makes a frame of the most urgent records, if the window has room for it."""
        used = sum(len(frame.body) + CHARGE for frame, _ in self.sent)
        for lane in LANES:
            if not self.waiting[lane]:
                continue
            fields, count = self._chunk(lane) or self._batch(lane)
            # A part of the window is kept for the lanes that are more urgent.
            room = window - window * lane // 16 - used
            if self.sent and len(fields["body"]) + CHARGE > room:
                continue
            if fields.get("chunk") in (FIRST, MIDDLE):
                self.cut[lane] += len(fields["body"])
            else:
                self.cut[lane] = 0
            self.last += 1
            self.sent.append((Frame(DATA, sequence=self.last, codec=BINARY, lane=lane, **fields),
                              [self.waiting[lane].popleft()[0] for _ in range(count)]))
            return True
        return False

    def _batch(self, lane):
        """The body of the next frame, and how many envelopes end in it."""
        body, count = b"", 0
        for _, record in self.waiting[lane]:
            if len(body) + len(record) > FRAME_BYTES:
                break
            body += record
            count += 1
        return {"body": body, "records": count}, count

    def _chunk(self, lane):
        """The same of a record that is too large for a frame."""
        record, begin = self.waiting[lane][0][1], self.cut[lane]
        end = min(begin + FRAME_BYTES, len(record))
        if len(record) <= FRAME_BYTES:
            return None
        chunk = FIRST if begin == 0 else LAST if end == len(record) else MIDDLE
        return ({"body": record[begin:end], "records": int(chunk == FIRST), "chunk": chunk,
                 "chunk_total": len(record)}, int(chunk == LAST))


class Receiver:
    """The data frames of the other side."""

    def __init__(self, own_id, peer_id):
        self.own_id, self.peer_id = own_id, peer_id
        self.inbox = ()
        self.begin()

    def begin(self):
        """A new session."""
        # What the application has not taken: (sequence, envelope), 0 for an earlier session's.
        self.inbox = collections.deque((0, envelope) for _, envelope in self.inbox)
        self.received = self.tell_consumed = 0
        self.charges = collections.deque()  # of frames that are not consumed: (sequence, charge)
        self.untold = 0  # bytes that were consumed since the last acknowledgement
        self.parts = [None] * len(LANES)  # of records that come in chunks
        self.gap_due = self.gap_told = False
        self.answer_at = NEVER  # when to acknowledge at the latest

    def consumed(self):
        return next((sequence for sequence, _ in self.inbox if sequence), self.received + 1) - 1

    def used(self):
        """The bytes of the window that are in use."""
        return sum(charge for _, charge in self.charges)

    def take(self, now):
        """The next envelope, or None."""
        if not self.inbox:
            return None
        envelope = self.inbox.popleft()[1]
        self.settle(now)
        return envelope

    def settle(self, now):
        """Gives the room of consumed frames back."""
        consumed = self.consumed()
        while self.charges and self.charges[0][0] <= consumed:
            self.untold += self.charges.popleft()[1]
            self.answer_by(now + ACKNOWLEDGE_DELAY)
        if self.untold >= WINDOW_BYTES // 4 or 0 < self.tell_consumed <= consumed:
            self.tell_consumed = 0
            self.answer_by(now)

    def answer_by(self, when):
        self.answer_at = min(self.answer_at, when)

    def answered(self):
        self.answer_at, self.gap_due, self.untold = NEVER, False, 0

    def miss(self, now):
        self.gap_due = True
        self.answer_by(now)

    def hear(self, frame, now):
        """Takes the next frame. Malformed: it breaks the session."""
        if frame.sequence <= self.received:
            return self.answer_by(now)
        if frame.sequence > self.received + 1:
            if not self.gap_told:
                self.gap_told = True
                self.miss(now)
            return
        self.gap_told = False
        charge = len(frame.body) + CHARGE
        need(not self.charges or self.used() + charge <= WINDOW_BYTES, "more than the window")
        self.received = frame.sequence
        self.charges.append((frame.sequence, charge))
        self.answer_by(now + ACKNOWLEDGE_DELAY)
        body, records = self._whole(frame)
        envelopes = decode_records(body)
        need(len(envelopes) == records, "the number of records")
        for envelope in envelopes:
            need(envelope.sender == self.peer_id, "a record in another's name")
            need(envelope.pid in (self.own_id, BROADCAST), "a record for another server")
            need(len(envelope.payload) <= PAYLOAD_BYTES_MAX, "a payload over the limit")
            self.inbox.append((frame.sequence, envelope))
        self.settle(now)

    def _whole(self, frame):
        """The frame's records and their number; none before the last chunk."""
        need(frame.codec == BINARY, "an unknown codec")
        part = self.parts[frame.lane]
        need((part is None) == (frame.chunk in (WHOLE, FIRST)), "chunks in disorder")
        if frame.chunk == WHOLE:
            return frame.body, frame.records
        total, part = part or (frame.chunk_total, b"")
        part += frame.body
        need(frame.body and total == frame.chunk_total, "chunks that contradict each other")
        need(total <= PAYLOAD_BYTES_MAX * 4 // 3 + 4096, "a record over the limit")
        need((frame.chunk == LAST) == (len(part) == total), "chunks that make no record")
        self.parts[frame.lane] = None if frame.chunk == LAST else (total, part)
        return (part, 1) if frame.chunk == LAST else (b"", 0)


class Session:
    """All that this side knows of its peer, without I/O: `hear` takes frames, `due` makes them."""

    def __init__(self, own_id, peer_id, cluster, heartbeat=0.5, timeout=5):
        self.own_id, self.peer_id, self.cluster = own_id, peer_id, cluster
        self.heartbeat, self.timeout = heartbeat, timeout
        self.sender, self.receiver = Sender(), Receiver(own_id, peer_id)
        self.events = []
        self.now = 0
        self.incarnation, self.message = fresh_random(), 0
        # The agreement.
        self.id = 0
        self.peer = {"incarnation": 0}  # the hello that won last
        self.epoch, self.nonce = fresh_random(), fresh_random()
        self.heard_nonce = self.heard_epoch = self.echoed_nonce = 0
        self.greet = Repeat(0.05, 1)
        self.reply_due, self.reply_after = True, 0
        # Signs of life.
        self.stamp = self.heard_stamp = 0
        self.hears = self.up = False  # whether the peer's frames come here, and ours there
        self.heard_at = self.said_at = 0
        self.goodbye = None  # the reason to say; 0 once it is said

    # --- the application's side ---

    def send(self, payload, lane=NORMAL, **fields):
        self.message += 1
        self.sender.add(Envelope(payload, lane, **{
            "pid": self.peer_id, "sender": self.own_id, "incarnation": self.incarnation,
            "sequence": self.message, **fields}))

    def take(self):
        return self.receiver.take(self.now)

    # --- hearing ---

    def hear(self, data, now):
        """Malformed: the frame counts for nothing."""
        self.now = now
        frame = Frame.decode(data)
        if (frame.sender, frame.destination) != (self.peer_id, self.own_id):
            return
        if frame.kind == HELLO:
            self._hear_hello(frame.session, decode_entries(HELLO_ENTRIES, frame.body))
        elif frame.kind == REFUSAL:
            refusal = decode_entries(REFUSAL_ENTRIES, frame.body)
            if refusal["echo_nonce"] == self.nonce:
                self.events.append("refused: " + refusal["text"])
        elif not self.id or frame.session != self.id:
            self.reply_due = True
        else:
            try:
                self._hear_of_session(frame)
            except Malformed as why:
                self.end(str(why))

    def _hear_hello(self, session, hello):
        if hello["cluster"] != self.cluster or not (
                hello["version_min"] <= VERSION <= hello["version_max"]):
            return
        need(hello["window_bytes"] and hello["frame_bytes_max"] and hello["payload_bytes_max"],
             "a hello without limits")
        self.heard_nonce, self.heard_epoch = hello["nonce"], hello["epoch"]
        echo = hello["echo_nonce"], hello["echo_epoch"]
        if echo == (self.nonce, self.epoch) and hello["epoch"] != self.epoch:
            self.nonce = fresh_random()
            self._heard()
            before, self.peer = self.peer, hello
            if self.id != self.epoch ^ hello["epoch"]:
                self.id = self.epoch ^ hello["epoch"]
                self._begin(restarted=before["incarnation"] not in (0, hello["incarnation"]))
        if session != self.id or not self.id:
            self.reply_due = True
            if hello["nonce"] != self.echoed_nonce:
                self.reply_after = 0

    def _begin(self, restarted):
        if restarted:  # else the same process may have taken them already
            self.sender.put_back()
        self.sender.begin()
        self.receiver.begin()
        self.receiver.answer_by(self.now)
        self.stamp = self.heard_stamp = 0
        self.greet.stop()
        self._set_up(False, "a new session begins")
        self.events.append("restarted" if restarted else "session")
        self._set_up(True)

    def end(self, why):
        """Ends the session. Hellos begin another one."""
        self._set_up(False, why)
        self.id = 0
        self.epoch, self.nonce = fresh_random(), fresh_random()
        self.reply_due = True

    def _hear_of_session(self, frame):
        need(self.sender.acknowledge(frame.received_through, frame.consumed_through, self.now),
             "an acknowledgement of what was never sent")
        if 0 < (frame.stamp - self.heard_stamp) % 2**32 < 2**31:
            self.heard_stamp = frame.stamp
            self._hear_fresh(frame)
        if frame.kind == DATA:
            self.receiver.hear(frame, self.now)
        if frame.flags & ACKNOWLEDGE:
            self.receiver.answer_by(self.now)

    def _hear_fresh(self, frame):
        self._heard()
        if frame.kind == GOODBYE:
            reason = decode_entries(GOODBYE_ENTRIES, frame.body)["reason"]
            return self._set_up(False, {1: "it stopped", 2: "it removed us"}.get(reason, "it left"))
        self._set_up(bool(frame.flags & HEARS_YOU), "it does not hear us")
        if frame.flags & GAP:
            self.sender.go_back(self.now)
        if frame.flags & TELL_CONSUMED:
            self.receiver.tell_consumed = frame.sequence
            self.receiver.settle(self.now)
        if frame.kind == CONTROL and frame.sequence > self.receiver.received:
            self.receiver.miss(self.now)

    def _heard(self):
        self.heard_at = self.now
        if not self.hears:
            self.hears = True
            self.receiver.answer_by(self.now)

    def _set_up(self, up, why=""):
        if self.up != up:
            self.up = up
            self.events.append("up" if up else "down: " + why)

    # --- saying ---

    def due(self, now):
        """Makes the frames that are to be sent now."""
        self.now = now
        if self.hears and now - self.heard_at > self.timeout:
            self.hears = False
            self.receiver.answer_by(now)
            self._set_up(False, "not heard")
        if self.goodbye == 0:
            return
        if now >= self.greet.at or (self.reply_due and now >= self.reply_after):
            yield self._hello()
        if not self.id:
            return
        if self.goodbye:
            yield self._of_session(Frame(GOODBYE, body=encode_entries(
                GOODBYE_ENTRIES, {"reason": self.goodbye})))
            self.goodbye = 0
            return
        while frame := self.sender.next(self.peer["window_bytes"], now):
            frame.flags = ACKNOWLEDGE
            yield self._of_session(frame)
        probes = now >= self.sender.probe.at
        if probes or now >= self.receiver.answer_at or now - self.said_at >= self.heartbeat:
            yield self.control(ACKNOWLEDGE if probes else 0)
            if probes:
                self.sender.probe.done(now)

    def control(self, flags=0):
        return self._of_session(Frame(CONTROL, flags=flags, sequence=self.sender.transmitted))

    def _of_session(self, frame):
        self.stamp += 1
        frame.stamp = self.stamp % 2**32
        frame.received_through = self.receiver.received
        frame.consumed_through = self.receiver.consumed()
        if frame.kind != GOODBYE:
            frame.flags |= (HEARS_YOU * self.hears) | (GAP * self.receiver.gap_due)
            self.receiver.answered()
        return self._addressed(frame)

    def _hello(self):
        self.reply_due, self.reply_after = False, self.now + self.greet.first
        self.echoed_nonce = self.heard_nonce
        if not self.id:
            self.greet.done(self.now)
        return self._addressed(Frame(HELLO, body=encode_entries(HELLO_ENTRIES, {
            "version_min": VERSION, "version_max": VERSION, "incarnation": self.incarnation,
            "epoch": self.epoch, "nonce": self.nonce, "echo_nonce": self.heard_nonce,
            "echo_epoch": self.heard_epoch, "window_bytes": WINDOW_BYTES,
            "frame_bytes_max": FRAME_BYTES_MAX, "payload_bytes_max": PAYLOAD_BYTES_MAX,
            "codec": BINARY, "cluster": self.cluster, "heartbeat_ms": int(1000 * self.heartbeat),
            "peer_timeout_ms": int(1000 * self.timeout)})))

    def _addressed(self, frame):
        frame.sender, frame.destination, frame.session = self.own_id, self.peer_id, self.id
        self.said_at = self.now
        return frame


class Peer:
    """A session over ZeroMQ."""

    def __init__(self, session, listen="127.0.0.1:*"):
        self.session = session
        self.context = zmq.Context()
        self.inbound = self.context.socket(zmq.PULL)
        self.inbound.bind("tcp://" + listen)
        self.outbound = self.context.socket(zmq.PUSH)
        self.outbound.setsockopt(zmq.RECONNECT_IVL, 10)

    def address(self):
        return self.inbound.LAST_ENDPOINT.decode()[len("tcp://"):]

    def dial(self, address):
        self.outbound.connect("tcp://" + address)

    def turn(self, wait=0.01):
        """Takes the frames that come within `wait` seconds, and says what is due."""
        if self.inbound.poll(int(1000 * wait)):
            while self.inbound.poll(0):
                self.hear(b"".join(self.inbound.recv_multipart()))
        for frame in self.session.due(time.monotonic()):
            self.say(frame)

    def hear(self, data):
        try:
            self.session.hear(data, time.monotonic())
        except Malformed:
            pass

    def say(self, frame):
        try:
            self.outbound.send(frame.encode(), zmq.NOBLOCK)
        except zmq.Again:
            pass  # lost, as if a connection had broken

    def close(self, linger=0):
        self.context.destroy(int(1000 * linger))
