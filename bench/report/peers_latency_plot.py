"""Round trips of this library and of others: a row for each library."""

from matplotlib import pyplot, ticker

from bench.report import peers_systems, style

CASE = "rtt/{}/64"


def draw(figures, svg_file):
    style.apply()
    systems = peers_systems.measured(figures, [CASE], "p50_us")
    page, panel = pyplot.subplots(figsize=(10, 3.2))
    panel.set_xscale("log")
    panel.margins(x=0.1)  # room for the figures beside the outermost points
    for row, (name, colour, _) in enumerate(systems):
        style.draw_round_trips(panel, figures, CASE.format(name), row, colour)
    panel.xaxis.set_major_formatter(ticker.FuncFormatter(style.duration))
    panel.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_minor_locator(ticker.NullLocator())
    peers_systems.label_rows(panel, systems)
    page.text(0.012, 0.975, "Round trips of 64 B in \u00b5s, TCP loopback: \u25cf median, \u25cb 99th "
              "percentile, each the median over repetitions.", va="top", color=style.FAINT)
    page.tight_layout(rect=(0, 0, 1, 0.94))
    style.save(page, svg_file)
