"""Correlation of instruments: Pearson of log returns on closed bars, refreshed when asked and due.

Guarantees: the hot path only keeps the tuples of bars as they came; a value is stored when the old one is
at least `correlation_refresh_s` of desk time old, or when the new one lies on the other side of the
threshold; fewer than half a window of common returns is unknown (None), never 0.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from operator import truediv
from typing import Any

import numpy as np

from risk.settings import RiskSettings
from risk.vocabulary import MINUTE_NS, Bar, Instant

TIMEFRAMES = (5, 15, 60)  # minutes, finest first
_SECOND_NS = 1_000_000_000
_NO_VARIANCE = 1e-18  # a sum of squared log returns: prices that do not move

Pair = tuple[str, str]
_Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
_Stamps = np.ndarray[tuple[int], np.dtype[np.int64]]
_Table = np.ndarray[tuple[int, int], np.dtype[np.float64]]
_ONES = np.ones(288)  # a sum as a dot product takes a third of the time of `sum` on a day of 5m bars


def pair_of(a: str, b: str) -> Pair:
    """Return the two names in order: a pair has one key."""
    return (a, b) if a <= b else (b, a)


def pearson(x: _Floats, y: _Floats) -> float | None:
    """Return Pearson's correlation of two samples of equal length, None if one does not vary."""
    return _pearson(_sample(x), _sample(y))


_Sample = tuple[_Floats, float, float]  # values, their sum, the sum of their squared distances from the mean


def _sample(x: _Floats) -> _Sample:
    count = len(x)
    ones = np.ones(count) if count != len(_ONES) else _ONES
    total = float(x.dot(ones))
    # Means of log returns are far below their spread, so this form loses no digits that matter.
    return x, total, float(x.dot(x)) - total * total / count


def _pearson(one: _Sample, other: _Sample) -> float | None:
    x, sum_x, variance_x = one
    y, sum_y, variance_y = other
    if not (variance_x > _NO_VARIANCE and variance_y > _NO_VARIANCE):
        return None
    value = (float(x.dot(y)) - sum_x * sum_y / len(x)) / math.sqrt(variance_x * variance_y)
    if -1.0 <= value <= 1.0:
        return value
    return math.copysign(1.0, value) if math.isfinite(value) else None


class _Returns:
    """Log returns of all instruments on one timeframe, worked out of the tape when somebody asks.

    Column by column as the bars came; NaN where an instrument has no bar, or none one step before.  What
    waits is taken over for all instruments at once: the candidate of a signal may be any of them.
    """

    __slots__ = (
        "_closes", "_columns", "_end", "_full", "_hole", "_names", "_returns", "_row", "_stamps", "_step",
        "_window", "last_ts",
    )  # fmt: skip

    def __init__(self, minutes: int, window: int) -> None:
        self._step, self._window = minutes * MINUTE_NS, window
        self._names: list[str] = []  # in the order of the rows
        self._row: dict[str, int] = {}
        self._closes: list[float] = []  # of the newest column, NaN where there is none
        self._hole: list[int] = []  # number of the newest column without a return, by row
        self._stamps: _Stamps = np.zeros(4 * window, dtype=np.int64)
        self._returns: _Table = np.empty((0, 4 * window), dtype=np.float64)
        self._end = 0  # columns kept
        self._columns = 0  # columns so far
        self._full: dict[str, _Sample] = {}  # the newest windows without a hole that were asked for
        self.last_ts = 0

    def catch_up(self, tape: deque[tuple[Bar, ...]]) -> None:
        """Take over the bars that came since the last call."""
        last = self.last_ts
        fresh: list[tuple[Bar, ...]] = []
        for bars in reversed(tape):
            if bars[0][2] <= last:
                break
            fresh.append(bars)
        self._full.clear()
        for bars in reversed(fresh):
            self._take(bars)

    def _take(self, bars: tuple[Bar, ...]) -> None:
        closes = [bar[6] for bar in bars]
        if [bar[0] for bar in bars] != self._names:
            closes = self._in_rows(bars)
        ts, before = bars[0][2], self._closes
        in_a_row = ts - self.last_ts == self._step
        try:
            values = list(map(math.log, map(truediv, closes, before))) if in_a_row else []
        except (ValueError, ZeroDivisionError):  # a price that is not above zero has no return
            both = zip(closes, before, strict=True)
            values = [math.log(now / then) if now > 0.0 < then else math.nan for now, then in both]
        values = values or [math.nan] * len(closes)
        at = self._next_column()
        self._stamps[at], self._returns[:, at] = ts, values
        if not math.isfinite(sum(values)):
            for row, value in enumerate(values):
                if not math.isfinite(value):
                    self._hole[row] = self._columns
        self.last_ts, self._closes = ts, closes

    def _in_rows(self, bars: tuple[Bar, ...]) -> list[float]:
        """Return the closes in the order of the rows; an instrument that is new gets a row."""
        for bar in bars:
            if bar[0] not in self._row:
                self._row[bar[0]] = len(self._names)
                self._names.append(bar[0])
                self._closes.append(math.nan)
                self._hole.append(self._columns)
                blank = np.full((1, self._returns.shape[1]), math.nan)
                self._returns = np.vstack((self._returns, blank))
        found = {bar[0]: bar[6] for bar in bars}
        return [found.get(name, math.nan) for name in self._names]

    def _next_column(self) -> int:
        if self._end == len(self._stamps):
            kept, end = self._window, self._end
            self._stamps[:kept] = self._stamps[end - kept :]
            self._returns[:, :kept] = self._returns[:, end - kept :]
            self._end = kept
        self._end += 1
        self._columns += 1
        return self._end - 1

    def pearson(self, a: str, b: str, now: int, minimum: int) -> float | None:
        """Return Pearson of the window that ends at `now`; None below `minimum` common returns."""
        if self.last_ts > now - self._step:
            one, other = self._full.get(a) or self._newest(a), self._full.get(b) or self._newest(b)
            if one is not None and other is not None:
                return _pearson(one, other)
        first, second = self._row.get(a), self._row.get(b)
        if first is None or second is None:
            return None
        end = self._end
        begin = max(0, end - self._window)
        oldest = now - self._window * self._step
        begin += int(np.searchsorted(self._stamps[begin:end], oldest, side="right"))
        x, y = self._returns[first, begin:end], self._returns[second, begin:end]
        common = np.isfinite(x) & np.isfinite(y)
        return pearson(x[common], y[common]) if int(common.sum()) >= minimum else None

    def _newest(self, name: str) -> _Sample | None:
        """Take the newest window and its sums, once a bar however many pairs ask; None if it has a hole."""
        row = self._row.get(name)
        if row is None or self._columns - self._hole[row] < self._window:
            return None
        found = self._full[name] = _sample(self._returns[row, self._end - self._window : self._end])
        return found


class CorrelationBook:
    """Bars of the correlation timeframes, and the stored correlation of each pair that mattered."""

    def __init__(self, settings: RiskSettings) -> None:
        self._settings = settings
        self._window = settings.correlation_window_bars
        self._minimum = self._window // 2
        self._every_ns = settings.correlation_refresh_s * _SECOND_NS
        self._tapes: dict[int, deque[tuple[Bar, ...]]] = {
            m: deque(maxlen=self._window + 1) for m in TIMEFRAMES
        }
        self._series = [(tape, _Returns(m, self._window)) for m, tape in self._tapes.items()]
        self._stored: dict[Pair, tuple[int, float]] = {}
        self._asked: dict[Pair, int] = {}
        self._now = 0
        self.revision = 0  # while it stands, nothing was measured or stored

    def on_instant(self, instant: Instant) -> None:
        """Keep the bars of an instant (hot path)."""
        self._now = instant.ts_event
        by_minutes = instant.bars
        for minutes, tape in self._tapes.items():
            bars = by_minutes.get(minutes)
            if bars:
                tape.append(bars)

    def rest(self) -> None:
        """Take over in a quiet moment the bars of the timeframes that were asked for."""
        for tape, series in self._series:
            if series.last_ts:
                series.catch_up(tape)

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
        return self._offer(pair_of(a, b), value, ts)

    def _offer(self, pair: Pair, value: float, ts: int) -> float:
        stored = self._stored.get(pair)
        if stored is not None:
            threshold = self._settings.max_abs_correlation
            same_side = (abs(stored[1]) >= threshold) == (abs(value) >= threshold)
            if same_side and ts - stored[0] < self._every_ns:
                return stored[1]
        self.revision += 1
        self._stored[pair] = (ts, value)
        return value

    def refresh(self, a: str, b: str, ts: int) -> float | None:
        """Measure a pair if that is due, and return its stored correlation (None: unknown)."""
        self.refresh_all((pair_of(a, b),), ts)
        return self.value(a, b)

    def refresh_all(self, pairs: Collection[Pair], ts: int) -> int | None:
        """Measure those of the pairs that are due; return when the next will be (None: there are none).

        The names of each pair are in order.
        """
        asked, every = self._asked, self._every_ns
        for pair in pairs:
            last = asked.get(pair)
            if last is None or ts - last >= every:
                asked[pair] = ts
                self.revision += 1
                measured = self.measure(*pair)
                if measured is not None:
                    self._offer(pair, measured, ts)
        return min([asked[pair] for pair in pairs]) + every if pairs else None

    def measure(self, a: str, b: str) -> float | None:
        """Return Pearson of the pair on the finest timeframe with enough common returns, None if none has."""
        minimum = self._minimum
        for tape, series in self._series:
            if len(tape) <= minimum:
                continue
            if tape[-1][0][2] > series.last_ts:
                series.catch_up(tape)
            value = series.pearson(a, b, self._now, minimum)
            if value is not None:
                return value
        return None

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
