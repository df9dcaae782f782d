"""A user's script on the installed module: an envelope between two servers."""

import cluster

config = {
    "transport": "memory",
    "servers": [{"id": 1, "address": "one"}, {"id": 2, "address": "two"}],
}

with cluster.Server(1, config) as one, cluster.Server(2, config) as two:
    one.send(cluster.Envelope(pid=2, payload=b"hello"))
    assert two.receive(timeout=60).payload == b"hello"
