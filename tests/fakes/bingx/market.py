"""The market of one contract: prints, the forming minute, what is kept of the past, mark price, the book.

A minute's bar is walked as open, low, high, close when it rose and open, high, low, close when it fell; the
prints of a whole minute add up to its bar.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

import numpy as np

from tests.fakes.bingx.contracts import ZERO, Contract
from tests.fakes.bingx.minutes import INTERVALS, LONGEST_RETENTION_MS, MINUTE_MS, RETENTION_MS, Minutes
from tests.fakes.bingx.sources import Source

PRINTS_KEPT = 1_000
PRINTS_A_LEG = 4
_CHUNK_MS = 240 * MINUTE_MS  # of the source, read at once
_LAST_PRINT_MS = 59_400  # of a minute


@dataclass(frozen=True, slots=True)
class Print:
    """One public trade."""

    id: int
    time_ms: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool


@dataclass(slots=True)
class Forming:
    """The bar of the current minute."""

    time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Due:
    """A print that will happen."""

    time_ms: int
    price: Decimal
    quantity: Decimal


class Market:
    """Prices of one contract up to the venue's present."""

    def __init__(self, contract: Contract, source: Source, start_ms: int) -> None:
        self.contract = contract
        self.source = source
        self.start_ms = start_ms // MINUTE_MS * MINUTE_MS
        self.prints: deque[Print] = deque(maxlen=PRINTS_KEPT)
        self.forming: Forming | None = None
        self.mark_premium = ZERO  # mark = last * (1 + premium), unless a test pins it
        self.pinned_mark: Decimal | None = None
        self._lived: list[Forming] = []
        self._lived_times: list[int] = []
        self._ids = 511_178_071
        self._chunk_ms, self._chunk = -1, Minutes.empty()
        before = source.minutes(contract, self.start_ms - 60 * MINUTE_MS, self.start_ms)
        first = float(before.close[-1]) if len(before) else contract.price
        self.last = contract.cut_price(Decimal(repr(first)))
        for due in self.prints_of_minute(self.start_ms):  # what has happened of the minute that runs
            if due.time_ms < start_ms:
                self.trade(due.time_ms, due.price, due.quantity)

    @property
    def mark(self) -> Decimal:
        """Return the mark price."""
        if self.pinned_mark is not None:
            return self.pinned_mark
        return self.contract.cut_price(self.last * (1 + self.mark_premium))

    def prints_of_minute(self, open_ms: int) -> list[Due]:
        """Return what the source trades in the minute that opens then, in order of time."""
        chunk = open_ms // _CHUNK_MS * _CHUNK_MS
        if chunk != self._chunk_ms:
            self._chunk_ms = chunk
            self._chunk = self.source.minutes(self.contract, chunk, chunk + _CHUNK_MS)
        bars = self._chunk.slice(open_ms, open_ms + MINUTE_MS)
        return list(_walk(self.contract, bars)) if len(bars) else []

    def trade(self, time_ms: int, price: Decimal, quantity: Decimal) -> Print:
        """Record a public trade."""
        price = self.contract.cut_price(price)
        self._ids += 1
        made = Print(self._ids, time_ms, price, quantity, buyer_is_maker=price <= self.last)
        self.prints.appendleft(made)
        self.last = price
        minute = time_ms // MINUTE_MS * MINUTE_MS
        bar = self.forming
        if bar is None or bar.time_ms != minute:
            self._close_minute()
            self.forming = Forming(minute, price, price, price, price, quantity)
            return made
        bar.high, bar.low, bar.close = max(bar.high, price), min(bar.low, price), price
        bar.volume += quantity
        return made

    def _close_minute(self) -> None:
        if self.forming is not None:
            self._lived.append(self.forming)
            self._lived_times.append(self.forming.time_ms)

    def klines(
        self, interval: str, now_ms: int, start_ms: int | None, end_ms: int | None, limit: int
    ) -> Minutes:
        """Return bars that open in [start, end), the forming one last; too many: the newest `limit`.

        Rows older than the venue keeps of this granularity are not there.
        """
        step = INTERVALS[interval]
        end = now_ms + 1 if end_ms is None else min(end_ms, now_ms + 1)
        last_open = (end - 1) // step * step
        oldest = now_ms - RETENTION_MS.get(interval, LONGEST_RETENTION_MS)
        first = max(oldest, last_open - (limit - 1) * step, 0 if start_ms is None else start_ms)
        first = -(-first // step) * step
        if last_open < first:
            return Minutes.empty()
        fine = self._minutes(first, min(last_open + step, now_ms + 1))
        return fine.coarse(step)

    def _minutes(self, start_ms: int, end_ms: int) -> Minutes:
        past = self.source.minutes(self.contract, start_ms, min(end_ms, self.start_ms))
        first, last = (bisect_left(self._lived_times, at) for at in (start_ms, end_ms))
        rows = self._lived[first:last]
        if self.forming is not None and start_ms <= self.forming.time_ms < end_ms:
            rows.append(self.forming)
        if not rows:
            return past
        table = np.array([[float(x) for x in (b.open, b.high, b.low, b.close, b.volume)] for b in rows])
        times = np.array([bar.time_ms for bar in rows], np.int64)
        return past.append(Minutes(times, *(table[:, n] for n in range(5))))


def _walk(contract: Contract, bars: Minutes) -> Iterator[Due]:
    price = [contract.cut_price(Decimal(repr(float(x)))) for x in (bars.open[0], bars.high[0], bars.low[0])]
    opened, high, low = price
    close = contract.cut_price(Decimal(repr(float(bars.close[0]))))
    corners = [opened, low, high, close] if close >= opened else [opened, high, low, close]
    path = [corners[0]]
    for left, right in pairwise(corners):
        steps = range(1, PRINTS_A_LEG + 1)
        path += [contract.cut_price(left + (right - left) * n / PRINTS_A_LEG) for n in steps]
    volume = contract.cut_quantity(Decimal(repr(float(bars.volume[0]))))
    each = contract.cut_quantity(volume / len(path))
    quantities = [each] * (len(path) - 1)
    quantities.append(volume - sum(quantities, ZERO))
    for n, (at, quantity) in enumerate(zip(path, quantities, strict=True)):
        yield Due(int(bars.time_ms[0]) + n * _LAST_PRINT_MS // (len(path) - 1), at, quantity)
