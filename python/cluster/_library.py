"""Finds libcluster.so, checks it, and declares the functions of cluster/c/cluster.h."""

from __future__ import annotations

import ctypes
import ctypes.util
import glob
import os
from typing import Any, Iterator

from cluster._errors import error_of

# Of the header that this module was written for.
ABI_MAJOR = 1
ABI_MINOR = 1

FOREVER = -1
STATS_SERVER = -1
STATS_REMOVED = -2


class CMessageId(ctypes.Structure):
    _fields_ = [("incarnation", ctypes.c_uint64), ("sequence", ctypes.c_uint64)]


class CEnvelope(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("pid", ctypes.c_int32),
        ("sender_id", ctypes.c_int32),
        ("msg_type", ctypes.c_uint16),
        ("lane", ctypes.c_uint8),
        ("voted", ctypes.c_uint8),
        ("term", ctypes.c_uint64),
        ("payload", ctypes.c_void_p),
        ("payload_size", ctypes.c_size_t),
        ("message_id", CMessageId),
        ("group", ctypes.c_uint64),
        ("correlation", ctypes.c_uint64),
    ]


class CPeerEvent(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("type", ctypes.c_int32),
        ("peer", ctypes.c_int32),
        ("stranger_identity", ctypes.c_int32),
        ("text", ctypes.c_char_p),
        ("reason", ctypes.c_char_p),
        ("unknown_fate", ctypes.c_uint64),
        ("resent", ctypes.c_uint64),
        ("withheld", ctypes.c_uint64),
        ("stranger_address", ctypes.c_char_p),
        ("stranger_source", ctypes.c_char_p),
    ]


class CStranger(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("id", ctypes.c_int32),
        ("identity", ctypes.c_int32),
        ("address", ctypes.c_char_p),
        ("source", ctypes.c_char_p),
    ]


class CFate(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("pid", ctypes.c_int32),
        ("message_id", CMessageId),
        ("dropped", ctypes.c_int32),
        ("text", ctypes.c_char_p),
    ]


class CSendOptions(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("only_if_up", ctypes.c_uint8),
        ("report_fate", ctypes.c_uint8),
        ("zero", ctypes.c_uint16),
        ("timeout_ms", ctypes.c_int64),
        ("expires_after_ms", ctypes.c_int64),
        ("replaces", ctypes.c_uint64),
    ]


ENVELOPE_HANDLER = ctypes.CFUNCTYPE(None, ctypes.POINTER(CEnvelope), ctypes.c_void_p)
EVENT_HANDLER = ctypes.CFUNCTYPE(None, ctypes.POINTER(CPeerEvent), ctypes.c_void_p)
STRANGER_HANDLER = ctypes.CFUNCTYPE(None, ctypes.POINTER(CStranger), ctypes.c_void_p)
FATE_HANDLER = ctypes.CFUNCTYPE(None, ctypes.POINTER(CFate), ctypes.c_void_p)
ANSWER_HANDLER = ctypes.CFUNCTYPE(
    None, ctypes.c_int, ctypes.POINTER(CEnvelope), ctypes.c_void_p)

_SERVER = ctypes.c_void_p
_CALLER = ctypes.c_void_p
_STATS = ctypes.c_void_p
_IDS = ctypes.POINTER(ctypes.c_int32)
_SIZE = ctypes.POINTER(ctypes.c_size_t)
_STATUS = ctypes.c_int

_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "cluster_abi_version": (ctypes.c_uint32, []),
    "cluster_version": (ctypes.c_char_p, []),
    "cluster_last_error": (ctypes.c_char_p, []),
    "cluster_server_new": (
        _STATUS, [ctypes.c_int32, ctypes.c_char_p, ctypes.POINTER(_SERVER)]),
    "cluster_server_new_from_text": (
        _STATUS, [ctypes.c_int32, ctypes.c_char_p, ctypes.POINTER(_SERVER)]),
    "cluster_server_free": (None, [_SERVER]),
    "cluster_server_on_envelope": (_STATUS, [_SERVER, ENVELOPE_HANDLER, ctypes.c_void_p]),
    "cluster_server_on_peer_event": (_STATUS, [_SERVER, EVENT_HANDLER, ctypes.c_void_p]),
    "cluster_server_on_stranger": (_STATUS, [_SERVER, STRANGER_HANDLER, ctypes.c_void_p]),
    "cluster_server_on_fate": (_STATUS, [_SERVER, FATE_HANDLER, ctypes.c_void_p]),
    "cluster_server_start_sending": (_STATUS, [_SERVER]),
    "cluster_server_start_receiving": (_STATUS, [_SERVER]),
    "cluster_server_start": (_STATUS, [_SERVER]),
    "cluster_server_stop": (None, [_SERVER]),
    "cluster_server_send": (
        _STATUS,
        [_SERVER, ctypes.POINTER(CEnvelope), ctypes.c_int64, ctypes.POINTER(CMessageId)]),
    "cluster_server_multicast": (
        _STATUS,
        [_SERVER, _IDS, ctypes.c_size_t, ctypes.POINTER(CEnvelope), ctypes.c_int64,
         ctypes.POINTER(CMessageId), ctypes.POINTER(_STATUS)]),
    "cluster_server_send_with": (
        _STATUS,
        [_SERVER, ctypes.POINTER(CEnvelope), ctypes.POINTER(CSendOptions),
         ctypes.POINTER(CMessageId)]),
    "cluster_server_multicast_with": (
        _STATUS,
        [_SERVER, _IDS, ctypes.c_size_t, ctypes.POINTER(CEnvelope), ctypes.POINTER(CSendOptions),
         ctypes.POINTER(CMessageId), ctypes.POINTER(_STATUS)]),
    "cluster_server_withdraw": (
        _STATUS, [_SERVER, ctypes.c_int32, ctypes.c_uint8, ctypes.c_uint64, ctypes.c_uint64]),
    "cluster_server_receive_any": (
        _STATUS, [_SERVER, ctypes.c_int64, ctypes.POINTER(ctypes.POINTER(CEnvelope)),
                  ctypes.POINTER(ctypes.POINTER(CPeerEvent))]),
    "cluster_peer_event_free": (None, [ctypes.POINTER(CPeerEvent)]),
    "cluster_server_notify_fd": (_STATUS, [_SERVER, ctypes.POINTER(ctypes.c_int)]),
    "cluster_server_renew": (None, [_SERVER]),
    "cluster_server_receive": (
        _STATUS, [_SERVER, ctypes.c_int64, ctypes.POINTER(ctypes.POINTER(CEnvelope))]),
    "cluster_envelope_free": (None, [ctypes.POINTER(CEnvelope)]),
    "cluster_server_flush": (_STATUS, [_SERVER, ctypes.c_int32, ctypes.c_int64]),
    "cluster_server_add_peer": (_STATUS, [_SERVER, ctypes.c_int32, ctypes.c_char_p]),
    "cluster_server_remove_peer": (_STATUS, [_SERVER, ctypes.c_int32]),
    "cluster_server_drain_and_remove_peer": (
        _STATUS, [_SERVER, ctypes.c_int32, ctypes.c_int64]),
    "cluster_server_update_peer": (_STATUS, [_SERVER, ctypes.c_int32, ctypes.c_char_p]),
    "cluster_caller_new": (_STATUS, [_SERVER, ctypes.POINTER(_CALLER)]),
    "cluster_caller_free": (None, [_CALLER]),
    "cluster_caller_call": (
        _STATUS,
        [_CALLER, ctypes.c_int32, ctypes.POINTER(CEnvelope), ctypes.c_int64, ANSWER_HANDLER,
         ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint64)]),
    "cluster_caller_cancel": (_STATUS, [_CALLER, ctypes.c_uint64]),
    "cluster_caller_answer": (
        _STATUS, [_CALLER, ctypes.POINTER(CEnvelope), ctypes.POINTER(CEnvelope)]),
    "cluster_caller_on_envelope": (ctypes.c_int, [_CALLER, ctypes.POINTER(CEnvelope)]),
    "cluster_caller_on_peer_event": (None, [_CALLER, ctypes.POINTER(CPeerEvent)]),
    "cluster_server_reload_security": (_STATUS, [_SERVER]),
    "cluster_server_peers": (_STATUS, [_SERVER, _IDS, ctypes.c_size_t, _SIZE]),
    "cluster_server_address": (_STATUS, [_SERVER, ctypes.c_char_p, ctypes.c_size_t, _SIZE]),
    "cluster_server_stats": (_STATUS, [_SERVER, ctypes.POINTER(_STATS)]),
    "cluster_stats_free": (None, [_STATS]),
    "cluster_stats_peers": (_STATUS, [_STATS, _IDS, ctypes.c_size_t, _SIZE]),
    "cluster_stats_name": (ctypes.c_char_p, [_STATS, ctypes.c_int32, ctypes.c_size_t]),
    "cluster_stats_get": (
        _STATUS, [_STATS, ctypes.c_int32, ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint64)]),
    "cluster_stats_last_trouble": (ctypes.c_char_p, [_STATS, ctypes.c_int32]),
}


def _candidates() -> Iterator[str]:
    named = os.environ.get("CLUSTER_LIBRARY")
    if named:
        yield named
        return
    yield from sorted(glob.glob(os.path.join(os.path.dirname(__file__), "libcluster.so*")))
    yield ctypes.util.find_library("cluster") or "libcluster.so"


def _load() -> ctypes.CDLL:
    tried = []
    for name in _candidates():
        try:
            return _declared(ctypes.CDLL(name), name)
        except OSError as error:
            tried.append(str(error))
    raise ImportError(
        "cannot load libcluster.so: %s. Install the package libcluster0, or set CLUSTER_LIBRARY to "
        "the path of the library" % "; ".join(tried), name="cluster")


def _declared(library: ctypes.CDLL, name: str) -> ctypes.CDLL:
    """The library with the types of its functions, if it is one that this module can use."""
    if not hasattr(library, "cluster_abi_version"):
        raise ImportError("%s has no C API of cluster: it is another library, or too old. Set "
                          "CLUSTER_LIBRARY to the path of the right one" % name, name="cluster")
    library.cluster_abi_version.restype = ctypes.c_uint32
    version = library.cluster_abi_version()
    major, minor = version >> 16, version & 0xffff
    if major != ABI_MAJOR or minor < ABI_MINOR:
        raise ImportError(
            "%s has version %d.%d of the C API, and this module needs %d.%d or a later %d.x: install "
            "the library and the module of one release" % (
                name, major, minor, ABI_MAJOR, ABI_MINOR, ABI_MAJOR), name="cluster")
    for function, (result, arguments) in _FUNCTIONS.items():
        declared = getattr(library, function)
        declared.restype = result
        declared.argtypes = arguments
    return library


lib = _load()


def text(data: bytes) -> str:
    """A text of the library's. It is UTF-8, but for parts that come from a peer."""
    return data.decode("utf-8", "backslashreplace")


def library_version() -> str:
    """The version of the library, "0.2.0" say."""
    return text(lib.cluster_version())


def check(status: int) -> None:
    """Raises the error of a status, with the calling thread's last text."""
    if status:
        raise error_of(status, text(lib.cluster_last_error()))
