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
_NO_VARIANCE = 1e-18  # a sum of squared log returns: prices that do not move

Pair = tuple[str, str]
_Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
_Stamps = np.ndarray[tuple[int], np.dtype[np.int64]]
_ONES = np.ones(288)  # a sum as a dot product takes a third of the time of `sum` on a day of 5m bars


def pair_of(a: str, b: str) -> Pair:
    """Return the two names in order: a pair has one key."""
    return (a, b) if a <= b else (b, a)


def pearson(x: _Floats, y: _Floats) -> float | None:
    """Return Pearson's correlation of two samples of equal length, None if one does not vary."""
    count = len(x)
    ones = np.ones(count) if count != len(_ONES) else _ONES
    sum_x, sum_y = float(x.dot(ones)), float(y.dot(ones))
    # Means of log returns are far below their spread, so this form loses no digits that matter.
    variance_x = float(x.dot(x)) - sum_x * sum_x / count
    variance_y = float(y.dot(y)) - sum_y * sum_y / count
    if not (variance_x > _NO_VARIANCE and variance_y > _NO_VARIANCE):
        return None
    value = (float(x.dot(y)) - sum_x * sum_y / count) / math.sqrt(variance_x * variance_y)
    return max(-1.0, min(1.0, value)) if math.isfinite(value) else None


class _Returns:
    """Log returns of one instrument on one timeframe, worked out of the tape up to the last reading.

    Attributes
    ----------
    last_ts : int
        Close of the newest bar taken over.
    run : int
        How many of the newest returns follow each other without a hole.

    """

    __slots__ = ("_close", "_end", "_returns", "_slot", "_stamps", "_step", "_window", "last_ts", "run")

    def __init__(self, minutes: int, window: int) -> None:
        self._step, self._window = minutes * MINUTE_NS, window
        self._stamps: _Stamps = np.empty(4 * window, dtype=np.int64)
        self._returns: _Floats = np.empty(4 * window, dtype=np.float64)
        self._end = 0
        self._close, self._slot = 0.0, 0
        self.last_ts, self.run = 0, 0

    def catch_up(self, tape: deque[tuple[Bar, ...]], instrument: str) -> None:
        """Take over the bars that came since the last call; a return needs two bars in a row."""
        fresh: list[Bar] = []
        last = self.last_ts
        for bars in reversed(tape):
            if bars[0][2] <= last:
                break
            bar, self._slot = bar_of(bars, instrument, self._slot)
            if bar is not None:
                fresh.append(bar)
        for bar in reversed(fresh):
            ts, close = bar.ts_event, bar.close
            if ts - self.last_ts == self._step and close > 0.0 and self._close > 0.0:
                self._append(ts, math.log(close / self._close))
                self.run += 1
            else:
                self.run = 0
            self.last_ts, self._close = ts, close

    def _append(self, ts: int, value: float) -> None:
        if self._end == len(self._stamps):
            kept = self._window
            self._stamps[:kept] = self._stamps[-kept:]
            self._returns[:kept] = self._returns[-kept:]
            self._end = kept
        self._stamps[self._end], self._returns[self._end] = ts, value
        self._end += 1

    def fills_window(self, now: int) -> bool:
        """Say whether the window that ends at `now` is full, without a hole."""
        return self.run >= self._window and self.last_ts > now - self._step

    def newest(self) -> _Floats:
        """Return the newest window of returns, whatever their stamps."""
        return self._returns[self._end - self._window : self._end]

    def window(self, now: int) -> tuple[_Stamps, _Floats]:
        """Return stamps and returns of the window of bars that ends at `now`."""
        start = max(0, self._end - self._window)
        oldest = now - self._window * self._step
        start += int(np.searchsorted(self._stamps[start : self._end], oldest, side="right"))
        return self._stamps[start : self._end], self._returns[start : self._end]


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

    def warmup_bars(self) -> dict[int, int]:
        """Return how many bars of each timeframe (minutes) fill the window."""
        return dict.fromkeys(TIMEFRAMES, self._window + 1)

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
        for minutes, tape in self._tapes.items():
            if len(tape) <= self._minimum:
                continue
            x, y = self._common(self._series_of(minutes, a), self._series_of(minutes, b))
            if len(x) >= self._minimum:
                return pearson(x, y)
        return None

    def _common(self, one: _Returns, other: _Returns) -> tuple[_Floats, _Floats]:
        """Return the returns of the window that both have."""
        now = self._now
        if one.last_ts == other.last_ts and one.fills_window(now) and other.fills_window(now):
            return one.newest(), other.newest()
        stamps_one, x = one.window(now)
        stamps_other, y = other.window(now)
        _, at, at_other = np.intersect1d(stamps_one, stamps_other, assume_unique=True, return_indices=True)
        return x[at], y[at_other]

    def _series_of(self, minutes: int, instrument: str) -> _Returns:
        key = (minutes, instrument)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Returns(minutes, self._window)
        series.catch_up(self._tapes[minutes], instrument)
        return series

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
