"""Closed bars of higher timeframes from closed finer bars: one definition, in a batch and a streaming form.

Bars are stamped at their CLOSE.  A bucket of `m` minutes holds the bars whose open time lies in
[k*m, (k+1)*m) since 1970-01-01 UTC and is stamped at its end.  A higher bar exists if at least one fine bar
lies in its bucket; nothing is invented for an empty one.  That is pandas `resample(closed="left",
label="right")` on open stamps with empty buckets dropped, and `resample` and `TimeframeBuilder` give its
values bit for bit.  So volume is summed as pandas sums sorted groups, by numpy's `add.reduceat`: the first
value plus the pairwise sum of the others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CatalogError
from risk.vocabulary import MINUTE_NS, Bar

TIMEFRAMES: dict[str, int] = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "4h": 240}

_LABELS = {minutes: name for name, minutes in TIMEFRAMES.items()}

_NEVER = -(2**63)
_BY_TIME = itemgetter(2)  # `Bar.ts_event`, at C speed
_LOOP_ROWS = 16  # up to here a plain loop is quicker than columns
_TRIM_ROWS = 512
_FIRST_ROWS = 1024  # capacity of the columns of a builder at first
# A NamedTuple's own constructor takes twice as long.
_new_bar: Callable[[tuple[str, int, int, float, float, float, float, float]], Bar] = partial(
    tuple.__new__, Bar
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Rows = slice | Ints | NDArray[np.bool_]


def label(minutes: int) -> str:
    """Return the label of a timeframe in minutes: 60 gives `1h`."""
    try:
        return _LABELS[minutes]
    except KeyError:
        raise _unknown(f"{minutes} minutes") from None


def parse_timeframe(text: str) -> int:
    """Return the minutes of a timeframe label: `1h` gives 60."""
    try:
        return TIMEFRAMES[text]
    except KeyError:
        raise _unknown(repr(text)) from None


def _unknown(found: str) -> CatalogError:
    return CatalogError("unknown timeframe", found=found, expected="one of " + " ".join(TIMEFRAMES))


@dataclass(frozen=True, slots=True)
class BarArrays:
    """Closed bars of one instrument and timeframe as columns, in time order.

    `ts_event` is the close time in ns UTC (int64); prices and volume (base coins) are float64.
    """

    ts_event: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.ts_event)

    @classmethod
    def empty(cls) -> BarArrays:
        """Return no bars."""
        none = np.empty(0, np.float64)
        return cls(np.empty(0, np.int64), none, none, none, none, none)

    def slice(self, start_ns: int | None, end_ns: int | None) -> BarArrays:
        """Return the bars with start_ns < ts_event <= end_ns (None: no bound), without copying."""
        first = 0 if start_ns is None else int(np.searchsorted(self.ts_event, start_ns, side="right"))
        last = len(self) if end_ns is None else int(np.searchsorted(self.ts_event, end_ns, side="right"))
        return self.take(slice(first, max(first, last)))

    def take(self, rows: Rows) -> BarArrays:
        """Return the chosen rows (a slice, indices or a mask)."""
        return BarArrays(
            self.ts_event[rows],
            self.open[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.volume[rows],
        )

    def bars(self, instrument: str, minutes: int) -> Iterator[Bar]:
        """Yield the rows as `Bar` values."""
        columns = (self.ts_event, self.open, self.high, self.low, self.close, self.volume)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            yield Bar(instrument, minutes, *row)


def resample(bars: BarArrays, source_minutes: int, target_minutes: int) -> BarArrays:
    """Build the bars of a higher timeframe from a finer one.

    Parameters
    ----------
    bars : BarArrays
        Bars of `source_minutes`, stamped at their close, strictly increasing in time.
    source_minutes, target_minutes : int
        The target is a multiple of the source; the same timeframe returns the bars unchanged.

    Raises
    ------
    CatalogError
        If the target is not a multiple of the source or the bars are not in time order.
    """
    _require_multiple(source_minutes, target_minutes)
    if source_minutes == target_minutes or len(bars) == 0:
        return bars
    if not bool(np.all(bars.ts_event[1:] > bars.ts_event[:-1])):
        raise CatalogError(
            "bars must be strictly increasing in time to be resampled",
            remedy="read them through Catalog.bars, or sort them and drop duplicates",
        )
    step = target_minutes * MINUTE_NS
    bucket = (bars.ts_event - source_minutes * MINUTE_NS) // step
    first = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
    return BarArrays(
        (bucket[first] + 1) * step,
        bars.open[first],
        np.maximum.reduceat(bars.high, first),
        np.minimum.reduceat(bars.low, first),
        bars.close[np.append(first[1:], len(bucket)) - 1],
        np.add.reduceat(bars.volume, first),
    )


class TimeframeBuilder:
    """Build higher bars of one instrument from fine bars as they come.

    Push every fine bar of an instant, then ask `close_until` with the instant's time: whatever the delay
    or the order in which the bars of an instant came, the result equals `resample`.  A bar that comes
    after its bucket was closed cannot change what was published: it is left out of that bucket, counted
    in `late`, and still enters the wider buckets that are open.  A bar repeated for the same time is
    counted in `repeated`, and the first one stands.

    Parameters
    ----------
    instrument : str
        Given to the bars built.
    source_minutes : int
        Timeframe of the bars pushed.
    targets : tuple of int
        Timeframes to build, in minutes; multiples of the source and above it.
    """

    __slots__ = (
        "_buffer",
        "_checked",
        "_columns",
        "_due",
        "_next_close",
        "_starts",
        "_steps",
        "instrument",
        "late",
        "push",
        "repeated",
        "targets",
    )

    def __init__(self, instrument: str, source_minutes: int, targets: tuple[int, ...]) -> None:
        for target in targets:
            _require_multiple(source_minutes, target)
            if target == source_minutes:
                raise CatalogError(f"{target} minutes is the source timeframe, not one to build")
        self.instrument = instrument
        self.targets = tuple(sorted(set(targets), reverse=True))
        self.late = 0
        self.repeated = 0
        self._steps = [(minutes, minutes * MINUTE_NS) for minutes in self.targets]
        self._buffer: list[Bar] = []
        self._checked = 0  # rows of the buffer known to be in strict time order
        self._starts = [0] * len(self.targets)  # where in the buffer the open buckets of each target begin
        self._due = [_NEVER] * len(self.targets)  # end of the oldest bucket each target has not closed
        self._next_close = _NEVER
        # High, low and volume of the checked rows, where a bucket has too many of them for a loop.
        wide = any(target > _LOOP_ROWS * source_minutes for target in self.targets)
        self._columns = np.empty((3, _FIRST_ROWS)) if wide else None
        # Pushing is the hot path: it is the list's own append, and all work waits for the close.
        self.push = self._buffer.append

    def close_until(self, ts: int) -> list[Bar]:
        """Return the bars of every bucket that ends at or before `ts` and was not returned yet.

        They are in time order; of those that close together the slowest comes first.
        """
        if ts < self._next_close:
            return []
        self.take_in()
        buffer, due, starts = self._buffer, self._due, self._starts
        newest = buffer[-1][2] if buffer else _NEVER
        built: list[Bar] = []
        for k, (minutes, step) in enumerate(self._steps):
            if ts < due[k]:
                continue
            end = ts - ts % step
            due[k] = end + step
            first = starts[k]
            last = len(buffer) if newest <= end else bisect_right(buffer, end, first, key=_BY_TIME)
            starts[k] = last
            while first < last:
                opened = buffer[first][2]
                bucket_end, stop = end, last
                if opened <= end - step:
                    bucket_end = -(-opened // step) * step
                    stop = bisect_right(buffer, bucket_end, first, last, key=_BY_TIME)
                if stop - first > _LOOP_ROWS:
                    built.append(self._wide_bar(minutes, bucket_end, first, stop))
                else:
                    built.append(_aggregate(self.instrument, minutes, bucket_end, buffer[first:stop]))
                first = stop
        self._next_close = due[-1] if due else ts + 1
        used = min(starts, default=len(buffer))
        if used > _TRIM_ROWS:
            del buffer[:used]
            self._starts = [start - used for start in starts]
            if self._columns is not None:
                self._columns[:, : len(buffer)] = self._columns[:, used : self._checked]
            self._checked -= used
        if len(built) > 1 and len({bar[2] for bar in built}) > 1:
            built.sort(key=lambda bar: (bar.ts_event, -bar.minutes))
        return built

    def take_in(self) -> None:
        """Bring what was pushed since the last time into time order, each time once.

        A close does it; called in the quiet before, it leaves less to do between a bar and its decisions.
        """
        buffer, checked = self._buffer, self._checked
        # `_due` less its step is what the finest target, always the furthest, has published.
        published = self._due[-1] - self._steps[-1][1] if self._steps else _NEVER
        newest = max(published, buffer[checked - 1][2]) if checked else published
        for row in buffer[checked:]:
            if row[2] <= newest:
                self._sort(published)
                checked = 0
                break
            newest = row[2]
        self._checked = len(buffer)
        if self._columns is not None and checked < len(buffer):
            self._fill(self._columns, checked)

    def _fill(self, columns: Floats, checked: int) -> None:
        rows = self._buffer[checked:]
        if len(self._buffer) > columns.shape[1]:
            self._columns = np.empty((3, 2 * len(self._buffer)))
            self._columns[:, :checked] = columns[:, :checked]
            columns = self._columns
        columns[:, checked : len(self._buffer)] = (
            [row[4] for row in rows],
            [row[5] for row in rows],
            [row[7] for row in rows],
        )

    def _wide_bar(self, minutes: int, ts: int, first: int, stop: int) -> Bar:
        assert self._columns is not None
        high, low, volume = self._columns[:, first:stop]
        total = float(np.add.reduceat(volume, [0])[0])
        opened, closed = self._buffer[first][3], self._buffer[stop - 1][6]
        return Bar(self.instrument, minutes, ts, opened, float(high.max()), float(low.min()), closed, total)

    def _sort(self, published: int) -> None:
        self.late += sum(1 for row in self._buffer[self._checked :] if row.ts_event <= published)
        first_of: dict[int, Bar] = {}
        for row in self._buffer:
            if first_of.setdefault(row.ts_event, row) is not row:
                self.repeated += 1
        self._buffer[:] = sorted(first_of.values(), key=_BY_TIME)
        done = (due - step for due, (_, step) in zip(self._due, self._steps, strict=True))
        self._starts = [bisect_right(self._buffer, end, key=_BY_TIME) for end in done]


def _aggregate(instrument: str, minutes: int, ts: int, rows: list[Bar]) -> Bar:
    """Make one bar of at most `_LOOP_ROWS` rows."""
    _, _, _, open_, high, low, close, volume = rows[0]
    rest = 0.0
    for row in rows[1:]:
        _, _, _, _, row_high, row_low, close, row_volume = row
        if row_high > high:  # noqa: PLR1730 (max and min calls double the cost of this loop)
            high = row_high
        if row_low < low:  # noqa: PLR1730
            low = row_low
        rest += row_volume
    if len(rows) > 8:
        rest = _pairwise_sum([row[7] for row in rows[1:]])
    return _new_bar((instrument, minutes, ts, open_, high, low, close, volume + rest))


def _pairwise_sum(values: list[float]) -> float:
    """Add 8 to 15 values in the order numpy does: the first eight as a tree, the others one by one."""
    a, b, c, d, e, f, g, h, *others = values
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for value in others:
        total += value
    return total


def _require_multiple(source_minutes: int, target_minutes: int) -> None:
    if source_minutes <= 0 or target_minutes % source_minutes:
        raise CatalogError(
            "a higher timeframe must be a multiple of its source",
            found=f"{target_minutes} minutes from {source_minutes}",
        )
