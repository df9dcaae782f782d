"""The transports that suites run on, for BUILD files.

A new transport is one line in one of the two lists. //tests/harness:transports_test compares them
with the library's own table.
"""

# The transports that connect several processes.
SOCKET_TRANSPORTS = [
    "nng",
    "tcp",
    "zmq",
]

TRANSPORTS = ["memory"] + SOCKET_TRANSPORTS

SECURABLE_TRANSPORTS = SOCKET_TRANSPORTS

# Those on byte streams (transport/stream), which speak to each other.
STREAM_TRANSPORTS = [
    "nng",
    "tcp",
]

# As parameters of tests.
SECURED_TRANSPORTS = ["secured_" + name for name in SECURABLE_TRANSPORTS]
