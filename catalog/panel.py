"""Higher bars of all instruments of a desk: made in one pass while their fine bars come together.

Guarantees: the bars are those of one `TimeframeBuilder` an instrument, bit for bit.  From a moment at which a
bar is missing, late or repeated each instrument has its own builder, until nothing is open in any of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from catalog.building import FIRST_ROWS, LOOP_ROWS, NEVER, OpenBuckets, TimeframeBuilder, aggregate, new_bar
from risk.vocabulary import MINUTE_NS, Bar, Instant

_FEW_ROWS = 2  # up to here rows are quicker than columns where there are both
_Row = tuple[Bar, ...]  # the bars of all instruments at one moment, ordered by instrument id


class TimeframePanel:
    """Builds the higher bars of several instruments; push whole instants, then ask `close_until`.

    Parameters
    ----------
    base_minutes : Mapping[str, int]
        Fine timeframe of each instrument.
    timeframes : sequence of int
        Timeframes wanted, minutes; each instrument gets those above its own.

    Attributes
    ----------
    step_ns : int
        Bars can close at multiples of it only; 0: there are none to build.

    """

    def __init__(self, base_minutes: Mapping[str, int], timeframes: Sequence[int]) -> None:
        self._builders = [
            TimeframeBuilder(name, minutes, tuple(m for m in timeframes if m > minutes))
            for name, minutes in sorted(base_minutes.items())
        ]
        self._push = {builder.instrument: builder.push for builder in self._builders}
        self._names = [builder.instrument for builder in self._builders]
        self._minutes = min(base_minutes.values())
        self._alike = len(set(base_minutes.values())) == 1
        targets = self._builders[0].targets
        self.step_ns = min((m for b in self._builders for m in b.targets), default=0) * MINUTE_NS
        self._together = self._alike
        self._buckets = OpenBuckets(targets)
        self._rows: list[_Row] = []
        self._newest = NEVER  # moment of the last row
        # High, low and volume of the rows, where a bucket is too wide for a loop.
        wide = self._alike and any(target > LOOP_ROWS * self._minutes for target in targets)
        self._columns = np.empty((3, FIRST_ROWS, len(self._names))) if wide else None
        self._filled = 0

    @property
    def late(self) -> int:
        """Return how many bars came after the finest bucket they belong to had been published."""
        return sum(builder.late for builder in self._builders)

    @property
    def repeated(self) -> int:
        """Return how many bars came a second time."""
        return sum(builder.repeated for builder in self._builders)

    def seed(self, bars: Mapping[str, Sequence[Bar]], until_ns: int) -> None:
        """Take the fine bars before a start whose buckets are still open there; nothing of them is built."""
        series = [bars.get(name, ()) for name in self._names]
        moments = [[bar.ts_event for bar in one] for one in series]
        if self._together and all(one == moments[0] for one in moments):
            self._rows += zip(*series, strict=True)
            self._newest = moments[0][-1] if moments[0] else NEVER
        else:
            self._part()
            for one in series:
                for bar in one:
                    self._push[bar.instrument](bar)
        self.close_until(until_ns)

    def push(self, fine: Instant) -> None:
        """Take the fine bars of an instant (hot path)."""
        if not self.step_ns:
            return
        if self._together:
            bars = fine.bars.get(self._minutes, ())
            if self._is_row(fine, bars):
                self._rows.append(bars)
                self._newest = bars[0][2]
                return
            if not fine.bars and not fine.backfilled:
                return
            self._part()
        push = self._push
        for bars in fine.bars.values():
            for bar in bars:
                push[bar[0]](bar)
        for bar in fine.backfilled:
            push[bar[0]](bar)

    def _is_row(self, fine: Instant, bars: _Row) -> bool:
        names = self._names
        return (
            len(bars) == len(names)
            and max(self._newest, self._buckets.published) < bars[0][2] == bars[-1][2]
            and [bar[0] for bar in bars] == names
            and not fine.backfilled
        )

    def take_in(self) -> None:
        """Do in the quiet what the next close would have to do first."""
        if self._together:
            self._fill()
        else:
            for builder in self._builders:
                builder.take_in()

    def close_until(self, ts: int, silent: Collection[str] = ()) -> dict[int, tuple[Bar, ...]]:
        """Return the bars of every bucket that ends at or before `ts` and was not returned yet.

        Parameters
        ----------
        ts : int
            Time of the instant.
        silent : collection of str
            Instruments that are not asked now: their last fine bar is still waited for.

        Returns
        -------
        dict of int to tuple of Bar
            By timeframe, slowest first, each ordered by time and instrument id.

        """
        if self._together and silent:
            self._part()
        if self._together:
            return self._close(ts)
        found: dict[int, list[Bar]] = {}
        for builder in self._builders:
            if builder.instrument not in silent:
                for bar in builder.close_until(ts):
                    found.setdefault(bar.minutes, []).append(bar)
        if self._alike:
            self._join()
        return {m: tuple(sorted(found[m], key=by_time_and_name)) for m in sorted(found, reverse=True)}

    def _close(self, ts: int) -> dict[int, tuple[Bar, ...]]:
        buckets, rows = self._buckets, self._rows
        if ts < buckets.next_close:
            return {}
        self._fill()
        built: dict[int, tuple[Bar, ...]] = {}
        for minutes, end, first, stop in buckets.closing(ts, rows, self._newest, _moment):
            in_columns = self._columns is not None and stop - first > _FEW_ROWS
            make = self._bars_of_columns if in_columns else self._bars_of_rows
            bars = make(minutes, end, first, stop)
            built[minutes] = (*built[minutes], *bars) if minutes in built else tuple(bars)
        used = buckets.spent(len(rows))
        if used:
            del rows[:used]
            buckets.dropped(used)
            if self._columns is not None:
                self._columns[:, : len(rows)] = self._columns[:, used : self._filled]
                self._filled -= used
        return built

    def _bars_of_rows(self, minutes: int, end: int, first: int, stop: int) -> list[Bar]:
        series = zip(*self._rows[first:stop], strict=True)
        return [aggregate(name, minutes, end, one) for name, one in zip(self._names, series, strict=True)]

    def _bars_of_columns(self, minutes: int, end: int, first: int, stop: int) -> list[Bar]:
        assert self._columns is not None
        high, low, volume = self._columns[:, first:stop]
        highs, lows = high.max(axis=0).tolist(), low.min(axis=0).tolist()
        totals = np.add.reduceat(volume, [0], axis=0)[0].tolist()
        opened, closed = self._rows[first], self._rows[stop - 1]
        return [
            new_bar((name, minutes, end, first_bar[3], top, bottom, last_bar[6], total))
            for name, first_bar, top, bottom, last_bar, total in zip(
                self._names, opened, highs, lows, closed, totals, strict=True
            )
        ]

    def _fill(self) -> None:
        """Bring the rows that came since the last time into columns."""
        columns, filled = self._columns, self._filled
        if columns is None:
            return
        rows = self._rows
        if len(rows) > columns.shape[1]:
            self._columns = np.empty((3, 2 * len(rows), len(self._names)))
            self._columns[:, :filled] = columns[:, :filled]
            columns = self._columns
        for at in range(filled, len(rows)):
            _, _, _, _, high, low, _, volume = zip(*rows[at], strict=True)
            columns[:, at] = high, low, volume
        self._filled = len(rows)

    def _part(self) -> None:
        """Give each instrument's builder what is open, and go on with these."""
        if not self._together:
            return
        for index, builder in enumerate(self._builders):
            builder.adopt([row[index] for row in self._rows], self._buckets.copy())
        self._together = False
        self._rows.clear()
        self._filled = 0

    def _join(self) -> None:
        """Go on together if nothing is open in any builder and all have closed as much."""
        due = self._builders[0].buckets.due
        if not all(b.is_idle and b.buckets.due == due for b in self._builders):
            return
        buckets = self._builders[0].buckets.copy()
        buckets.starts = [0] * len(buckets.starts)
        for builder in self._builders:
            builder.adopt([], buckets.copy())
        self._buckets, self._newest, self._together = buckets, NEVER, True


def _moment(row: Any) -> int:
    ts: int = row[0][2]
    return ts


def by_time_and_name(bar: Bar) -> tuple[int, str]:
    """Return the key by which the bars of an instant are ordered."""
    return bar.ts_event, bar.instrument
