"""The errors of the library, one class for each code."""

from __future__ import annotations

import enum
from typing import Mapping


class Code(enum.IntEnum):
    """The library's codes; their numbers are those of absl::StatusCode."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class ClusterError(Exception):
    """Any error of the library. Its text says what is wrong, where, and what to do."""

    code = Code.UNKNOWN

    #: Of a multicast that reached only some: the code of each recipient that it did not reach.
    #: Empty if nothing was sent.
    failed: Mapping[int, Code] = {}


class CancelledError(ClusterError):
    """The server was stopped."""

    code = Code.CANCELLED


class UnknownError(ClusterError):
    """An error of a code that this module does not know."""

    code = Code.UNKNOWN


class InvalidArgumentError(ClusterError, ValueError):
    """A value, or something in the config, is wrong."""

    code = Code.INVALID_ARGUMENT


class DeadlineExceededError(ClusterError, TimeoutError):
    """It did not happen within the timeout."""

    code = Code.DEADLINE_EXCEEDED


class NotFoundError(ClusterError, LookupError):
    """There is no such server, or no such file."""

    code = Code.NOT_FOUND


class AlreadyExistsError(ClusterError):
    """The server is a member already, or its address is in use."""

    code = Code.ALREADY_EXISTS


class PermissionDeniedError(ClusterError):
    """The system does not allow it."""

    code = Code.PERMISSION_DENIED


class ResourceExhaustedError(ClusterError):
    """No room in a queue, or no memory, threads or descriptors."""

    code = Code.RESOURCE_EXHAUSTED


class FailedPreconditionError(ClusterError):
    """The call does not fit the server's state, or is not allowed in a handler."""

    code = Code.FAILED_PRECONDITION


class AbortedError(ClusterError):
    """The operation was aborted."""

    code = Code.ABORTED


class OutOfRangeError(ClusterError):
    """The output does not fit."""

    code = Code.OUT_OF_RANGE


class UnimplementedError(ClusterError):
    """The transport cannot do it."""

    code = Code.UNIMPLEMENTED


class InternalError(ClusterError):
    """A defect of the library: please report it."""

    code = Code.INTERNAL


class UnavailableError(ClusterError):
    """Something that is needed is not there now."""

    code = Code.UNAVAILABLE


class DataLossError(ClusterError):
    """Data is lost or damaged."""

    code = Code.DATA_LOSS


class UnauthenticatedError(ClusterError):
    """Keys or certificates do not prove what they have to."""

    code = Code.UNAUTHENTICATED


_CLASSES: dict[int, type[ClusterError]] = {
    error.code: error for error in ClusterError.__subclasses__()}


def error_of(code: int, text: str) -> ClusterError:
    """The error for a code, which a later library may have added."""
    known = _CLASSES.get(code)
    return known(text) if known else UnknownError("code %d: %s" % (code, text))
