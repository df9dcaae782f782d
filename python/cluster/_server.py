"""Server: one member of a cluster."""

from __future__ import annotations

import atexit
import concurrent.futures
import ctypes
import dataclasses
import itertools
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
    ANSWER_HANDLER, ENVELOPE_HANDLER, EVENT_HANDLER, FATE_HANDLER, FOREVER, STATS_REMOVED,
    STATS_SERVER, STRANGER_HANDLER, CEnvelope, CFate, CMessageId, CPeerEvent, CSendOptions,
    CStranger, check, lib, text)
from cluster._types import (
    BROADCAST, NOBODY, DropReason, Envelope, EventType, Fate, Lane, MessageId, MsgType, PeerEvent,
    PeerStats, ServerStats, Stranger)

Config = Union[str, "os.PathLike[str]", Mapping[str, Any]]
EnvelopeHandler = TypeVar("EnvelopeHandler", bound=Callable[[Envelope], object])
EventHandler = TypeVar("EventHandler", bound=Callable[[PeerEvent], object])
StrangerHandler = TypeVar("StrangerHandler", bound=Callable[[Stranger], object])
FateHandler = TypeVar("FateHandler", bound=Callable[[Fate], object])

# The longest single wait of the main thread. Python's handlers of signals run between two.
_SLICE_MS = 100
_TIMEOUT_MS_MAX = 2**62
_SECONDS_MAX = 10**9

_INT32 = (-2**31, 2**31 - 1)
_UINT64 = (0, 2**64 - 1)
# ctypes cuts numbers that do not fit.
_RANGES = (
    ("pid", *_INT32), ("msg_type", 0, 2**16 - 1), ("lane", 0, 2**8 - 1), ("term", *_UINT64),
    ("group", *_UINT64), ("correlation", *_UINT64))

# In the correlation of an answer.
_ANSWER_BIT = 2**63

_live: weakref.WeakSet[Server] = weakref.WeakSet()


class Call(concurrent.futures.Future[Envelope]):
    """The answer to a request, to come: an Envelope.

    `result` waits for it, and `asyncio.wrap_future` makes it awaitable. It raises:
    UnavailableError: the peer went down before the request left; nothing ran. UnknownError: it went
    after that; the request may have run. DeadlineExceededError: no answer in time. CancelledError:
    the server was stopped.
    """

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._of = server
        self._number = 0
        self._cancelling = False

    def cancel(self) -> bool:
        """Ends the call; False if it has ended. The request may run all the same."""
        self._cancelling = True
        return not self.done() and lib.cluster_caller_cancel(self._of._caller, self._number) == 0

    def _end(self, status: int, answer: Any) -> None:
        if status == Code.OK:
            self.set_result(_from_c(answer.contents))
        elif status == Code.CANCELLED and self._cancelling:
            super().cancel()
            self.set_running_or_notify_cancel()
        else:
            self.set_exception(error_of(status, text(lib.cluster_last_error())))


class _Calls:
    """The calls that wait. C gets their numbers, and calls `handler` once for each."""

    def __init__(self) -> None:
        self._waiting: dict[int, Call] = {}
        self._numbers = itertools.count(1)
        self.handler = ANSWER_HANDLER(self._end)

    def add(self, call: Call) -> int:
        number = next(self._numbers)
        self._waiting[number] = call
        return number

    def remove(self, number: int) -> None:
        self._waiting.pop(number, None)

    def all(self) -> list[Call]:
        return list(self._waiting.values())

    def _end(self, status: int, answer: Any, number: int) -> None:
        call = self._waiting.pop(number, None)
        if call:
            call._end(status, answer)


class Server:
    """One member of a cluster: sends envelopes to the others by id, and receives theirs.

    `config` is the name of a config file, or the config itself as a mapping. The constructor checks
    it, opens nothing and starts no thread. Use the server in a `with` statement, which starts and
    stops it; or call `start` and `stop`.

    Call every method from any thread, also at the same time. Methods raise ClusterError, whose
    classes name the kinds of errors. Blocking methods let other threads of Python run. Timeouts are
    in seconds; None is no limit.

    Answers to calls come in with the envelopes: to the handler's thread, or to the one that
    receives.

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
        self._handled: set[str] = set()  # what has handlers
        self._handled_lock = threading.Lock()
        self._calls = _Calls()
        # For __del__, when modules may be empty.
        self._ends = (lib.cluster_server_stop, lib.cluster_caller_free, lib.cluster_server_free)
        self._server = ctypes.c_void_p()
        self._caller = ctypes.c_void_p()
        self._id = _number("server id", server_id, *_INT32)
        if isinstance(config, Mapping):
            check(lib.cluster_server_new_from_text(
                self._id, _c_string("config", json.dumps(config)), ctypes.byref(self._server)))
        else:
            check(lib.cluster_server_new(
                self._id, _c_string("config", os.fspath(config)), ctypes.byref(self._server)))
        check(lib.cluster_caller_new(self._server, ctypes.byref(self._caller)))
        _live.add(self)

    # ---- Life ----

    def start(self) -> None:
        """Binds the server's address, and dials the others in the background. Idempotent."""
        self._fix_handlers()
        check(lib.cluster_server_start(self._server))
        self._started = True

    def start_sending(self) -> None:
        """Starts the sending half alone."""
        self._fix_handlers()
        check(lib.cluster_server_start_sending(self._server))
        self._started = True

    def start_receiving(self) -> None:
        """Starts the receiving half alone."""
        self._fix_handlers()
        check(lib.cluster_server_start_receiving(self._server))
        self._started = True

    def stop(self) -> None:
        """Tries to get accepted envelopes out, then closes.

        Blocks for at most `linger_ms` of the config and a little, and until a running handler has
        returned. No handler runs afterwards. A `receive` and a call that wait raise CancelledError.
        Idempotent.
        """
        if self._handling == threading.get_ident():
            raise FailedPreconditionError("stop in a handler: call it from another thread")
        lib.cluster_server_stop(self._server)
        self._stopped = True
        for call in self._calls.all():
            lib.cluster_caller_cancel(self._caller, call._number)

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
        stop, free_caller, free = self._ends
        stop(self._server)
        free_caller(self._caller)
        free(self._server)
        self._server = ctypes.c_void_p()

    def __repr__(self) -> str:
        return "<cluster.Server %d>" % self._id

    # ---- Handlers ----

    def on_envelope(self, handler: EnvelopeHandler) -> EnvelopeHandler:
        """Decorates the handler for all envelopes but answers; instead of `receive`. Before start."""

        def take(envelope: Any) -> None:
            if not self._took_answer(envelope):
                handler(_from_c(envelope.contents))

        self._set_handler(lib.cluster_server_on_envelope, ENVELOPE_HANDLER, take, handler)
        self._handled.add("envelopes")
        return handler

    def on_peer_event(self, handler: EventHandler) -> EventHandler:
        """Decorates the handler for peer events; else only `receive_any` has them. Before start."""

        def take(event: Any) -> None:
            lib.cluster_caller_on_peer_event(self._caller, event)
            handler(_event_from_c(event.contents))

        self._set_handler(lib.cluster_server_on_peer_event, EVENT_HANDLER, take, handler)
        self._handled.add("events")
        return handler

    def on_stranger(self, handler: StrangerHandler) -> StrangerHandler:
        """Decorates the handler for servers that greet and are no members. Before start.

        It has them instead of EventType.STRANGER, and may admit one with `add_peer`. With security
        admit only one whose `identity` is its `id`.
        """

        def take(stranger: Any) -> None:
            handler(_stranger_from_c(stranger.contents))

        self._set_handler(lib.cluster_server_on_stranger, STRANGER_HANDLER, take, handler)
        self._handled.add("strangers")
        return handler

    def on_fate(self, handler: FateHandler) -> FateHandler:
        """Decorates the handler for the fates of envelopes with `report_fate`. Before start."""

        def take(fate: Any) -> None:
            handler(_fate_from_c(fate.contents))

        self._set_handler(lib.cluster_server_on_fate, FATE_HANDLER, take, handler)
        return handler

    def _set_handler(self, function: Any, kind: Any, take: Any, handler: Any) -> None:
        def call(argument: Any, _: object) -> None:
            self._handling = threading.get_ident()
            try:
                take(argument)
            finally:
                self._handling = None

        call.__qualname__ = getattr(handler, "__qualname__", repr(handler))  # for unraisablehook
        made = kind(call)
        self._handlers.append(made)
        check(function(self._server, made, None))

    def _fix_handlers(self) -> None:
        """Calls need the events. Without handlers they come with what is received."""
        with self._handled_lock:
            if self._started or not self._handled or "events" in self._handled:
                return

            def take(event: Any) -> None:
                lib.cluster_caller_on_peer_event(self._caller, event)

            self._set_handler(lib.cluster_server_on_peer_event, EVENT_HANDLER, take, take)
            self._handled.add("events")

    def _took_answer(self, envelope: Any) -> bool:
        return bool(envelope.contents.correlation & _ANSWER_BIT
                    and lib.cluster_caller_on_envelope(self._caller, envelope))

    # ---- Envelopes ----

    def send(self, envelope: Envelope, timeout: float | None = 0, *, only_if_up: bool = False,
             expires_after: float | None = None, replaces: int = 0,
             report_fate: bool = False) -> MessageId:
        """Accepts an envelope for its pid: another member, this server, or BROADCAST.

        Waits for at most `timeout` for room in the peer's queue. Returns the message's id.

        only_if_up: UnavailableError if the peer is not up.
        expires_after: dropped if it is not transmitted within so many seconds.
        replaces: a key, not 0. It takes the place of an envelope with the same key, pid, lane and
        group that is not transmitted yet.
        report_fate: the handler of `on_fate` hears what becomes of it.

        ResourceExhaustedError: no room, with timeout 0 or in a handler. DeadlineExceededError: no
        room in time. NotFoundError: no such member. A broadcast raises the first recipient's error;
        the others got theirs.
        """
        message_id = CMessageId()
        if only_if_up or expires_after is not None or replaces or report_fate:
            check(lib.cluster_server_send_with(
                self._server, ctypes.byref(_to_c(envelope)),
                ctypes.byref(_options(timeout, only_if_up, expires_after, replaces, report_fate)),
                ctypes.byref(message_id)))
        else:
            check(lib.cluster_server_send(self._server, ctypes.byref(_to_c(envelope)),
                                          _milliseconds(timeout), ctypes.byref(message_id)))
        return MessageId(message_id.incarnation, message_id.sequence)

    def broadcast(self, envelope: Envelope, timeout: float | None = 0, **options: Any) -> MessageId:
        """Sends an envelope to all members but this server, whatever its pid. Options as `send`."""
        return self.send(dataclasses.replace(envelope, pid=BROADCAST), timeout, **options)

    def multicast(self, pids: Iterable[int], envelope: Envelope, timeout: float | None = 0, *,
                  only_if_up: bool = False, expires_after: float | None = None, replaces: int = 0,
                  report_fate: bool = False) -> MessageId:
        """Sends one envelope to several members, whatever its pid. Options as `send`.

        Checks all pids before it sends anything; duplicates count once. If some recipients could
        not be reached, it raises the first one's error, whose `failed` has the code of each.
        """
        to = [_number("pid", pid, *_INT32) for pid in pids]
        results = (ctypes.c_int * len(to))()
        message_id = CMessageId()
        status = lib.cluster_server_multicast_with(
            self._server, (ctypes.c_int32 * len(to))(*to), len(to),
            ctypes.byref(_to_c(envelope, BROADCAST)),
            ctypes.byref(_options(timeout, only_if_up, expires_after, replaces, report_fate)),
            ctypes.byref(message_id), results)
        if status:
            error = error_of(status, text(lib.cluster_last_error()))
            if message_id.sequence:
                error.failed = {pid: Code(code) for pid, code in zip(to, results) if code}
            raise error
        return MessageId(message_id.incarnation, message_id.sequence)

    def withdraw(self, pid: int, replaces: int, lane: int = Lane.NORMAL, group: int = 0) -> None:
        """Drops the envelope with that key, pid, lane and group.

        NotFoundError: there is none that is not transmitted yet.
        """
        check(lib.cluster_server_withdraw(
            self._server, _number("pid", pid, *_INT32), _number("lane", lane, 0, 2**8 - 1),
            _number("group", group, *_UINT64), _number("replaces", replaces, *_UINT64)))

    def receive(self, timeout: float | None = None) -> Envelope:
        """Takes the next envelope that is no answer; waits for at most `timeout`.

        DeadlineExceededError (a TimeoutError): no envelope came. CancelledError: the server was
        stopped. In the main thread a signal, Ctrl-C say, ends the wait as usual.
        """
        envelope: Envelope = self._wait_for(
            timeout, self._take_envelope if self._handled else self._pass_events_over)
        return envelope

    def receive_any(self, timeout: float | None = None) -> Envelope | PeerEvent:
        """Takes the next envelope or peer event, in one order; waits for at most `timeout`.

        Errors as `receive`; FailedPreconditionError also with handlers.
        """
        item: Envelope | PeerEvent = self._wait_for(timeout, self._take_any)
        return item

    def fileno(self) -> int:
        """A descriptor for `select`, `selectors` or `asyncio`: readable while there is something.

        Poll it only. Then receive with timeout 0 until DeadlineExceededError.
        FailedPreconditionError: there is a handler for envelopes.
        """
        fd = ctypes.c_int()
        check(lib.cluster_server_notify_fd(self._server, ctypes.byref(fd)))
        return fd.value

    def _wait_for(self, timeout: float | None, take: Any) -> Any:
        """What `take` returns. It takes milliseconds, and returns None for what nobody waits for."""
        wait = _milliseconds(timeout)
        end = math.inf if wait == FOREVER else time.monotonic() + wait / 1000
        sliced = threading.current_thread() is threading.main_thread()
        while True:
            part = min(wait, _SLICE_MS) if wait != FOREVER else _SLICE_MS
            try:
                item = take(part if sliced else wait)
                if item is not None:
                    return item
            except DeadlineExceededError:
                if not sliced or part == wait:
                    raise
            if wait > 0:
                wait = max(math.ceil(min(end - time.monotonic(), _SECONDS_MAX) * 1000), 0)

    def _take_envelope(self, wait_ms: int) -> Envelope | None:
        received = ctypes.POINTER(CEnvelope)()
        check(lib.cluster_server_receive(self._server, wait_ms, ctypes.byref(received)))
        try:
            return None if self._took_answer(received) else _from_c(received.contents)
        finally:
            lib.cluster_envelope_free(received)

    def _pass_events_over(self, wait_ms: int) -> Envelope | None:
        item = self._take_any(wait_ms)
        return item if isinstance(item, Envelope) else None

    def _take_any(self, wait_ms: int) -> Envelope | PeerEvent | None:
        received = ctypes.POINTER(CEnvelope)()
        event = ctypes.POINTER(CPeerEvent)()
        check(lib.cluster_server_receive_any(self._server, wait_ms, ctypes.byref(received),
                                             ctypes.byref(event)))
        try:
            if event:
                lib.cluster_caller_on_peer_event(self._caller, event)
                return _event_from_c(event.contents)
            return None if self._took_answer(received) else _from_c(received.contents)
        finally:
            lib.cluster_envelope_free(received)
            lib.cluster_peer_event_free(event)

    # ---- Requests and answers ----

    def call(self, pid: int, request: Envelope, timeout: float | None) -> Call:
        """Sends a request, whatever its pid, and returns its answer to come.

        The other server's application answers it with `answer`. Whoever takes envelopes here takes
        the answer too: a handler, or a thread in `receive`. After a restart of the peer a request
        may run twice.

        UnavailableError: the peer is not up. ResourceExhaustedError: its queue is full, or 65536
        calls wait.
        """
        deadline = _milliseconds(timeout)
        to = _number("pid", pid, *_INT32)
        call = Call(self)
        waiting = self._calls.add(call)
        number = ctypes.c_uint64()
        try:
            check(lib.cluster_caller_call(
                self._caller, to, ctypes.byref(_to_c(request, to)), deadline, self._calls.handler,
                waiting, ctypes.byref(number)))
        except BaseException:
            self._calls.remove(waiting)
            raise
        call._number = number.value
        return call

    def answer(self, request: Envelope, answer: Envelope) -> None:
        """Sends an answer to a request, whatever the answer's pid. Does not wait.

        InvalidArgumentError: the request wants none. ResourceExhaustedError: the config's
        answer_bytes_reserved is used up.
        """
        asked = _to_c(request)
        asked.sender_id = _number("sender_id", request.sender_id, *_INT32)
        check(lib.cluster_caller_answer(self._caller, ctypes.byref(asked),
                                        ctypes.byref(_to_c(answer))))

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

    def remove_peer(self, server_id: int, drain: float | None = 0) -> None:
        """Removes a member. Envelopes that it has not acknowledged are dropped and counted.

        First waits for at most `drain` seconds until it has acknowledged all; sending to it raises
        NotFoundError from the call on. DeadlineExceededError: it was removed, and has not.
        """
        check(lib.cluster_server_drain_and_remove_peer(
            self._server, _number("server id", server_id, *_INT32), _milliseconds(drain)))

    def update_peer(self, server_id: int, address: str) -> None:
        """Gives a member another address, which is dialled. What waits for it stays."""
        check(lib.cluster_server_update_peer(self._server, _number("server id", server_id, *_INT32),
                                             _c_string("address", address)))

    def renew(self) -> None:
        """Says that the application lives, for the config's application_timeout_ms.

        Call it more often than that. From the first call on this alone counts.
        """
        lib.cluster_server_renew(self._server)

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


def _milliseconds(timeout: float | None, name: str = "timeout") -> int:
    """For C. Part of a millisecond is a whole one, so that a short wait is one."""
    if timeout is None or timeout == math.inf:
        return FOREVER
    if not timeout >= 0:  # also for what is not a number
        raise InvalidArgumentError("%s is %r: want 0 or more seconds, or None" % (name, timeout))
    return min(math.ceil(timeout * 1000), _TIMEOUT_MS_MAX)


def _options(timeout: float | None, only_if_up: bool, expires_after: float | None, replaces: int,
             report_fate: bool) -> CSendOptions:
    return CSendOptions(
        size=ctypes.sizeof(CSendOptions), only_if_up=bool(only_if_up),
        report_fate=bool(report_fate), timeout_ms=_milliseconds(timeout),
        expires_after_ms=_milliseconds(expires_after, "expires_after"),
        replaces=_number("replaces", replaces, *_UINT64))


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
        stranger = _stranger(event.peer, event.stranger_identity, event.stranger_address,
                             event.stranger_source)
    return PeerEvent(
        type=_member(EventType, event.type), peer=event.peer, reason=text(event.reason),
        text=text(event.text), unknown_fate=event.unknown_fate, resent=event.resent,
        withheld=event.withheld, stranger=stranger)


def _stranger(server_id: int, identity: int, address: bytes, source: bytes) -> Stranger:
    return Stranger(address=text(address), source=text(source),
                    identity=None if identity == NOBODY else identity, id=server_id)


def _stranger_from_c(stranger: CStranger) -> Stranger:
    return _stranger(stranger.id, stranger.identity, stranger.address, stranger.source)


def _fate_from_c(fate: CFate) -> Fate:
    return Fate(message_id=MessageId(fate.message_id.incarnation, fate.message_id.sequence),
                pid=fate.pid,
                dropped=None if fate.dropped < 0 else _member(DropReason, fate.dropped),
                text=text(fate.text))


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
