"""Server: one member of a cluster."""

from __future__ import annotations

import atexit
import ctypes
import json
import math
import os
import threading
import time
import warnings
import weakref
from typing import Any, Callable, Iterable, Iterator, Mapping, TypeVar, Union

from cluster._errors import (
    CancelledError, Code, DeadlineExceededError, FailedPreconditionError, InvalidArgumentError,
    error_of)
from cluster._library import (
    ENVELOPE_HANDLER, EVENT_HANDLER, FOREVER, STATS_REMOVED, STATS_SERVER, CEnvelope, CMessageId,
    CPeerEvent, check, lib, text)
from cluster._types import (
    BROADCAST, NOBODY, Envelope, EventType, Lane, MessageId, MsgType, PeerEvent, PeerStats,
    ServerStats, Stranger)

Config = Union[str, "os.PathLike[str]", Mapping[str, Any]]
EnvelopeHandler = TypeVar("EnvelopeHandler", bound=Callable[[Envelope], object])
EventHandler = TypeVar("EventHandler", bound=Callable[[PeerEvent], object])

# The longest single wait of the main thread. Python's handlers of signals run between two.
_SLICE_MS = 100
_TIMEOUT_MS_MAX = 2**62

_INT32 = (-2**31, 2**31 - 1)
_UINT64 = (0, 2**64 - 1)
# ctypes cuts numbers that do not fit.
_RANGES = (
    ("pid", *_INT32), ("msg_type", 0, 2**16 - 1), ("lane", 0, 2**8 - 1), ("term", *_UINT64),
    ("group", *_UINT64), ("correlation", *_UINT64))

_live: weakref.WeakSet[Server] = weakref.WeakSet()


class Server:
    """One member of a cluster: sends envelopes to the others by id, and receives theirs.

    `config` is the name of a config file, or the config itself as a mapping. The constructor checks
    it, opens nothing and starts no thread. Use the server in a `with` statement, which starts and
    stops it; or call `start` and `stop`.

    Call every method from any thread, also at the same time. Methods raise ClusterError, whose
    classes name the kinds of errors. Blocking methods let other threads of Python run. Timeouts are
    in seconds; None is no limit.

    Handlers run one at a time per server, on a thread of the library. In a handler `send` never
    waits; `receive`, `flush`, `stop` and `reload_security` raise FailedPreconditionError. An
    exception in a handler goes to `sys.unraisablehook`.

    A server that was started before `os.fork` raises FailedPreconditionError in the child.
    """

    def __init__(self, server_id: int, config: Config) -> None:
        self._handlers: list[Any] = []  # what C calls has to live as long as the server
        self._handling: int | None = None  # the thread that is in a handler
        self._stopped = False
        self._started = False
        self._free = lib.cluster_server_free  # for __del__, when modules may be empty
        self._server = ctypes.c_void_p()
        self._id = _number("server id", server_id, *_INT32)
        if isinstance(config, Mapping):
            check(lib.cluster_server_new_from_text(
                self._id, _c_string("config", json.dumps(config)), ctypes.byref(self._server)))
        else:
            check(lib.cluster_server_new(
                self._id, _c_string("config", os.fspath(config)), ctypes.byref(self._server)))
        _live.add(self)

    # ---- Life ----

    def start(self) -> None:
        """Binds the server's address, and dials the others in the background. Idempotent."""
        check(lib.cluster_server_start(self._server))
        self._started = True

    def start_sending(self) -> None:
        """Starts the sending half alone."""
        check(lib.cluster_server_start_sending(self._server))
        self._started = True

    def start_receiving(self) -> None:
        """Starts the receiving half alone."""
        check(lib.cluster_server_start_receiving(self._server))
        self._started = True

    def stop(self) -> None:
        """Tries to get accepted envelopes out, then closes.

        Blocks for at most `linger_ms` of the config and a little, and until a running handler has
        returned. No handler runs afterwards. A `receive` that waits raises CancelledError.
        Idempotent.
        """
        if self._handling == threading.get_ident():
            raise FailedPreconditionError("stop in a handler: call it from another thread")
        lib.cluster_server_stop(self._server)
        self._stopped = True

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    # No thread is inside a method here, since methods have a reference. So this may free what
    # `stop` may not.
    def __del__(self) -> None:
        if not getattr(self, "_server", None):
            return
        if self._started and not self._stopped:
            warnings.warn("unstopped %r" % self, ResourceWarning, source=self)
        self._free(self._server)
        self._server = ctypes.c_void_p()

    def __repr__(self) -> str:
        return "<cluster.Server %d>" % self._id

    # ---- Handlers ----

    def on_envelope(self, handler: EnvelopeHandler) -> EnvelopeHandler:
        """Decorates the handler for all envelopes, instead of `receive`. Before start."""

        def call(envelope: Any, _: object) -> None:
            self._handling = threading.get_ident()
            try:
                handler(_from_c(envelope.contents))
            finally:
                self._handling = None

        call.__qualname__ = getattr(handler, "__qualname__", repr(handler))  # for unraisablehook
        self._set_handler(lib.cluster_server_on_envelope, ENVELOPE_HANDLER(call))
        return handler

    def on_peer_event(self, handler: EventHandler) -> EventHandler:
        """Decorates the handler for peer events; without one there are none. Before start."""

        def call(event: Any, _: object) -> None:
            self._handling = threading.get_ident()
            try:
                handler(_event_from_c(event.contents))
            finally:
                self._handling = None

        call.__qualname__ = getattr(handler, "__qualname__", repr(handler))
        self._set_handler(lib.cluster_server_on_peer_event, EVENT_HANDLER(call))
        return handler

    def _set_handler(self, function: Any, handler: Any) -> None:
        self._handlers.append(handler)
        check(function(self._server, handler, None))

    # ---- Envelopes ----

    def send(self, envelope: Envelope, timeout: float | None = 0) -> MessageId:
        """Accepts an envelope for its pid: another member, this server, or BROADCAST.

        Waits for at most `timeout` for room in the peer's queue. Returns the message's id.
        ResourceExhaustedError: no room, with timeout 0 or in a handler. DeadlineExceededError: no
        room in time. NotFoundError: no such member. A broadcast raises the first recipient's error;
        the others got theirs.
        """
        message_id = CMessageId()
        check(lib.cluster_server_send(self._server, ctypes.byref(_to_c(envelope)),
                                      _milliseconds(timeout), ctypes.byref(message_id)))
        return MessageId(message_id.incarnation, message_id.sequence)

    def broadcast(self, envelope: Envelope, timeout: float | None = 0) -> MessageId:
        """Sends an envelope to all members but this server, whatever its pid."""
        message_id = CMessageId()
        check(lib.cluster_server_send(self._server, ctypes.byref(_to_c(envelope, BROADCAST)),
                                      _milliseconds(timeout), ctypes.byref(message_id)))
        return MessageId(message_id.incarnation, message_id.sequence)

    def multicast(self, pids: Iterable[int], envelope: Envelope,
                  timeout: float | None = 0) -> MessageId:
        """Sends one envelope to several members, whatever its pid.

        Checks all pids before it sends anything; duplicates count once. If some recipients could
        not be reached, it raises the first one's error, whose `failed` has the code of each.
        """
        to = [_number("pid", pid, *_INT32) for pid in pids]
        results = (ctypes.c_int * len(to))()
        message_id = CMessageId()
        status = lib.cluster_server_multicast(
            self._server, (ctypes.c_int32 * len(to))(*to), len(to),
            ctypes.byref(_to_c(envelope, BROADCAST)), _milliseconds(timeout),
            ctypes.byref(message_id), results)
        if status:
            error = error_of(status, text(lib.cluster_last_error()))
            if message_id.sequence:
                error.failed = {pid: Code(code) for pid, code in zip(to, results) if code}
            raise error
        return MessageId(message_id.incarnation, message_id.sequence)

    def receive(self, timeout: float | None = None) -> Envelope:
        """Takes the next envelope; waits for at most `timeout`.

        DeadlineExceededError (a TimeoutError): no envelope came. CancelledError: the server was
        stopped. In the main thread a signal, Ctrl-C say, ends the wait as usual.
        """
        wait = _milliseconds(timeout)
        if 0 <= wait <= _SLICE_MS or threading.current_thread() is not threading.main_thread():
            return self._receive(wait)
        end = math.inf if wait == FOREVER else time.monotonic() + wait / 1000
        while True:
            left = max(end - time.monotonic(), 0)
            try:
                return self._receive(min(_SLICE_MS, math.ceil(min(left, 1) * 1000)))
            except DeadlineExceededError:
                if not left:
                    raise

    def _receive(self, wait_ms: int) -> Envelope:
        received = ctypes.POINTER(CEnvelope)()
        check(lib.cluster_server_receive(self._server, wait_ms, ctypes.byref(received)))
        try:
            return _from_c(received.contents)
        finally:
            lib.cluster_envelope_free(received)

    def __iter__(self) -> Iterator[Envelope]:
        """Envelopes as they come, until the server is stopped."""
        while True:
            try:
                envelope = self.receive()
            except CancelledError:
                return
            yield envelope

    def flush(self, timeout: float | None, pid: int = BROADCAST) -> None:
        """Waits until all envelopes so far, or those to one server, are acknowledged or dropped.

        Acknowledged means that the peer's application took them. DeadlineExceededError names the
        servers that are behind. FailedPreconditionError: best-effort delivery, or in a handler.
        """
        check(lib.cluster_server_flush(self._server, _number("pid", pid, *_INT32),
                                       _milliseconds(timeout)))

    # ---- Members ----

    def add_peer(self, server_id: int, address: str) -> None:
        """Adds a member, before or after start, without waiting for a connection.

        Replaces the address of a member whose port is 0. AlreadyExistsError: it is a member.
        """
        check(lib.cluster_server_add_peer(self._server, _number("server id", server_id, *_INT32),
                                          _c_string("address", address)))

    def remove_peer(self, server_id: int) -> None:
        """Removes a member. Envelopes that it has not acknowledged are dropped and counted."""
        check(lib.cluster_server_remove_peer(self._server,
                                             _number("server id", server_id, *_INT32)))

    def reload_security(self) -> None:
        """Reads the key files again, for new connections. After an error all is as it was."""
        check(lib.cluster_server_reload_security(self._server))

    @property
    def id(self) -> int:
        """The server's own id."""
        return self._id

    @property
    def peers(self) -> list[int]:
        """The other members' ids, sorted."""
        return _ids(lib.cluster_server_peers, self._server)

    @property
    def address(self) -> str:
        """Where it listens, port resolved; before that, the configured address."""
        room = 512
        length = ctypes.c_size_t()
        while True:
            address = ctypes.create_string_buffer(room)
            status = lib.cluster_server_address(self._server, address, room, ctypes.byref(length))
            if status != Code.OUT_OF_RANGE:
                check(status)
                return text(address.value)
            room = length.value + 1

    def stats(self) -> ServerStats:
        """The server's counters and gauges at this moment; also after `stop`."""
        stats = ctypes.c_void_p()
        check(lib.cluster_server_stats(self._server, ctypes.byref(stats)))
        try:
            return ServerStats(
                figures=_figures(stats, STATS_SERVER),
                peers={peer: _peer_stats(stats, peer)
                       for peer in _ids(lib.cluster_stats_peers, stats)},
                own=_peer_stats(stats, self._id),
                removed_earlier=_peer_stats(stats, STATS_REMOVED))
        finally:
            lib.cluster_stats_free(stats)


@atexit.register
def _stop_all() -> None:
    """No thread of the library may call into an interpreter that ends."""
    for server in list(_live):
        server.stop()


# ---- To and from C ----


def _number(name: str, value: int, low: int, high: int) -> int:
    if not isinstance(value, int):
        raise TypeError("%s is %r: want an int" % (name, value))
    if not low <= value <= high:
        raise InvalidArgumentError("%s is %d: want %d to %d" % (name, value, low, high))
    return value


def _c_string(name: str, value: str) -> bytes:
    if not isinstance(value, str):
        raise TypeError("%s is %r: want a str" % (name, value))
    if "\0" in value:
        raise InvalidArgumentError("%s is %r: want a text without zero bytes" % (name, value))
    return os.fsencode(value)


def _milliseconds(timeout: float | None) -> int:
    """For C. Part of a millisecond is a whole one, so that a short wait is one."""
    if timeout is None or timeout == math.inf:
        return FOREVER
    if not timeout >= 0:  # also for what is not a number
        raise InvalidArgumentError("timeout is %r: want 0 or more seconds, or None" % timeout)
    return min(math.ceil(timeout * 1000), _TIMEOUT_MS_MAX)


def _to_c(envelope: Envelope, pid: int | None = None) -> CEnvelope:
    for name, low, high in _RANGES:
        value = getattr(envelope, name)
        if type(value) is not int or not low <= value <= high:
            _number(name, value, low, high)
    payload = envelope.payload
    if type(payload) is not bytes:
        if isinstance(payload, str):
            raise TypeError("payload is a str: want bytes; encode it")
        payload = memoryview(payload).tobytes()
    out = CEnvelope(
        size=ctypes.sizeof(CEnvelope), pid=envelope.pid if pid is None else pid,
        msg_type=envelope.msg_type, lane=envelope.lane, voted=bool(envelope.voted),
        term=envelope.term, payload=ctypes.cast(ctypes.c_char_p(payload), ctypes.c_void_p),
        payload_size=len(payload), group=envelope.group, correlation=envelope.correlation)
    out.keeps = payload  # which `out` points into
    return out


def _from_c(envelope: CEnvelope) -> Envelope:
    message_id = envelope.message_id
    return Envelope(
        pid=envelope.pid,
        payload=ctypes.string_at(envelope.payload, envelope.payload_size),
        msg_type=_member(MsgType, envelope.msg_type),
        term=envelope.term,
        voted=bool(envelope.voted),
        lane=_member(Lane, envelope.lane),
        group=envelope.group,
        correlation=envelope.correlation,
        sender_id=envelope.sender_id,
        message_id=MessageId(message_id.incarnation, message_id.sequence))


def _event_from_c(event: CPeerEvent) -> PeerEvent:
    stranger = None
    if event.type == EventType.STRANGER:
        identity = event.stranger_identity
        stranger = Stranger(address=text(event.stranger_address),
                            source=text(event.stranger_source),
                            identity=None if identity == NOBODY else identity)
    return PeerEvent(
        type=_member(EventType, event.type), peer=event.peer, reason=text(event.reason),
        text=text(event.text), unknown_fate=event.unknown_fate, resent=event.resent,
        withheld=event.withheld, stranger=stranger)


def _member(kind: type[Any], number: int) -> int:
    """The number as a member of the enum, if it is one."""
    member: int = kind._value2member_map_.get(number, number)
    return member


def _ids(function: Any, handle: ctypes.c_void_p) -> list[int]:
    room = 16
    count = ctypes.c_size_t()
    while True:
        ids = (ctypes.c_int32 * room)()
        status = function(handle, ids, room, ctypes.byref(count))
        if status != Code.OUT_OF_RANGE:
            check(status)
            return ids[:count.value]
        room = count.value


def _figures(stats: ctypes.c_void_p, peer: int) -> dict[str, int]:
    figures: dict[str, int] = {}
    value = ctypes.c_uint64()
    index = 0
    while True:
        name = lib.cluster_stats_name(stats, peer, index)
        if name is None:
            return figures
        check(lib.cluster_stats_get(stats, peer, name, ctypes.byref(value)))
        figures[text(name)] = value.value
        index += 1


def _peer_stats(stats: ctypes.c_void_p, peer: int) -> PeerStats:
    return PeerStats(peer=peer, figures=_figures(stats, peer),
                     last_trouble=text(lib.cluster_stats_last_trouble(stats, peer) or b""))
