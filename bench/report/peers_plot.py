"""Rates of this library and of others: a panel for each case, a bar for each library."""

from matplotlib import pyplot, ticker

from bench.report import peers_systems, style

# The case, the counter, its unit, the title.
PANELS = (("one/{}/64", "items_per_second", "/s", "64 B to one"),
          ("one/{}/1024", "items_per_second", "/s", "1 KiB to one"),
          ("one/{}/65536", "bytes_per_second", "B/s", "64 KiB to one"),
          ("three/{}/64", "items_per_second", "/s", "64 B to three"))


def draw(figures, svg_file):
    style.apply()
    systems = peers_systems.measured(figures, [case for case, _, _, _ in PANELS],
                                     "items_per_second")
    page, axes = pyplot.subplots(1, len(PANELS), figsize=(10, 3.9), sharey=True)
    for panel, (case, counter, unit, title) in zip(axes, PANELS):
        panel.set_title(title, loc="left", fontweight="bold")
        for row, (name, colour, _) in enumerate(systems):
            _draw_bar(panel, figures.spread(case.format(name), counter), row, colour, unit)
        panel.set_xlim(0, panel.get_xlim()[1] * 1.25)  # room for the longest bar's figure
        panel.xaxis.set_major_locator(ticker.MaxNLocator(3))
        panel.xaxis.set_major_formatter(ticker.FuncFormatter(
            lambda value, _: "0" if value == 0 else style.short(value).strip()))
        peers_systems.label_rows(panel, systems)
    page.text(0.012, 0.975, "Envelopes, and bytes of payload, delivered per second; TCP loopback, one "
              "thread sends, every byte is read. Median and quartiles over repetitions.",
              va="top", color=style.FAINT)
    page.tight_layout(rect=(0, 0, 1, 0.94), w_pad=1.0)
    style.save(page, svg_file)


def _draw_bar(panel, spread, row, colour, unit):
    if not spread:
        return
    errors = [[spread.median - spread.low], [spread.high - spread.median]]
    panel.barh(row, spread.median, height=0.7, color=colour, xerr=errors,
               error_kw={"ecolor": style.INK, "elinewidth": 0.8, "alpha": 0.6})
    panel.annotate(style.short(spread.median) + unit, (spread.high, row), (4, 0),
                   textcoords="offset points", va="center", color=colour, fontsize=7.5)
