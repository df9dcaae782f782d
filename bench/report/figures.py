"""The figures of a run by case and counter, with the spread over repetitions."""

import collections
import json
import statistics

# The median, and the quartiles: half of the repetitions are between them.
Spread = collections.namedtuple("Spread", "low median high")


class Figures:
    def __init__(self, measured):
        self._values = collections.defaultdict(list)
        for benchmark in measured["benchmarks"]:
            for counter, value in benchmark.items():
                if isinstance(value, (int, float)):
                    self._values[benchmark["name"], counter].append(value)

    @staticmethod
    def load(json_file):
        with open(json_file, encoding="utf-8") as file:
            return Figures(json.load(file))

    def transports(self, wanted):
        """Those of the wanted transports that any case measured; all if none."""
        measured = {name for case, _ in self._values for name in case.split("/")[1:2]}
        return [name for name in wanted if name in measured] or list(wanted)

    def spread(self, case, counter):
        """None if the case did not run."""
        values = self._values.get((case, counter))
        if not values:
            return None
        if len(values) == 1:
            return Spread(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return Spread(low, median, high)
