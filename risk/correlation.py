"""Correlation of instruments: Pearson of log returns on closed bars, refreshed when asked and due.

Guarantees: the hot path only keeps the tuples of bars as they came; a value is stored when the old one is
at least `correlation_refresh_s` of desk time old, or when the new one lies on the other side of the
threshold; fewer than half a window of common returns is unknown (None), never 0.
"""

from __future__ import annotations

import math
from collections import deque
from operator import truediv
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
    return _pearson(x, y, _moments(x), _moments(y))


def _moments(x: _Floats) -> tuple[float, float]:
    """Return the sum of a sample, and of its squared distances from the mean."""
    count = len(x)
    ones = np.ones(count) if count != len(_ONES) else _ONES
    total = float(x.dot(ones))
    # Means of log returns are far below their spread, so this form loses no digits that matter.
    return total, float(x.dot(x)) - total * total / count


def _pearson(x: _Floats, y: _Floats, of_x: tuple[float, float], of_y: tuple[float, float]) -> float | None:
    sum_x, variance_x = of_x
    sum_y, variance_y = of_y
    if not (variance_x > _NO_VARIANCE and variance_y > _NO_VARIANCE):
        return None
    value = (float(x.dot(y)) - sum_x * sum_y / len(x)) / math.sqrt(variance_x * variance_y)
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

    __slots__ = (
        "_close", "_end", "_moments", "_returns", "_slot", "_stamps", "_step", "_window", "last_ts", "run",
    )  # fmt: skip

    def __init__(self, minutes: int, window: int) -> None:
        self._step, self._window = minutes * MINUTE_NS, window
        self._stamps: _Stamps = np.empty(4 * window, dtype=np.int64)
        self._returns: _Floats = np.empty(4 * window, dtype=np.float64)
        self._end = 0
        self._moments: tuple[float, float] | None = None
        self._close, self._slot = 0.0, 0
        self.last_ts, self.run = 0, 0

    def catch_up(self, tape: deque[tuple[Bar, ...]], instrument: str) -> None:
        """Take over the bars that came since the last call; a return needs two bars in a row."""
        fresh: list[Bar] = []
        last, slot = self.last_ts, self._slot
        for bars in reversed(tape):
            if bars[0][2] <= last:
                break
            if slot < len(bars) and bars[slot][0] == instrument:  # where it was last time: nearly always
                fresh.append(bars[slot])
                continue
            bar, slot = bar_of(bars, instrument, slot)
            if bar is not None:
                fresh.append(bar)
        if not fresh:
            return
        fresh.reverse()
        self._slot = slot
        stamps = [last, *[bar[2] for bar in fresh]]
        closes = [self._close, *[bar[6] for bar in fresh]]
        self.last_ts, self._close = stamps[-1], closes[-1]
        if stamps[-1] - last == self._step * len(fresh) and min(closes) > 0.0:
            self._append(stamps[1:], list(map(math.log, map(truediv, closes[1:], closes))))
            self.run += len(fresh)
        else:
            self._append_in_a_row(stamps, closes)

    def _append_in_a_row(self, stamps: list[int], closes: list[float]) -> None:
        """Append the returns of bars that follow each other; a hole begins a new run."""
        kept_stamps, kept = [], []
        for k in range(1, len(stamps)):
            if stamps[k] - stamps[k - 1] == self._step and closes[k] > 0.0 and closes[k - 1] > 0.0:
                kept_stamps.append(stamps[k])
                kept.append(math.log(closes[k] / closes[k - 1]))
                self.run += 1
            else:
                self.run = 0
        self._append(kept_stamps, kept)

    def _append(self, stamps: list[int], values: list[float]) -> None:
        count, end = len(values), self._end
        if end + count > len(self._stamps):
            kept = self._window
            self._stamps[:kept] = self._stamps[end - kept : end]
            self._returns[:kept] = self._returns[end - kept : end]
            end = kept
        self._stamps[end : end + count], self._returns[end : end + count] = stamps, values
        self._end = end + count
        self._moments = None

    def fills_window(self, now: int) -> bool:
        """Say whether the window that ends at `now` is full, without a hole."""
        return self.run >= self._window and self.last_ts > now - self._step

    def newest(self) -> _Floats:
        """Return the newest window of returns, whatever their stamps."""
        return self._returns[self._end - self._window : self._end]

    def moments(self) -> tuple[float, float]:
        """Return `_moments` of the newest window; worked out once a bar, however many pairs ask."""
        found = self._moments
        if found is None:
            found = self._moments = _moments(self.newest())
        return found

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
            one, other = self._series_of(minutes, a), self._series_of(minutes, b)
            now = self._now
            if one.last_ts == other.last_ts and one.fills_window(now) and other.fills_window(now):
                return _pearson(one.newest(), other.newest(), one.moments(), other.moments())
            x, y = _common(one.window(now), other.window(now))
            if len(x) >= self._minimum:
                return pearson(x, y)
        return None

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


def _common(one: tuple[_Stamps, _Floats], other: tuple[_Stamps, _Floats]) -> tuple[_Floats, _Floats]:
    """Return the returns that two windows both have, by their stamps."""
    _, at, at_other = np.intersect1d(one[0], other[0], assume_unique=True, return_indices=True)
    return one[1][at], other[1][at_other]
