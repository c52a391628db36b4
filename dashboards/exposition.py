"""Metrics in Prometheus' text format, rendered by the reader's thread.

Guarantees: what is asked again within `keep_s` is answered from memory, so many readers cost no more than
one; while rendering, the interpreter is offered to the desk again and again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from dashboards.metrics import METRICS, Kind, Metric
from dashboards.store import Histogram, Labels, MetricStore

CONTENT_TYPE = CONTENT_TYPE_LATEST
_YIELD_EVERY = 8  # metrics
Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily


class StoreCollector(Collector):
    """Turns a store into metric families when Prometheus asks."""

    def __init__(self, store: MetricStore, before: Callable[[], None]) -> None:
        self._store, self._before = store, before

    def describe(self) -> list[Family]:
        """Name the families without values, for the registry's check of duplicates."""
        return [_family(metric) for metric in METRICS.values()]

    def collect(self) -> Iterator[Family]:
        """Yield every family, one at a time."""
        self._before()
        for metric in METRICS.values():
            yield self._filled(metric)

    def _filled(self, metric: Metric) -> Family:
        family = _family(metric)
        store = self._store
        if isinstance(family, HistogramMetricFamily):
            for labels, histogram in store.histograms[metric.name].items():
                family.add_metric(labels, histogram.cumulative(), histogram.total)
        elif isinstance(family, InfoMetricFamily):
            family.add_metric((), store.info)
        else:
            for labels, value in list(store.values[metric.name].items()):
                family.add_metric(labels, value)
        return family


def _family(metric: Metric) -> Family:
    if metric.kind is Kind.COUNTER:
        return CounterMetricFamily(metric.family, metric.help, labels=metric.labels)
    if metric.kind is Kind.HISTOGRAM:
        return HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    if metric.kind is Kind.INFO:
        return InfoMetricFamily(metric.family, metric.help)
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)


class _Writer:
    """Writes the text of one metric; everything but the values is put together once.

    The library's own rendering takes eight times as long; a test holds both texts equal byte for byte.
    """

    def __init__(self, metric: Metric, store: MetricStore) -> None:
        self._metric, self._store = metric, store
        kind = "gauge" if metric.kind is Kind.INFO else metric.kind.value
        self._head = f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {kind}\n"
        if metric.kind is Kind.HISTOGRAM:
            self._histograms = store.histograms[metric.name]
            self._prefixes = [
                prefix for labels, found in self._histograms.items() for prefix in self._of_one(labels, found)
            ]
        elif metric.kind is not Kind.INFO:
            self._values = store.values[metric.name]
            self._prefixes = [
                f"{metric.name}{_braces(zip(metric.labels, labels, strict=True))} " for labels in self._values
            ]

    def _of_one(self, labels: Labels, histogram: Histogram) -> list[str]:
        name, pairs = self._metric.name, list(zip(self._metric.labels, labels, strict=True))
        buckets = [f"{name}_bucket{_braces([*pairs, ('le', bound)])} " for bound, _ in histogram.cumulative()]
        return [*buckets, f"{name}_count{_braces(pairs)} ", f"{name}_sum{_braces(pairs)} "]

    def text(self) -> str:
        """Return the metric's lines with its values of now."""
        if self._metric.kind is Kind.INFO:
            return f"{self._head}{self._metric.name}{_braces(self._store.info.items())} 1.0\n"
        if self._metric.kind is Kind.HISTOGRAM:
            values: list[float] = []
            for histogram in self._histograms.values():
                counts = [count for _, count in histogram.cumulative()]
                values += [*counts, counts[-1], histogram.total]
        else:
            values = list(self._values.values())
        lines = [f"{prefix}{_number(value)}\n" for prefix, value in zip(self._prefixes, values, strict=True)]
        return self._head + "".join(lines)


def _braces(pairs: Iterable[tuple[str, str]]) -> str:
    text = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(pairs))
    return f"{{{text}}}" if text else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return repr(value) if -1e6 < value < 1e6 else str(floatToGoString(value))  # type: ignore[no-untyped-call]


class Exposition:
    """The text of all metrics, at most one rendering each `keep_s`.

    Parameters
    ----------
    store : MetricStore
        The values.
    before : Callable
        Called before a rendering: brings values up to date that nobody bumps.
    keep_s : float
        How long a rendering is given out again.
    """

    def __init__(
        self, store: MetricStore, before: Callable[[], None] = lambda: None, keep_s: float = 0.25
    ) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(StoreCollector(store, before))
        self.renderings = 0
        self._before = before
        self._writers = [_Writer(metric, store) for metric in METRICS.values()]
        self._keep_s, self._lock = keep_s, threading.Lock()
        self._text, self._rendered = b"", -1e9

    def text(self) -> bytes:
        """Return the text, at most `keep_s` old."""
        with self._lock:
            now = time.monotonic()
            if now - self._rendered >= self._keep_s:
                self._text = self._render()
                self._rendered = now
                self.renderings += 1
            return self._text

    def _render(self) -> bytes:
        self._before()
        parts = []
        for place, writer in enumerate(self._writers):
            parts.append(writer.text())
            if place % _YIELD_EVERY == 0:
                time.sleep(0)  # lets the desk's thread have the interpreter
        return "".join(parts).encode()

    def library_text(self) -> bytes:
        """Return the same by the library's own rendering, at once."""
        return generate_latest(self.registry)
