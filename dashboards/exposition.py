"""Metrics in Prometheus' text format, rendered by the reader's thread.

Guarantees: what is asked again within `keep_s` is answered from memory, so many readers cost no more than
one; while rendering, the interpreter is offered to the desk after every metric.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from dashboards.metrics import METRICS, Kind, Metric
from dashboards.store import MetricStore

CONTENT_TYPE = CONTENT_TYPE_LATEST
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
            time.sleep(0)  # lets the desk's thread have the interpreter

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
        self._keep_s, self._lock = keep_s, threading.Lock()
        self._text, self._rendered = b"", -1e9

    def text(self) -> bytes:
        """Return the text, at most `keep_s` old."""
        with self._lock:
            now = time.monotonic()
            if now - self._rendered >= self._keep_s:
                self._text = generate_latest(self.registry)
                self._rendered = now
                self.renderings += 1
            return self._text
