"""Envelopes, events and statistics: plain values."""

from __future__ import annotations

import dataclasses
import enum
from typing import Mapping, NamedTuple

#: The pid that means every member but the sender.
BROADCAST = -1

#: The peer of an event that concerns nobody in particular.
NOBODY = -1


class MsgType(enum.IntEnum):
    """The purpose of a message. 64 and above are yours; 4 to 63 are the library's to assign."""

    APPEND_ENTRIES_REQUEST = 0
    APPEND_ENTRIES_RESPONSE = 1
    REQUEST_VOTE_REQUEST = 2
    REQUEST_VOTE_RESPONSE = 3


class Lane(enum.IntEnum):
    """The queue to a peer. Each keeps its order; more urgent lanes go first."""

    URGENT = 0
    NORMAL = 1
    BULK = 2


class MessageId(NamedTuple):
    """Unique for ever, together with the sender's id."""

    incarnation: int
    sequence: int

    def __str__(self) -> str:
        return "%d-%d" % self


@dataclasses.dataclass
class Envelope:
    """One message. `sender_id` and `message_id` are the library's to assign."""

    pid: int = 0  #: recipient, or BROADCAST
    payload: bytes = b""  #: any bytes-like object; received ones are bytes
    msg_type: int = MsgType.APPEND_ENTRIES_REQUEST  #: a MsgType, or 64 and above
    term: int = 0  #: of the sender
    voted: bool = False
    lane: int = Lane.NORMAL
    group: int = 0  #: for the application: one of several groups, or 0
    correlation: int = 0  #: for the application: the request that it answers, or 0
    sender_id: int = 0
    message_id: MessageId = MessageId(0, 0)


class EventType(enum.IntEnum):
    """The kinds of peer events."""

    UP = 0  #: there is a session and the peer is heard
    DOWN = 1  #: not heard, or it said goodbye, or its application stands still
    RESTARTED = 2  #: a new session; UP follows
    REMOVED = 3  #: by remove_peer
    REJECTED = 4  #: one side refuses something of the other's
    STRANGER = 5  #: a server greets that is no member
    WARNING = 6  #: nothing was refused, but somebody should look


@dataclasses.dataclass(frozen=True)
class Stranger:
    """A server that is no member. Only the identity is proven."""

    address: str  #: that it claims to have
    source: str  #: its connection comes from there; "" if not known
    identity: int | None  #: that its connection proved
    id: int = 0  #: that it claims to have


class DropReason(enum.IntEnum):
    """The reasons for which an accepted envelope is dropped."""

    OVERFLOW = 0
    PEER_RESTART = 1  #: the peer may have got it all the same
    REMOVED = 2  #: likewise
    TOO_LARGE = 3
    STOPPED = 4
    UNSUPPORTED = 5
    EXPIRED = 6
    SUPERSEDED = 7
    WITHDRAWN = 8


@dataclasses.dataclass(frozen=True)
class Fate:
    """What became of one envelope for one recipient. `str(fate)` is one line for people."""

    message_id: MessageId
    pid: int  #: the recipient
    dropped: int | None  #: a DropReason; None: it was acknowledged
    text: str

    def __str__(self) -> str:
        return self.text


@dataclasses.dataclass(frozen=True)
class PeerEvent:
    """A change of a peer. `str(event)` is one line for people."""

    type: int  #: an EventType, unless the library is newer than this module
    peer: int  #: or NOBODY
    reason: str  #: for people
    text: str  #: all of it, for people
    unknown_fate: int = 0  #: envelopes that were transmitted, but not known to be consumed
    resent: int = 0  #: of these, the ones that go to the new session
    withheld: int = 0  #: further ones since the last event of this kind
    stranger: Stranger | None = None  #: of EventType.STRANGER

    def __str__(self) -> str:
        return self.text


@dataclasses.dataclass(frozen=True)
class PeerStats:
    """The figures of one peer: `stats["acknowledged"]`. docs/c.md lists the names."""

    peer: int
    figures: Mapping[str, int]
    last_trouble: str  #: its latest refusal or loss, for people; "" if there is none

    def __getitem__(self, name: str) -> int:
        return self.figures[name]

    @property
    def up(self) -> bool:
        """Whether there is a session and the peer is heard."""
        return bool(self.figures["up"])

    @property
    def rtt(self) -> float:
        """Seconds from a frame to its acknowledgement, smoothed; 0 if not measured yet."""
        return self.figures["rtt_ns"] / 1e9


@dataclasses.dataclass(frozen=True)
class ServerStats:
    """The figures of a server at one moment: `stats["delivered"]`, `stats.peers[2].up`."""

    figures: Mapping[str, int]
    peers: Mapping[int, PeerStats]  #: the members, and the last that were removed
    own: PeerStats  #: envelopes of the server to itself
    removed_earlier: PeerStats  #: the sums of other peers that were removed

    def __getitem__(self, name: str) -> int:
        return self.figures[name]
