"""Throughput by payload size: a panel for each transport, to one receiver and to three."""

import math

from matplotlib import pyplot, ticker

from bench.report import style

TRANSPORTS = ("zmq", "nng", "tcp")
SIZES = (64, 1024, 65536, 1048576)
SIZE_NAMES = ("64 B", "1 KiB", "64 KiB", "1 MiB")
# Kind of case, its colour, its label; the bare library first, so that ours is drawn over it.
TO_ONE = (("raw", "raw", "raw {}"),
          ("batched", "batched", "batched by hand"),
          ("receive", "receive", "Receive"),
          ("receive_batch", "receive_batch", "ReceiveBatch"),
          ("unicast", "handler", "handler"))
TO_THREE = (("raw3", "raw", "raw {}"),
            ("batched3", "batched", "batched by hand"),
            ("broadcast3", "handler", "handler"))
LABEL_HEIGHT = 0.045  # of a panel
LABEL_OCTAVES = 12  # room for labels, left of the least size


def draw(figures, svg_file):
    style.apply()
    transports = figures.transports(TRANSPORTS)
    page, axes = pyplot.subplots(2, len(transports), figsize=(5 * len(transports), 7.6),
                                 sharex=True, sharey="row", squeeze=False)
    for row, kinds, title in ((0, TO_ONE, "to one"), (1, TO_THREE, "to three, delivered to all")):
        labels = [_draw_lines(panel, figures, kinds, transport)
                  for panel, transport in zip(axes[row], transports)]
        # The panels of a row share their scale, which is final now.
        for panel, transport, texts in zip(axes[row], transports, labels):
            panel.set_title("%s: %s" % (transport, title), loc="left", fontweight="bold")
            _draw_labels(panel, texts)
    for panel in axes[1]:
        panel.set_xlabel("payload of an envelope")
    page.text(0.012, 0.985, "Payload delivered per second, TCP loopback. Colours: cluster; greys: "
              "the bare library. Median and quartiles over repetitions;\n"
              "beside the names: envelopes of 64 B per second.", va="top", color=style.FAINT)
    page.tight_layout(rect=(0, 0, 1, 0.95), h_pad=2.0, w_pad=2.5)
    style.save(page, svg_file)


def _draw_lines(panel, figures, kinds, transport):
    """Returns the labels of the lines: their line, text and colour."""
    labels = []
    for kind, colour, label in kinds:
        points = [(size, figures.spread("%s/%s/%d" % (kind, transport, size), "bytes_per_second"))
                  for size in SIZES]
        points = [(size, spread) for size, spread in points if spread]
        if not points:
            continue
        colour = style.COLOURS[colour]
        _draw_line(panel, points, colour)
        size, spread = points[0]
        rate = style.short(spread.median / size) + "/s"
        labels.append((points[0], "%s  %s" % (label.format(transport), rate), colour))
    _scale(panel)
    return labels


def _draw_line(panel, points, colour):
    sizes = [size for size, _ in points]
    medians = [spread.median for _, spread in points]
    errors = [[spread.median - spread.low for _, spread in points],
              [spread.high - spread.median for _, spread in points]]
    panel.errorbar(sizes, medians, errors, color=colour, linewidth=1.8, marker="o", markersize=4.5,
                   elinewidth=1.2, capsize=2.5)


def _draw_labels(panel, labels):
    """Left of each line's first point; lines are apart there, and meet at the right."""
    low, high = panel.get_ylim()
    places = style.apart([math.log10(spread.median) for (_, spread), _, _ in labels],
                         LABEL_HEIGHT * math.log10(high / low))
    for ((size, spread), text, colour), place in zip(labels, places):
        panel.annotate(text, (size, spread.median), (size / 2, 10**place), color=colour,
                       ha="right", va="center", fontsize=8.5,
                       bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
                       arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6,
                                   "shrinkA": 1, "shrinkB": 3})


def _scale(panel):
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.set_xlim(SIZES[0] / 2**LABEL_OCTAVES, SIZES[-1] * 1.6)
    panel.set_xticks(SIZES, SIZE_NAMES)
    panel.xaxis.set_minor_locator(ticker.NullLocator())
    panel.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(ticker.FuncFormatter(_bytes_per_second))
    panel.yaxis.set_tick_params(labelleft=True)
    panel.yaxis.set_minor_locator(ticker.NullLocator())
    panel.grid(axis="x", visible=False)


def _bytes_per_second(value, _):
    return style.short(value) + "B/s"
