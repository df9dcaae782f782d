#!/usr/bin/python3
"""cluster.Server in one process: fields, errors, handlers, events, statistics."""

import asyncio
import dataclasses
import gc
import selectors
import threading
import unittest
import warnings
import weakref

import cluster
from cluster import DropReason, Envelope, EventType, Lane, MsgType
from testing.servers import SECONDS, Seen, ServersTest, config


class EnvelopesTest(ServersTest):
    def test_carries_every_field(self):
        one, two = self.started(2)
        sent = Envelope(pid=2, payload=b"\0vote\xff", msg_type=MsgType.REQUEST_VOTE_REQUEST,
                        term=2**64 - 1, voted=True, lane=Lane.URGENT, group=2**63, correlation=9)
        message_id = one.send(sent)
        got = two.receive(SECONDS)
        self.assertEqual(got, dataclasses.replace(sent, sender_id=1, message_id=message_id))
        self.assertIs(type(got.msg_type), MsgType)
        self.assertIs(type(got.lane), Lane)
        self.assertIs(got.voted, True)
        self.assertRegex(str(message_id), r"^\d+-1$")

    def test_takes_any_bytes_and_any_type_of_the_applications(self):
        one, two = self.started(2)
        for payload in (b"", bytearray(b"abc"), memoryview(b"abcdef")[::2], b"x" * 3_000_000):
            one.send(Envelope(2, payload, msg_type=65535))
            got = two.receive(SECONDS)
            self.assertEqual(got.payload, bytes(payload))
            self.assertEqual(got.msg_type, 65535)

    def test_the_default_is_a_normal_append_entries_request(self):
        (one,) = self.started(1)
        one.send(Envelope(1))
        got = one.receive(SECONDS)
        self.assertEqual((got.msg_type, got.lane, got.payload),
                         (MsgType.APPEND_ENTRIES_REQUEST, Lane.NORMAL, b""))

    def test_broadcast_and_multicast_ignore_the_pid(self):
        servers = self.started(3)
        broadcast = servers[0].broadcast(Envelope(99, b"all"))
        multicast = servers[0].multicast(iter([3, 1, 3]), Envelope(99, b"some"))
        for server, texts in zip(servers, ([b"some"], [b"all"], [b"all", b"some"])):
            got = [server.receive(SECONDS) for _ in texts]
            self.assertEqual([envelope.payload for envelope in got], texts)
            for envelope in got:
                self.assertEqual(envelope.message_id,
                                 broadcast if envelope.payload == b"all" else multicast)

    def test_numbers_that_do_not_fit_are_errors(self):
        one, _ = self.started(2)
        for field, value in (("pid", 2**31), ("pid", -2**31 - 1), ("pid", -2), ("msg_type", 65536),
                             ("msg_type", -1), ("msg_type", 4), ("term", 2**64), ("term", -1),
                             ("lane", 256), ("lane", 3), ("group", 2**64), ("correlation", -1)):
            with self.subTest(field=field, value=value):
                with self.assertRaisesRegex(cluster.InvalidArgumentError,
                                            r"^%s (is )?-?\d+: " % field):
                    one.send(dataclasses.replace(Envelope(2), **{field: value}))
        for field, value in (("pid", "2"), ("term", 1.5), ("payload", "text"), ("payload", 7)):
            with self.subTest(field=field, value=value), self.assertRaises(TypeError):
                one.send(dataclasses.replace(Envelope(2), **{field: value}))
        with self.assertRaises(cluster.InvalidArgumentError):
            one.multicast([2, 2**31], Envelope())
        for timeout in (-1, float("nan")):
            with self.assertRaisesRegex(cluster.InvalidArgumentError, "timeout is "):
                one.send(Envelope(2), timeout)
        self.assertEqual(one.stats().peers[2]["accepted"], 0)


class ErrorsTest(ServersTest):
    def test_each_code_has_a_class_with_the_librarys_text(self):
        (one,) = self.make(1)
        with self.assertRaisesRegex(cluster.FailedPreconditionError, r"before .*Start"):
            one.send(Envelope(1))
        one.start()
        with self.assertRaisesRegex(cluster.NotFoundError, "no server 9 in the cluster; known: 1"):
            one.send(Envelope(9))
        with self.assertRaises(LookupError):
            one.remove_peer(9)
        with self.assertRaises(TimeoutError):
            one.receive(0.01)
        with self.assertRaises(ValueError):
            one.add_peer(-1, "somewhere")
        with self.assertRaises(cluster.AlreadyExistsError):
            one.add_peer(1, "somewhere")
        one.stop()
        with self.assertRaises(cluster.CancelledError) as raised:
            one.receive()
        self.assertEqual(raised.exception.code, cluster.Code.CANCELLED)
        for code in cluster.Code:
            if code:
                self.assertIs(type(cluster._errors.error_of(code, "")).code, code)
        later = cluster._errors.error_of(99, "text")
        self.assertIs(type(later), cluster.UnknownError)
        self.assertEqual(str(later), "code 99: text")

    def test_errors_of_a_config_name_file_line_and_path(self):
        with self.assertRaisesRegex(cluster.NotFoundError, "/nowhere/cluster.json"):
            cluster.Server(1, "/nowhere/cluster.json")
        wrong = config("memory", 1, heartbeat=3)
        with self.assertRaisesRegex(cluster.InvalidArgumentError, r"^config:1: .*heartbeat"):
            cluster.Server(1, wrong)
        with self.assertRaisesRegex(cluster.NotFoundError, "no server has id 7; known: 1"):
            cluster.Server(7, config("memory", 1))
        for server_id, where in (("1", {}), (1, None), (1.5, {})):
            with self.assertRaises(TypeError):
                cluster.Server(server_id, where)
        for server_id, where in ((2**31, {}), (1, "a\0b")):
            with self.assertRaises(cluster.InvalidArgumentError):
                cluster.Server(server_id, where)

    def test_a_multicast_says_whom_it_did_not_reach(self):
        (one, _) = self.make(2, queue_bytes_max=65536)
        one.start()  # 2 is not there
        large = Envelope(2, b"x" * 60_000)
        one.send(large)
        with self.assertRaises(cluster.ResourceExhaustedError) as raised:
            one.multicast([1, 2], large)
        self.assertEqual(raised.exception.failed, {2: cluster.Code.RESOURCE_EXHAUSTED})
        self.assertEqual(one.receive(SECONDS).payload, large.payload)
        with self.assertRaises(cluster.NotFoundError) as raised:
            one.multicast([1, 9], large)
        self.assertEqual(raised.exception.failed, {})
        with self.assertRaises(cluster.DeadlineExceededError):
            one.send(large, timeout=0.001)
        with self.assertRaisesRegex(cluster.DeadlineExceededError, "in time by: 2"):
            one.flush(timeout=0.001)
        one.flush(timeout=SECONDS, pid=1)


class HandlersTest(ServersTest):
    def test_handlers_answer_and_see_events_first(self):
        one, two = self.make(2)
        seen = Seen()

        @two.on_envelope
        def answer(envelope):
            seen.add(envelope)
            two.send(Envelope(envelope.sender_id, envelope.payload.upper()))

        @two.on_peer_event
        def event(event):
            seen.add(event)

        self.start([one, two])
        one.send(Envelope(2, b"hello"))
        self.assertEqual(one.receive(SECONDS).payload, b"HELLO")
        first, second = seen.wait_for(lambda items: len(items) >= 2)[:2]
        self.assertEqual((first.type, first.peer), (EventType.UP, 1))
        self.assertIs(type(first.type), EventType)
        self.assertEqual(str(first), "peer 1 up: first session")
        self.assertEqual(second.payload, b"hello")
        self.assertEqual(self.unraisable.items, [])

    def test_an_exception_in_a_handler_is_reported_and_the_next_envelope_comes(self):
        (one,) = self.make(1)
        seen = Seen()

        @one.on_envelope
        def fail(envelope):
            seen.add(envelope.payload)
            if envelope.payload == b"bad":
                raise RuntimeError("a defect")
            if envelope.payload == b"exit":
                raise SystemExit(7)

        one.start()
        for payload in (b"bad", b"exit", b"good"):
            one.send(Envelope(1, payload))
        self.assertEqual(seen.wait_for(lambda items: b"good" in items), [b"bad", b"exit", b"good"])
        (kind, text, where), (kind2, _, _) = self.unraisable.items
        self.assertEqual((kind, text, kind2), (RuntimeError, "a defect", SystemExit))
        self.assertIn("fail", where)

    def test_in_a_handler_blocking_calls_are_errors(self):
        (one,) = self.make(1)
        seen = Seen()

        @one.on_envelope
        def call_all(_):
            for call in (one.stop, one.receive, lambda: one.flush(1), one.reload_security):
                try:
                    call()
                except cluster.FailedPreconditionError:
                    seen.add("refused")

        one.start()
        one.send(Envelope(1))
        seen.wait_for(lambda items: items == ["refused"] * 4)
        one.stop()

    def test_a_handler_after_start_is_an_error(self):
        (one,) = self.started(1)
        with self.assertRaisesRegex(cluster.FailedPreconditionError, "set it before"):
            one.on_envelope(print)
        with self.assertRaises(cluster.FailedPreconditionError):
            one.on_peer_event(print)

    def test_events_of_strangers_and_removals_have_what_is_known(self):
        known = config("memory", 2)
        one = cluster.Server(1, {**known, "servers": known["servers"][:1]})
        two = cluster.Server(2, known)
        for server in (one, two):
            self.addCleanup(server.stop)
        seen = Seen()
        one.on_peer_event(seen.add)
        self.start([one, two])
        (event,) = seen.wait_for(lambda items: items)[:1]
        self.assertEqual((event.type, event.peer), (EventType.STRANGER, 2))
        self.assertEqual(event.stranger.address, two.address)
        self.assertIsNone(event.stranger.identity)
        one.add_peer(2, event.stranger.address)
        seen.wait_for(lambda items: items[-1].type == EventType.UP)
        one.remove_peer(2)
        seen.wait_for(lambda items: any(event.type == EventType.REMOVED for event in items))


class RaftTest(ServersTest):
    """Options, fates, calls, event loops and changes of members."""

    def absent(self, server):
        """The id of a member that never comes."""
        server.add_peer(9, "python-nobody-there")
        return 9

    def test_options_decide_what_waits(self):
        (one,) = self.make(1)
        fates = Seen()
        one.on_fate(fates.add)
        self.start([one])
        pid = self.absent(one)
        with self.assertRaises(cluster.UnavailableError):
            one.send(Envelope(pid), only_if_up=True)
        first = one.send(Envelope(pid), replaces=7, report_fate=True)
        self.assertEqual(one.send(Envelope(pid), replaces=7, report_fate=True).sequence,
                         first.sequence + 1)
        (superseded,) = fates.wait_for(lambda items: items)
        self.assertEqual(superseded,
                         cluster.Fate(first, pid, DropReason.SUPERSEDED, superseded.text))
        self.assertRegex(str(fates.items[0]), "to server 9: dropped .superseded.")
        one.withdraw(pid, replaces=7)
        fates.wait_for(lambda items: items[-1].dropped is DropReason.WITHDRAWN)
        with self.assertRaises(cluster.NotFoundError):
            one.withdraw(pid, replaces=7)
        one.multicast([pid], Envelope(), expires_after=0.001, report_fate=True)
        fates.wait_for(lambda items: items[-1].dropped == DropReason.EXPIRED)
        one.send(Envelope(1), report_fate=True)
        one.receive(SECONDS)
        fates.wait_for(lambda items: items[-1].dropped is None)
        for wrong in ({"expires_after": -1}, {"replaces": -1}, {"replaces": 2**64}):
            with self.subTest(wrong), self.assertRaises(cluster.InvalidArgumentError):
                one.send(Envelope(1), **wrong)

    def test_a_fate_without_a_handler_is_an_error(self):
        (one,) = self.started(1)
        with self.assertRaises(cluster.FailedPreconditionError):
            one.send(Envelope(1), report_fate=True)
        with self.assertRaises(cluster.FailedPreconditionError):
            one.broadcast(Envelope(), report_fate=True)

    def answering(self):
        """Two servers; the second answers each request with its payload in capitals."""
        one, two = self.make(2)
        asked = Seen()

        @two.on_envelope
        def answer(request):
            asked.add(request)
            if not request.payload.startswith(b"silence"):
                two.answer(request, Envelope(payload=request.payload.upper()))

        return one, two, asked

    def test_a_call_gets_its_answer_while_somebody_receives(self):
        one, two, asked = self.answering()
        self.start([one, two])
        calls = []
        while len(calls) < 10:
            try:
                calls.append(one.call(2, Envelope(payload=b"a%d" % len(calls), group=3), SECONDS))
            except cluster.UnavailableError:  # until it is up
                with self.assertRaises(cluster.DeadlineExceededError):
                    one.receive(0.001)
        one.send(Envelope(1, b"to myself"))
        self.assertEqual(one.receive(SECONDS).payload, b"to myself")
        while not all(call.done() for call in calls):
            with self.assertRaises(cluster.DeadlineExceededError):  # no answer comes out here
                one.receive(0.01)
        self.assertEqual([call.result().payload for call in calls],
                         [b"A%d" % i for i in range(10)])
        self.assertEqual((calls[0].result().sender_id, calls[0].result().group), (2, 3))
        self.assertEqual(asked.items[0].group, 3)

    @staticmethod
    def called(one, payload, timeout):
        """A call to a peer that is about to come up."""
        while True:
            try:
                return one.call(2, Envelope(payload=payload), timeout)
            except cluster.UnavailableError:
                pass

    def test_a_call_gets_its_answer_by_the_handlers_thread(self):
        one, two, _ = self.answering()
        others = Seen()
        one.on_envelope(others.add)
        self.start([one, two])
        call = self.called(one, b"x", None)
        self.assertEqual(call.result(SECONDS).payload, b"X")
        self.assertEqual(asyncio.run(self.awaited(self.called(one, b"y", SECONDS))), b"Y")
        self.assertEqual(others.items, [])

    @staticmethod
    async def awaited(call):
        return (await asyncio.wrap_future(call)).payload

    def test_calls_fail_with_the_reason(self):
        one, two, asked = self.answering()
        one.on_envelope(lambda envelope: None)
        self.start([one, two])
        call = self.called(one, b"silence", 0.001)
        with self.assertRaises(cluster.DeadlineExceededError):
            call.result(SECONDS)
        call = self.called(one, b"silence", None)
        self.assertTrue(call.cancel())
        self.assertTrue(call.cancelled())
        self.assertFalse(call.cancel())
        call = self.called(one, b"silence", None)
        last = self.called(one, b"silence, last", None)
        asked.wait_for(lambda items: items[-1:] and items[-1].payload == b"silence, last")
        two.stop()
        for gone in (call, last):  # the handler for events is the library's own
            self.assertIsInstance(gone.exception(SECONDS), cluster.UnknownError)
        with self.assertRaises(cluster.UnavailableError):
            one.call(2, Envelope(), 1)
        with self.assertRaises(cluster.InvalidArgumentError):
            one.call(cluster.BROADCAST, Envelope(), 1)
        with self.assertRaises(cluster.InvalidArgumentError):
            one.answer(Envelope(), Envelope())

    def test_stop_ends_calls(self):
        one, two, _ = self.answering()
        self.start([one, two])
        call = self.called(one, b"silence", None)
        one.stop()
        self.assertIsInstance(call.exception(SECONDS), cluster.CancelledError)
        with self.assertRaises(cluster.CancelledError):
            one.call(2, Envelope(), 1)

    def test_an_event_loop_takes_envelopes_and_events_in_order(self):
        one, two = self.started(2)
        with selectors.DefaultSelector() as selector:
            selector.register(one, selectors.EVENT_READ)
            two.send(Envelope(1, b"hello"))
            got = []
            while not any(isinstance(item, Envelope) for item in got):
                self.assertTrue(selector.select(SECONDS))
                with self.assertRaises(cluster.DeadlineExceededError):
                    while True:
                        got.append(one.receive_any(0))
            self.assertEqual(got[0].type, EventType.UP)
            self.assertEqual(got[-1].payload, b"hello")
            self.assertEqual(selector.select(0), [])
            two.stop()
            self.assertEqual(one.receive_any(SECONDS).reason, "it stopped")
        two_with_handler, = self.make(1)
        two_with_handler.on_envelope(print)
        two_with_handler.start()
        for call in (two_with_handler.fileno, two_with_handler.receive_any):
            with self.assertRaises(cluster.FailedPreconditionError):
                call()

    def test_a_stranger_is_admitted_by_its_handler(self):
        known = config("memory", 2)
        one = cluster.Server(1, {**known, "servers": known["servers"][:1]})
        two = cluster.Server(2, known)
        for server in (one, two):
            self.addCleanup(server.stop)
        strangers = Seen()

        @one.on_stranger
        def admit(stranger):
            strangers.add(stranger)
            one.add_peer(stranger.id, stranger.address)

        self.start([one, two])
        (stranger,) = strangers.wait_for(lambda items: items)[:1]
        self.assertEqual((stranger.id, stranger.address, stranger.identity), (2, two.address, None))
        two.send(Envelope(1, b"hello"))
        self.assertEqual(one.receive(SECONDS).payload, b"hello")

    def test_members_move_and_leave(self):
        one, two = self.started(2)
        one.send(Envelope(2, b"last"), timeout=SECONDS)
        self.assertEqual(two.receive(SECONDS).payload, b"last")
        one.remove_peer(2, drain=SECONDS)
        with self.assertRaises(cluster.NotFoundError):
            one.send(Envelope(2))
        pid = self.absent(one)
        one.update_peer(pid, "python-elsewhere")
        one.send(Envelope(pid))
        with self.assertRaises(cluster.DeadlineExceededError):
            one.remove_peer(pid, drain=0.001)
        with self.assertRaises(cluster.NotFoundError):
            one.update_peer(pid, "python-elsewhere")

    def test_a_server_that_does_not_renew_is_down(self):
        one, two = self.make(2, application_timeout_ms=200)
        events = Seen()
        one.on_peer_event(events.add)
        two.renew()
        self.start([one, two])
        events.wait_for(lambda items: any(
            event.reason == "its application stands still" for event in items))
        two.renew()
        events.wait_for(lambda items: any(
            event.reason == "its application goes on" for event in items))


class LifeTest(ServersTest):
    def test_stop_ends_a_receive_and_an_iteration(self):
        for wait in (lambda server: list(server), self.receive_cancelled):
            (one,) = self.started(1)
            one.send(Envelope(1, b"first"))
            result = Seen()
            arrived = one.receive(SECONDS)
            self.assertEqual(arrived.payload, b"first")
            thread = threading.Thread(target=lambda: result.add(wait(one)))
            thread.start()
            one.stop()
            self.assertEqual(result.wait_for(lambda items: items), [[]])
            thread.join()

    @staticmethod
    def receive_cancelled(server):
        try:
            return server.receive()
        except cluster.CancelledError:
            return []

    def test_iterates_over_envelopes(self):
        (one,) = self.started(1)
        for i in range(3):
            one.send(Envelope(1, b"%d" % i))
        got = []
        for envelope in one:
            got.append(envelope.payload)
            if len(got) == 3:
                one.stop()
        self.assertEqual(got, [b"0", b"1", b"2"])

    def test_a_with_statement_starts_and_stops(self):
        (one,) = self.make(1)
        with one as same:
            self.assertIs(same, one)
            one.send(Envelope(1, b"x"))
            one.receive(SECONDS)
        with self.assertRaises(cluster.CancelledError):
            one.send(Envelope(1))
        self.assertEqual(one.stats()["delivered"], 1)
        self.assertEqual(one.stats().own["acknowledged"], 1)

    def test_halves_start_on_their_own(self):
        one, two = self.make(2)
        one.start_sending()
        two.start_receiving()
        one.send(Envelope(2, b"x"))
        self.assertEqual(two.receive(SECONDS).payload, b"x")
        with self.assertRaises(cluster.FailedPreconditionError):
            one.receive(0)
        with self.assertRaises(cluster.FailedPreconditionError):
            two.send(Envelope(1))

    def test_a_server_in_a_cycle_with_its_handler_is_collected(self):
        where = config("memory", 1)

        def cycle():
            server = cluster.Server(1, where)
            server.on_envelope(lambda envelope: server.send(envelope))
            server.start()
            return weakref.ref(server)

        gone = cycle()
        self.assertIsNotNone(gone())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            gc.collect()
        self.assertIsNone(gone())
        with cluster.Server(1, where):
            pass  # its address is free
        self.assertIn("unstopped <cluster.Server 1>", [str(warning.message) for warning in caught])

    def test_a_server_that_was_stopped_is_collected_silently(self):
        server = cluster.Server(1, config("memory", 1))
        with server:
            pass
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del server
            gc.collect()
        self.assertEqual(caught, [])

    def test_members_come_and_go(self):
        one, two = self.started(2, "zmq")
        self.assertEqual(one.peers, [2])
        self.assertRegex(one.address, r"^127\.0\.0\.1:\d+$")
        self.assertEqual((one.id, repr(two)), (1, "<cluster.Server 2>"))
        for server_id in range(3, 40):
            one.add_peer(server_id, "127.0.0.%d:1" % server_id)
        self.assertEqual(one.peers, list(range(2, 40)))
        one.remove_peer(2)
        with self.assertRaises(cluster.NotFoundError):
            one.send(Envelope(2))

    def test_statistics_are_typed(self):
        one, two = self.started(2)
        one.send(Envelope(2, b"x" * 1000))
        two.receive(SECONDS)
        one.flush(SECONDS)
        stats = one.stats()
        peer = stats.peers[2]
        self.assertTrue(peer.up)
        self.assertTrue(0 <= peer.rtt < SECONDS, peer.rtt)
        self.assertEqual(peer.rtt, peer["rtt_ns"] / 1e9)
        self.assertEqual((peer["accepted"], peer["acknowledged"], peer["queued"]), (1, 1, 0))
        self.assertGreater(peer["bytes_sent"], 1000)
        self.assertEqual((stats["delivered"], two.stats()["delivered"]), (0, 1))
        self.assertEqual(peer.last_trouble, "")
        self.assertEqual((stats.own.peer, stats.removed_earlier["accepted"]), (1, 0))


if __name__ == "__main__":
    unittest.main()
