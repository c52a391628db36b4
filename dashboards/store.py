"""The values behind the metrics: plain dictionaries that the desk's thread bumps and another thread reads.

Guarantees: every label set exists from the start, so a dictionary never changes its size while it is read;
writing a value is one dictionary store, about 50 ns, and waits for nobody.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from dashboards.metrics import METRICS, Domain, Kind, label_sets

Labels = tuple[str, ...]


class Histogram:
    """Counts per bucket, and the sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Return (upper bound, values up to it), the last one `+Inf`."""
        found, seen = [], 0
        for bound, count in zip((*map(repr, self.bounds), "+Inf"), list(self.counts), strict=True):
            seen += count
            found.append((bound, float(seen)))
        return found


class MetricStore:
    """All values of one run.

    Parameters
    ----------
    domain : Domain
        The label sets of the run.
    """

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.values: dict[str, dict[Labels, float]] = {}
        self.histograms: dict[str, dict[Labels, Histogram]] = {}
        self.info: dict[str, str] = {}
        for metric in METRICS.values():
            sets = list(label_sets(metric, domain))
            if metric.kind is Kind.HISTOGRAM:
                self.histograms[metric.name] = {labels: Histogram(metric.bounds) for labels in sets}
            elif metric.kind is not Kind.INFO:
                self.values[metric.name] = dict.fromkeys(sets, 0.0)

    def __getitem__(self, name: str) -> dict[Labels, float]:
        """Return the values of a metric by label set; keep it and write into it."""
        return self.values[name]

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a value; a label set that the run does not have raises KeyError."""
        values = self.values[name]
        if labels not in values:
            raise KeyError(f"{name} has no label set {labels}: it must be in the domain of the run")
        values[labels] = value

    def add(self, name: str, amount: float, *labels: str) -> None:
        """Add to a value."""
        self.set(name, self.values[name].get(labels, 0.0) + amount, *labels)

    def one_of(self, name: str, chosen: str, *labels: str) -> None:
        """Set the series of `chosen` (the last label) to 1 and its siblings to 0."""
        values = self.values[name]
        depth = len(labels)
        self.set(name, 1.0, *labels, chosen)
        for key in values:
            if key[:depth] == labels and key[depth] != chosen:
                values[key] = 0.0

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Count a value in a histogram."""
        self.histograms[name][labels].observe(value)

    def snapshot(self) -> dict[str, Any]:
        """Return all plain values as `name{label,label}` -> value, for the CSV and for tests."""
        return {
            f"{name}{{{','.join(labels)}}}" if labels else name: value
            for name, values in self.values.items()
            for labels, value in list(values.items())
        }
