"""The rows of the plots of other libraries: this library, what it is built on, then the others."""

from bench.report import style

# The name in the cases, the colour, the label.
SYSTEMS = (
    ("cluster_zmq", "handler", "cluster on ZeroMQ"),
    ("cluster_nng", "handler", "cluster on nng"),
    ("cluster_tcp", "handler", "cluster on tcp"),
    ("zmq", "raw", "ZeroMQ"),
    ("nng", "raw", "nng"),
    ("tcp", "raw", "TCP, a write each"),
    ("tcp_batched", "batched", "TCP, batched by hand"),
    ("grpc_buffered", "peer", "gRPC, buffered"),
    ("grpc", "peer", "gRPC"),
    ("nanomsg", "peer", "nanomsg"),
    ("caf", "peer", "CAF"),
)


def measured(figures, cases, counter):
    """The systems that have any of the cases, of which "{}" is the name."""
    return [(name, style.COLOURS[colour], label) for name, colour, label in SYSTEMS
            if any(figures.spread(case.format(name), counter) for case in cases)]


def label_rows(panel, systems):
    panel.set_ylim(len(systems) - 0.4, -0.6)
    panel.set_yticks(range(len(systems)), [label for _, _, label in systems])
    for tick, (_, colour, _) in zip(panel.get_yticklabels(), systems):
        tick.set_color(colour)
    panel.grid(axis="y", visible=False)
