"""Closed bars of higher timeframes as fine bars come, the streaming form of `catalog.timeframes.resample`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Final

import numpy as np

from catalog.errors import CatalogError
from catalog.timeframes import Floats, require_multiple
from risk.vocabulary import MINUTE_NS, Bar

LOOP_ROWS: Final = 16
"""Up to here a plain loop over the rows of a bucket is quicker than columns."""
FIRST_ROWS: Final = 1024
"""Capacity of columns at first."""

NEVER: Final = -(2**63)
_TRIM_ROWS = 512
_BY_TIME = itemgetter(2)  # `Bar.ts_event`, at C speed
# A NamedTuple's own constructor takes twice as long.
new_bar: Callable[[tuple[str, int, int, float, float, float, float, float]], Bar] = partial(
    tuple.__new__, Bar
)


class OpenBuckets:
    """Which rows of a growing list lie in the open bucket of each target timeframe, slowest first."""

    __slots__ = ("due", "next_close", "starts", "steps")

    def __init__(self, targets: Sequence[int]) -> None:
        self.steps = [(minutes, minutes * MINUTE_NS) for minutes in targets]
        self.starts = [0] * len(targets)  # where in the list the open buckets of each target begin
        self.due = [NEVER] * len(targets)  # end of the oldest bucket each target has not closed
        self.next_close = NEVER

    @property
    def published(self) -> int:
        """Return what the finest target, always the furthest, has published."""
        return self.due[-1] - self.steps[-1][1] if self.steps else NEVER

    def closing(
        self, ts: int, rows: Sequence[Any], newest: int, time_of: Callable[[Any], int]
    ) -> list[tuple[int, int, int, int]]:
        """Close every bucket that ends at or before `ts`.

        Returns
        -------
        list of tuple
            Minutes, end, first row and the row behind the last of each that has a row.

        """
        due, starts = self.due, self.starts
        closed: list[tuple[int, int, int, int]] = []
        for k, (minutes, step) in enumerate(self.steps):
            if ts < due[k]:
                continue
            end = ts - ts % step
            due[k] = end + step
            first = starts[k]
            last = len(rows) if newest <= end else bisect_right(rows, end, first, key=time_of)
            starts[k] = last
            while first < last:
                opened = time_of(rows[first])
                bucket_end, stop = end, last
                if opened <= end - step:
                    bucket_end = -(-opened // step) * step
                    stop = bisect_right(rows, bucket_end, first, last, key=time_of)
                closed.append((minutes, bucket_end, first, stop))
                first = stop
        self.next_close = due[-1] if due else ts + 1
        return closed

    def spent(self, rows: int) -> int:
        """Return how many of so many rows no bucket needs any more, once they are enough to be dropped."""
        used = min(self.starts, default=rows)
        return used if used > _TRIM_ROWS else 0

    def dropped(self, rows: int) -> None:
        """Take note that so many rows are gone from the front of the list."""
        self.starts = [start - rows for start in self.starts]

    def copy(self) -> OpenBuckets:
        """Return the same state for a list of one's own."""
        other = OpenBuckets([minutes for minutes, _ in self.steps])
        other.starts, other.due, other.next_close = [*self.starts], [*self.due], self.next_close
        return other


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
        "buckets",
        "instrument",
        "late",
        "push",
        "repeated",
        "targets",
    )

    def __init__(self, instrument: str, source_minutes: int, targets: tuple[int, ...]) -> None:
        for target in targets:
            require_multiple(source_minutes, target)
            if target == source_minutes:
                raise CatalogError(f"{target} minutes is the source timeframe, not one to build")
        self.instrument = instrument
        self.targets = tuple(sorted(set(targets), reverse=True))
        self.late = 0
        self.repeated = 0
        self.buckets = OpenBuckets(self.targets)
        self._buffer: list[Bar] = []
        self._checked = 0  # rows of the buffer known to be in strict time order
        # High, low and volume of the checked rows, where a bucket has too many of them for a loop.
        wide = any(target > LOOP_ROWS * source_minutes for target in self.targets)
        self._columns = np.empty((3, FIRST_ROWS)) if wide else None
        # Pushing is the hot path: it is the list's own append, and all work waits for the close.
        self.push = self._buffer.append

    def close_until(self, ts: int) -> list[Bar]:
        """Return the bars of every bucket that ends at or before `ts` and was not returned yet.

        They are in time order; of those that close together the slowest comes first.
        """
        buckets, buffer = self.buckets, self._buffer
        if ts < buckets.next_close:
            return []
        self.take_in()
        newest = buffer[-1][2] if buffer else NEVER
        built = [
            self._wide_bar(minutes, end, first, stop)
            if stop - first > LOOP_ROWS
            else aggregate(self.instrument, minutes, end, buffer[first:stop])
            for minutes, end, first, stop in buckets.closing(ts, buffer, newest, _BY_TIME)
        ]
        used = buckets.spent(len(buffer))
        if used:
            del buffer[:used]
            buckets.dropped(used)
            if self._columns is not None:
                self._columns[:, : len(buffer)] = self._columns[:, used : self._checked]
            self._checked -= used
        if len(built) > 1 and len({bar[2] for bar in built}) > 1:
            built.sort(key=lambda bar: (bar.ts_event, -bar.minutes))
        return built

    @property
    def is_idle(self) -> bool:
        """Whether no bucket is open with a bar in it."""
        return min(self.buckets.starts, default=0) == len(self._buffer)

    def adopt(self, bars: list[Bar], buckets: OpenBuckets) -> None:
        """Go on from bars in strict time order and what is open among them."""
        self._buffer[:] = bars
        self._checked, self.buckets = len(bars), buckets
        if self._columns is not None and bars:
            self._fill(self._columns, 0)

    def take_in(self) -> None:
        """Bring what was pushed since the last time into time order, each time once.

        A close does it; called in the quiet before, it leaves less to do between a bar and its decisions.
        """
        buffer, checked = self._buffer, self._checked
        published = self.buckets.published
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
        buckets = self.buckets
        done = (due - step for due, (_, step) in zip(buckets.due, buckets.steps, strict=True))
        buckets.starts = [bisect_right(self._buffer, end, key=_BY_TIME) for end in done]


def aggregate(instrument: str, minutes: int, ts: int, rows: Sequence[Bar]) -> Bar:
    """Make one bar of at most `LOOP_ROWS` rows."""
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
    return new_bar((instrument, minutes, ts, open_, high, low, close, volume + rest))


def _pairwise_sum(values: list[float]) -> float:
    """Add 8 to 15 values in the order numpy does: the first eight as a tree, the others one by one."""
    a, b, c, d, e, f, g, h, *others = values
    total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for value in others:
        total += value
    return total
