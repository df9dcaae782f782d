"""The bytes of docs/wire-format.md: frames, the entries of hellos, binary records."""

import struct
from dataclasses import dataclass

HELLO, DATA, CONTROL, GOODBYE, REFUSAL = range(1, 6)  # kinds of frames
ACKNOWLEDGE, GAP, HEARS_YOU, TELL_CONSUMED = 1, 2, 4, 8  # flags
URGENT, NORMAL, BULK = LANES = range(3)
WHOLE, FIRST, MIDDLE, LAST = range(4)  # states of chunks
VERSION = 2
BINARY = 1
BROADCAST = -1

HEADER = struct.Struct("<4s4B6I4Q2BHIQ")
LASTING = (HELLO, GOODBYE, REFUSAL)


class Malformed(ValueError):
    """Bytes that the document does not allow."""


def need(condition, what):
    if not condition:
        raise Malformed(what)


def _crc_table():
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        yield crc


_CRC_TABLE = tuple(_crc_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@dataclass
class Frame:
    kind: int
    sender: int = 0
    destination: int = 0
    body: bytes = b""
    session: int = 0
    flags: int = 0
    sequence: int = 0
    received_through: int = 0
    consumed_through: int = 0
    stamp: int = 0
    codec: int = 0
    records: int = 0
    lane: int = NORMAL
    chunk: int = WHOLE
    chunk_total: int = 0
    version: int = VERSION
    body_crc: int = None

    def encode(self):
        if self.body_crc is None:
            self.body_crc = crc32c(self.body)
        fields = [b"CLF1", self.version, self.kind, self.flags, self.codec, 0, self.body_crc,
                  len(self.body), self.records, self.sender, self.destination, self.session,
                  self.sequence, self.received_through, self.consumed_through,
                  self.lane, self.chunk, 0, self.stamp, self.chunk_total]
        fields[5] = crc32c(HEADER.pack(*fields))
        return HEADER.pack(*fields) + self.body

    @staticmethod
    def decode(data):
        need(len(data) >= HEADER.size, "shorter than a header")
        (magic, version, kind, flags, codec, header_crc, body_crc, body_bytes, records, sender,
         destination, session, sequence, received, consumed, lane, chunk, zero, stamp,
         total) = HEADER.unpack_from(data)
        body = data[HEADER.size:]
        need(magic == b"CLF1", "another magic")
        need(crc32c(data[:8] + bytes(4) + data[12:HEADER.size]) == header_crc, "header_crc")
        need(len(body) == body_bytes and crc32c(body) == body_crc, "the body")
        frame = Frame(kind, sender, destination, body, session, received_through=received,
                      consumed_through=consumed, stamp=stamp, version=version, body_crc=body_crc)
        if kind in LASTING:
            return frame
        need(version == VERSION, "another version")
        need(kind in (DATA, CONTROL) and flags < 16 and lane in LANES and zero == 0, "the fields")
        if kind == DATA:
            need(codec and sequence, "a data frame without codec or sequence")
            need(chunk != WHOLE or (total == 0 and records <= body_bytes), "records")
            need(chunk == WHOLE or (total >= body_bytes and records == (chunk == FIRST)), "a chunk")
        else:
            need(codec == records == chunk == total == 0, "a control frame's fields")
        frame.flags, frame.codec, frame.records, frame.sequence = flags, codec, records, sequence
        frame.lane, frame.chunk, frame.chunk_total = lane, chunk, total
        return frame


# The entries of each lasting body: (type, bytes of the number or 0 for a text, whether required).
HELLO_ENTRIES = {
    "version_min": (1, 1, True), "version_max": (2, 1, True), "features": (3, 8, False),
    "incarnation": (4, 8, True), "epoch": (5, 8, True), "nonce": (6, 8, True),
    "echo_nonce": (7, 8, False), "echo_epoch": (8, 8, False), "window_bytes": (9, 8, False),
    "frame_bytes_max": (10, 8, False), "payload_bytes_max": (11, 8, False), "codec": (12, 1, False),
    "cluster": (13, 0, True), "address": (14, 0, False), "heartbeat_ms": (15, 4, False),
    "peer_timeout_ms": (16, 4, False)}
REFUSAL_ENTRIES = {
    "code": (1, 2, True), "text": (2, 0, False), "echo_nonce": (3, 8, False),
    "version_min": (4, 1, False), "version_max": (5, 1, False)}
GOODBYE_ENTRIES = {"reason": (1, 2, False), "text": (2, 0, False)}


def encode_entries(entries, values):
    out = b""
    for name, value in values.items():
        number, size, _ = entries[name]
        data = value.to_bytes(size, "little") if size else value.encode()
        out += struct.pack("<HH", number, len(data)) + data
    return out


def decode_entries(entries, body):
    need(len(body) <= 64 << 10, "a long body")
    found = {}
    while body:
        need(len(body) >= 4, "half an entry")
        number, size = struct.unpack_from("<HH", body)
        need(len(body) >= 4 + size, "half a value")
        found.setdefault(number, []).append(body[4:4 + size])
        body = body[4 + size:]
    values = {}
    for name, (number, size, required) in entries.items():
        data = found.get(number, [])
        need(len(data) <= 1 and (data or not required), name)
        value = data[0] if data else bytes(size)
        need(len(value) == size if size else len(value) <= 255, name)
        values[name] = int.from_bytes(value, "little") if size else value.decode(errors="replace")
    return values


@dataclass
class Envelope:
    payload: bytes
    lane: int = NORMAL
    pid: int = BROADCAST
    type: int = 0
    term: int = 0
    voted: bool = False
    sender: int = 0
    incarnation: int = 0
    sequence: int = 0

    def encode(self):
        """A full record, which depends on no record before it."""
        return b"".join([
            b"\x80", self.incarnation.to_bytes(8, "little"), varint(self.sequence),
            varint(self.sender), varint(self.pid + 1), struct.pack("<H", self.type),
            varint(self.term), bytes([self.lane | self.voted << 2]),
            varint(len(self.payload)), self.payload])


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


class _Reader:
    def __init__(self, body):
        self.body, self.at = body, 0

    def take(self, size):
        self.at += size
        need(self.at <= len(self.body), "a record that is cut short")
        return self.body[self.at - size:self.at]

    def fixed(self, size):
        return int.from_bytes(self.take(size), "little")

    def varint(self):
        value = shift = 0
        while True:
            byte = self.fixed(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                need((byte or shift == 7) and value < 1 << 64, "an overlong varint")
                return value


def decode_records(body):
    """The envelopes of a frame's body, or of one record that came in chunks."""
    reader, envelopes, before = _Reader(body), [], None
    while reader.at < len(body):
        flags = reader.fixed(1)
        full = flags == 0x80
        need(full or (flags < 32 and before), "a record's flags")
        now = Envelope(b"") if full else Envelope(**vars(before))
        if full:
            now.incarnation, now.sequence = reader.fixed(8), reader.varint()
            now.sender = reader.varint()
        else:
            skipped = reader.varint() if flags & 1 else 0
            now.sequence += 1 + (skipped >> 1 ^ -(skipped & 1))
            now.sequence &= (1 << 64) - 1
        if full or flags & 2:
            now.pid = reader.varint() - 1
        if full or flags & 4:
            now.type = reader.fixed(2)
        if full or flags & 8:
            now.term = reader.varint()
        if full or flags & 16:
            state = reader.fixed(1)
            need(state < 8 and state & 3 in LANES, "a record's state")
            now.lane, now.voted = state & 3, bool(state & 4)
        now.payload = reader.take(reader.varint())
        envelopes.append(now)
        before = now
    return envelopes
