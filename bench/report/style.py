"""The style of the plots: one colour per system in all plots, direct labels, no frame."""

import matplotlib

matplotlib.use("svg")
# Imported after the choice of a backend that needs no display.
from matplotlib import pyplot  # pylint: disable=wrong-import-position

INK = "#222222"
FAINT = "#8b8b8b"
GRID = "#e6e6e6"

# By kind of case; kinds of the bare libraries are grey.
COLOURS = {
    "raw": "#9a9a9a",
    "batched": "#4d4d4d",
    "handler": "#0b62a8",
    "receive": "#e08214",
    "receive_batch": "#1b9e77",
    "peer": "#c2703d",
}


def apply():
    pyplot.rcParams.update({
        # Text stays text in the files: a reader can select and search it.
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
        "font.size": 9,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": FAINT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "xtick.color": FAINT,
        "xtick.labelcolor": INK,
        "ytick.color": FAINT,
        "ytick.labelcolor": INK,
        "xtick.minor.size": 0,
        "ytick.minor.size": 0,
        "ytick.major.size": 0,
        # The same figures give the same bytes.
        "svg.hashsalt": "cluster",
    })


def save(figure, svg_file):
    figure.savefig(svg_file, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def short(value):
    """Three digits and a unit: "2.41 M", "812 "."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            return "%.3g %s" % (value / unit, name)
    return "%.3g " % value


def draw_round_trips(panel, figures, case, row, colour):
    """The median and the 99th percentile of a case, as two points of a row."""
    median = figures.spread(case, "p50_us")
    tail = figures.spread(case, "p99_us")
    if not median or not tail:
        return
    panel.plot([median.median, tail.median], [row, row], color=colour, linewidth=1, alpha=0.45)
    for value, fill in ((median.median, colour), (tail.median, "white")):
        panel.plot(value, row, color=colour, marker="o", markersize=5.5, markerfacecolor=fill)
    # Beside the points, on the sides away from the line between them.
    for value, offset, side in ((median.median, -6, "right"), (tail.median, 6, "left")):
        panel.annotate(_digits(value), (value, row), (offset, 0), textcoords="offset points",
                       ha=side, va="center", color=colour, fontsize=7)


def _digits(us):
    return "%.0f" % us if us >= 100 else "%.3g" % us


def duration(us, _):
    """A label of an axis in microseconds."""
    return "%g ms" % (us / 1000) if us >= 1000 else "%g \u00b5s" % us


def apart(places, distance):
    """The places, in their order, moved as little as possible to keep that distance."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    groups = []  # of indexes, with the place of their centre
    for i in order:
        groups.append(([i], places[i]))
        while len(groups) > 1 and _overlap(groups[-2], groups[-1], distance):
            last, before = groups.pop(), groups.pop()
            members = before[0] + last[0]
            groups.append((members, sum(places[j] for j in members) / len(members)))
    moved = list(places)
    for members, centre in groups:
        for rank, i in enumerate(members):
            moved[i] = centre + (rank - (len(members) - 1) / 2) * distance
    return moved


def _overlap(lower, upper, distance):
    return upper[1] - lower[1] < (len(lower[0]) + len(upper[0])) / 2 * distance
