"""Commits of canonical/raft: latencies and rates over this library and over its own TCP."""

from matplotlib import pyplot, ticker

from bench.report import style

SYSTEMS = (("libuv", "raw", "canonical's libuv TCP"), ("tcp", "handler", "cluster on tcp"),
           ("zmq", "receive", "cluster on zmq"), ("nng", "receive_batch", "cluster on nng"))
STORAGES = (("memory", "without fsync"), ("disk", "with fsync"))
OUTSTANDING = (1, 32, 512)


def draw(figures, svg_file):
    style.apply()
    page, axes = pyplot.subplots(2, len(OUTSTANDING), figsize=(10, 5.2))
    for column, outstanding in enumerate(OUTSTANDING):
        rows = _rows(outstanding)
        latencies, rates = axes[0][column], axes[1][column]
        latencies.set_title("%d outstanding" % outstanding, loc="left", fontweight="bold")
        latencies.set_xscale("log")
        latencies.margins(x=0.3)
        for row, (case, colour, _) in enumerate(rows):
            style.draw_round_trips(latencies, figures, case, row, colour)
            _draw_rate(rates, figures.spread(case, "items_per_second"), row, colour)
        latencies.xaxis.set_major_formatter(ticker.FuncFormatter(style.duration))
        latencies.xaxis.set_minor_locator(ticker.NullLocator())
        rates.set_xlim(0, rates.get_xlim()[1] * 1.3)  # room for the longest bar's figure
        rates.xaxis.set_major_locator(ticker.MaxNLocator(3))
        rates.xaxis.set_major_formatter(ticker.FuncFormatter(
            lambda value, _: "0" if value == 0 else style.short(value).strip()))
        for panel in (latencies, rates):
            _label(panel, rows, column == 0)
    page.text(0.012, 0.98, "Three servers on TCP loopback, entries of 64 B. Above: from raft_apply to "
              "its callback, \u25cf median, \u25cb 99th percentile. Below: entries per second.",
              va="top", color=style.FAINT)
    page.tight_layout(rect=(0, 0, 1, 0.95), w_pad=1.0)
    style.save(page, svg_file)


def _rows(outstanding):
    return [("%s/%s/%d" % (storage, system, outstanding), style.COLOURS[colour],
             "%s, %s" % (label, kind))
            for storage, kind in STORAGES for system, colour, label in SYSTEMS]


def _label(panel, rows, labelled):
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.set_yticks(range(len(rows)), [label if labelled else "" for _, _, label in rows])
    for tick, (_, colour, _) in zip(panel.get_yticklabels(), rows):
        tick.set_color(colour)
    panel.grid(axis="y", visible=False)


def _draw_rate(panel, spread, row, colour):
    if not spread:
        return
    errors = [[spread.median - spread.low], [spread.high - spread.median]]
    panel.barh(row, spread.median, height=0.7, color=colour, xerr=errors,
               error_kw={"ecolor": style.INK, "elinewidth": 0.8, "alpha": 0.6})
    panel.annotate(style.short(spread.median) + "/s", (spread.high, row), (4, 0),
                   textcoords="offset points", va="center", color=colour, fontsize=7.5)
