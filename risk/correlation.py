"""Correlation of instruments: Pearson of log returns on closed bars, refreshed when asked and due.

Guarantees: the hot path only keeps the tuples of bars as they came; a value is stored when the old one is
at least `correlation_refresh_s` of desk time old, or when the new one lies on the other side of the
threshold; fewer than half a window of common returns is unknown (None), never 0.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np

from risk.market import bar_of
from risk.settings import RiskSettings
from risk.vocabulary import MINUTE_NS, Bar, Instant

TIMEFRAMES = (5, 15, 60)  # minutes, finest first
_SECOND_NS = 1_000_000_000

Pair = tuple[str, str]
_Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
_Stamps = np.ndarray[tuple[int], np.dtype[np.int64]]


def pair_of(a: str, b: str) -> Pair:
    """Return the two names in order: a pair has one key."""
    return (a, b) if a <= b else (b, a)


def pearson(x: _Floats, y: _Floats) -> float | None:
    """Return Pearson's correlation of two samples of equal length, None if one does not vary."""
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    if not scale > 0.0 or not math.isfinite(scale):
        return None
    return max(-1.0, min(1.0, float(x @ y) / scale))


class _Returns:
    """Log returns of one instrument on one timeframe, worked out of the tape up to the last reading."""

    __slots__ = ("_close", "_end", "_minutes", "_returns", "_slot", "_stamps", "_ts", "_window")

    def __init__(self, minutes: int, window: int) -> None:
        self._minutes, self._window = minutes, window
        self._stamps: _Stamps = np.empty(4 * window, dtype=np.int64)
        self._returns: _Floats = np.empty(4 * window, dtype=np.float64)
        self._end = 0
        self._ts, self._close, self._slot = 0, 0.0, 0

    def catch_up(self, tape: deque[tuple[Bar, ...]], instrument: str) -> None:
        """Take over the bars that came since the last call; a return needs two bars in a row."""
        fresh: list[Bar] = []
        for bars in reversed(tape):
            if bars[0].ts_event <= self._ts:
                break
            bar, self._slot = bar_of(bars, instrument, self._slot)
            if bar is not None:
                fresh.append(bar)
        step = self._minutes * MINUTE_NS
        for bar in reversed(fresh):
            if bar.ts_event - self._ts == step and bar.close > 0.0 and self._close > 0.0:
                self._append(bar.ts_event, math.log(bar.close / self._close))
            self._ts, self._close = bar.ts_event, bar.close

    def _append(self, ts: int, value: float) -> None:
        if self._end == len(self._stamps):
            kept = self._window
            self._stamps[:kept] = self._stamps[-kept:]
            self._returns[:kept] = self._returns[-kept:]
            self._end = kept
        self._stamps[self._end], self._returns[self._end] = ts, value
        self._end += 1

    def window(self, now: int) -> tuple[_Stamps, _Floats]:
        """Return stamps and returns of the window of bars that ends at `now`."""
        start = max(0, self._end - self._window)
        stamps = self._stamps[start : self._end]
        first = int(np.searchsorted(stamps, now - self._window * self._minutes * MINUTE_NS, side="right"))
        return stamps[first:], self._returns[start + first : self._end]


class CorrelationBook:
    """Bars of the correlation timeframes, and the stored correlation of each pair that mattered."""

    def __init__(self, settings: RiskSettings) -> None:
        self._settings = settings
        self._window = settings.correlation_window_bars
        self._minimum = self._window // 2
        self._tapes: dict[int, deque[tuple[Bar, ...]]] = {
            m: deque(maxlen=self._window + 1) for m in TIMEFRAMES
        }
        self._series: dict[tuple[int, str], _Returns] = {}
        self._stored: dict[Pair, tuple[int, float]] = {}
        self._asked: dict[Pair, int] = {}
        self._now = 0

    def on_instant(self, instant: Instant) -> None:
        """Keep the bars of an instant (hot path)."""
        self._now = instant.ts_event
        by_minutes = instant.bars
        for minutes, tape in self._tapes.items():
            bars = by_minutes.get(minutes)
            if bars:
                tape.append(bars)

    def value(self, a: str, b: str) -> float | None:
        """Return the stored correlation, None while it is unknown."""
        stored = self._stored.get(pair_of(a, b))
        return None if stored is None else stored[1]

    def update(self, a: str, b: str, value: float, ts: int) -> float:
        """Offer a new value at desk time `ts`; return what is stored afterwards.

        Raises
        ------
        ValueError
            If the value is not a number in [-1, 1].

        """
        if not -1.0 <= value <= 1.0:
            raise ValueError(f"correlation of {a} and {b} was {value}, expected a number in [-1, 1]")
        pair = pair_of(a, b)
        stored = self._stored.get(pair)
        if stored is not None:
            threshold = self._settings.max_abs_correlation
            same_side = (abs(stored[1]) >= threshold) == (abs(value) >= threshold)
            if same_side and ts - stored[0] < self._settings.correlation_refresh_s * _SECOND_NS:
                return stored[1]
        self._stored[pair] = (ts, value)
        return value

    def refresh(self, a: str, b: str, ts: int) -> float | None:
        """Measure a pair if that is due, and return its stored correlation (None: unknown)."""
        pair = pair_of(a, b)
        asked = self._asked.get(pair)
        if asked is None or ts - asked >= self._settings.correlation_refresh_s * _SECOND_NS:
            self._asked[pair] = ts
            measured = self.measure(a, b)
            if measured is not None:
                self.update(a, b, measured, ts)
        return self.value(a, b)

    def due_ns(self, a: str, b: str) -> int:
        """Return the desk time from which `refresh` measures the pair again."""
        asked = self._asked.get(pair_of(a, b))
        return 0 if asked is None else asked + self._settings.correlation_refresh_s * _SECOND_NS

    def measure(self, a: str, b: str) -> float | None:
        """Return Pearson of the pair on the finest timeframe with enough common returns, None if none has."""
        for minutes in TIMEFRAMES:
            stamps_a, x = self._returns(minutes, a)
            stamps_b, y = self._returns(minutes, b)
            if min(len(x), len(y)) < self._minimum:
                continue
            if not np.array_equal(stamps_a, stamps_b):
                _, at_a, at_b = np.intersect1d(stamps_a, stamps_b, assume_unique=True, return_indices=True)
                x, y = x[at_a], y[at_b]
            if len(x) >= self._minimum:
                return pearson(x, y)
        return None

    def _returns(self, minutes: int, instrument: str) -> tuple[_Stamps, _Floats]:
        key = (minutes, instrument)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Returns(minutes, self._window)
        series.catch_up(self._tapes[minutes], instrument)
        return series.window(self._now)

    def state(self) -> dict[str, Any]:
        """Return the stored values as JSON-able values; the bars come back by warm-up."""
        return {
            "stored": [[*pair, ts, value] for pair, (ts, value) in self._stored.items()],
            "asked": [[*pair, ts] for pair, ts in self._asked.items()],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self._stored = {(a, b): (int(ts), float(value)) for a, b, ts, value in state["stored"]}
        self._asked = {(a, b): int(ts) for a, b, ts in state["asked"]}
