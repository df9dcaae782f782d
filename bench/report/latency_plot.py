"""Percentiles of round trips: a panel for each transport, a row for each case."""

from matplotlib import pyplot, ticker

from bench.report import style

TRANSPORTS = ("zmq", "nng", "tcp")
# A heading, then its rows: the case, its colour, its label.
GROUPS = (
    ("64 B", (("raw_rtt/{}/64", "raw", "raw {}"),
              ("rtt/{}/64", "handler", "cluster, handler"),
              ("rtt_receive/{}/64", "receive", "cluster, Receive"))),
    ("64 B, all on one core", (("raw_rtt_pinned/{}/64", "raw", "raw {}"),
                               ("rtt_pinned/{}/64", "handler", "cluster, handler"),
                               ("rtt_receive_pinned/{}/64", "receive", "cluster, Receive"))),
    ("64 B, a busy session", (("rtt_under_load/{}", "handler", "half of the maximum rate"),
                             ("rtt_under_bulk/{}", "handler", "urgent, beside 64 MiB bulk"))),
    ("1 KiB", (("raw_rtt/{}/1024", "raw", "raw {}"),
               ("rtt/{}/1024", "handler", "cluster, handler"))),
    ("64 KiB", (("raw_rtt/{}/65536", "raw", "raw {}"),
                ("rtt/{}/65536", "handler", "cluster, handler"))),
    ("1 MiB", (("raw_rtt/{}/1048576", "raw", "raw {}"),
               ("rtt/{}/1048576", "handler", "cluster, handler"))),
)


def draw(figures, svg_file):
    style.apply()
    transports = figures.transports(TRANSPORTS)
    page, axes = pyplot.subplots(1, len(transports), figsize=(5 * len(transports), 6.4),
                                 sharex=True, squeeze=False)
    for panel, transport in zip(axes[0], transports):
        _draw_panel(panel, figures, transport)
    page.text(0.012, 0.985, "Round trips in \u00b5s, TCP loopback: \u25cf median, \u25cb 99th percentile, "
              "each the median over repetitions.", va="top", color=style.FAINT)
    page.tight_layout(rect=(0, 0, 1, 0.965), w_pad=2.5)
    style.save(page, svg_file)


def _draw_panel(panel, figures, transport):
    panel.set_title(transport, loc="left", fontweight="bold")
    panel.set_xscale("log")
    panel.margins(x=0.13)  # room for the figures beside the outermost points
    places, labels = [], []
    row = 0
    for heading, cases in GROUPS:
        places.append(row)
        labels.append((heading, "bold", style.INK))
        for case, colour, label in cases:
            row += 1
            places.append(row)
            labels.append((label.format(transport), "normal", style.COLOURS[colour]))
            style.draw_round_trips(panel, figures, case.format(transport), row,
                                   style.COLOURS[colour])
        row += 1.5
    panel.set_ylim(row - 0.5, -0.8)
    panel.set_yticks(places, [text for text, _, _ in labels])
    for tick, (_, weight, colour) in zip(panel.get_yticklabels(), labels):
        tick.set_fontweight(weight)
        tick.set_color(colour)
    panel.xaxis.set_major_formatter(ticker.FuncFormatter(style.duration))
    panel.grid(axis="y", visible=False)
