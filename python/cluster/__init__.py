"""Reliable peer messaging: servers with integer ids send envelopes to each other.

    import cluster

    server = cluster.Server(1, "cluster.json")

    @server.on_envelope
    def answer(envelope: cluster.Envelope) -> None:
        server.send(cluster.Envelope(envelope.sender_id, b"I got it"))

    with server:                                # starts it, and stops it at the end
        server.send(cluster.Envelope(pid=2, payload=b"hello"), timeout=1.0)
        server.flush(timeout=5.0)

The module is a thin layer on libcluster.so and needs nothing else. docs/python.md explains it.
"""

from cluster._errors import (
    AbortedError, AlreadyExistsError, CancelledError, ClusterError, Code, DataLossError,
    DeadlineExceededError, FailedPreconditionError, InternalError, InvalidArgumentError, NotFoundError,
    OutOfRangeError, PermissionDeniedError, ResourceExhaustedError, UnauthenticatedError,
    UnavailableError, UnimplementedError, UnknownError)
from cluster._library import library_version
from cluster._server import Call, Server
from cluster._types import (
    BROADCAST, NOBODY, DropReason, Envelope, EventType, Fate, Lane, MessageId, MsgType, PeerEvent,
    PeerStats, ServerStats, Stranger)

__version__ = library_version()

__all__ = [
    "BROADCAST", "NOBODY", "AbortedError", "AlreadyExistsError", "Call", "CancelledError",
    "ClusterError", "Code", "DataLossError", "DeadlineExceededError", "DropReason", "Envelope",
    "EventType", "FailedPreconditionError", "Fate", "InternalError", "InvalidArgumentError", "Lane",
    "MessageId", "MsgType", "NotFoundError", "OutOfRangeError", "PeerEvent", "PeerStats", "PermissionDeniedError",
    "ResourceExhaustedError", "Server", "ServerStats", "Stranger", "UnauthenticatedError",
    "UnavailableError", "UnimplementedError", "UnknownError",
]
