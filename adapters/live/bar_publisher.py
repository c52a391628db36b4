"""Publishes closed bars: from a stream of bars, confirmed or completed by request, or by request alone.

Guarantees: each bar of a topic is handed on once and in time order; between two bars the missing ones are
fetched first; with `confirm_bars` the published bar is the one that a request shows, unless that is behind
the stream or fails: then the stream's own last view, so data goes on; a topic that stays silent while the
venue trades is told.  Without a stream a bar is taken when the next one can be seen, or when a second look
shows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from adapters.live.closing import ClosingBar, FrameForm
from adapters.live.errors import VenueError
from adapters.live.rows import Contract, Kline
from adapters.live.source import FeedSettings, MarketSource
from adapters.live.timebase import MINUTE_MS

CONFIRM_ATTEMPTS = 4
CONFIRM_PAUSE_S = 0.3
SILENT_BARS = 2  # closed by the clock in a row, with trades that the stream did not show


class Closed(NamedTuple):
    """A closed bar on its way out."""

    row: Kline
    contract: Contract
    minutes: int
    bar_type: Any


class _Topic:
    __slots__ = ("bar_type", "closing", "contract", "name", "silent", "task")

    def __init__(self, name: str, contract: Contract, bar_type: Any, closing: ClosingBar) -> None:
        self.name, self.contract, self.bar_type, self.closing = name, contract, bar_type, closing
        self.task: asyncio.Task[None] | None = None
        self.silent = 0


class BarPublisher:
    """All kline topics of a client; `form` is None where bars come by request only."""

    def __init__(
        self,
        source: MarketSource,
        settings: FeedSettings,
        publish: Callable[[Closed], None],
        on_stale: Callable[[str], Awaitable[None]],
        form: FrameForm | None = None,
    ) -> None:
        self._source, self._settings, self._publish, self._on_stale = source, settings, publish, on_stale
        self._form = form
        self._topics: dict[str, _Topic] = {}
        self.published = 0
        self.from_stream = 0
        self.confirmed = 0
        self.backfilled = 0
        self.unconfirmed = 0  # requests failed or were behind: the stream's view was published
        self.differing = 0  # requests and the stream's last view differed
        self.closed_by_clock = 0

    def add(self, topic: str, contract: Contract, minutes: int, bar_type: Any) -> None:
        """Want the bars of a topic."""
        if topic in self._topics:
            return
        closing = ClosingBar(minutes, self._form)
        if self._form is None:
            closing.begin(self._source.clock.now_ms())
        self._topics[topic] = _Topic(topic, contract, bar_type, closing)

    def remove(self, topic: str) -> None:
        """Want them no more."""
        gone = self._topics.pop(topic, None)
        if gone is not None and gone.task is not None:
            gone.task.cancel()

    def close(self) -> None:
        """Want nothing any more."""
        for topic in list(self._topics):
            self.remove(topic)

    def frame(self, topic: str, data: object) -> None:
        """Take the rows of a kline frame."""
        held = self._topics.get(topic)
        if held is not None and held.closing.frame(data):
            held.silent = 0
            self._closed(held)

    def catch_up(self, topic: str) -> None:
        """The stream was down: fetch what closed meanwhile."""
        held = self._topics.get(topic)
        if held is not None and held.closing.by_clock(self._source.clock.now_ms(), self._grace_ms):
            self._closed(held)

    async def keep_time(self) -> None:
        """Close bars by the clock when no frame does."""
        while True:
            await self._settings.timebase.sleep(0.5)
            now = self._source.clock.now_ms()
            for held in list(self._topics.values()):
                frames = held.closing.frames
                if held.closing.by_clock(now, self._grace_ms):
                    self.closed_by_clock += 1
                    held.silent = held.silent + 1 if self._form is not None and not frames else 0
                    self._closed(held)

    @property
    def _grace_ms(self) -> int:
        return round(self._settings.close_grace_s * 1000)

    async def history(self, symbol: str, minutes: int, start_ms: int, end_ms: int) -> list[Kline]:
        """Return the closed bars that open in [start_ms, end_ms)."""
        step = minutes * MINUTE_MS
        end_ms = min(end_ms, self._source.clock.now_ms() // step * step)
        found: list[Kline] = []
        begin = start_ms
        while begin < end_ms:
            until = min(begin + self._source.page * step, end_ms)
            found += await self._source.bars(symbol, minutes, begin, until)
            begin = until
        return found

    # --- inside --------------------------------------------------------------------------------------------

    def _closed(self, held: _Topic) -> None:
        closing = held.closing
        step = closing.minutes * MINUTE_MS
        if (
            not self._settings.confirm_bars
            and closing.first_missing_ms == closing.wanted_ms
            and (held.task is None or held.task.done())
        ):
            row = closing.seen(closing.wanted_ms)
            if row is not None:
                self.from_stream += 1
                self._hand_on(held, row)
                return
        if held.task is None or held.task.done():
            oldest = closing.wanted_ms - (self._settings.backfill_minutes // closing.minutes) * step
            closing.published_ms = max(closing.published_ms, oldest - step)
            held.task = asyncio.create_task(self._complete(held))

    async def _complete(self, held: _Topic) -> None:
        """Publish everything up to the newest closed bar."""
        closing = held.closing
        while closing.first_missing_ms <= closing.wanted_ms:
            wanted = closing.wanted_ms
            rows = await self._rows(held, closing.first_missing_ms, wanted)
            if held.name not in self._topics or rows is None:
                return  # what could not be asked is asked again when the next bar closes
            for row in rows:
                if row.open_ms < wanted:
                    self.backfilled += 1
                self._hand_on(held, row)
            closing.publish(wanted)  # the venue has no bar where nothing was traded
            traded = any(row.open_ms == wanted and row.volume for row in rows)
            if held.silent >= SILENT_BARS and traded:
                held.silent = 0
                await self._on_stale(held.name)

    async def _rows(self, held: _Topic, first_ms: int, last_ms: int) -> list[Kline] | None:
        """Return the bars of [first_ms, last_ms] as far as there are any, None if that is not known."""
        closing = held.closing
        step = closing.minutes * MINUTE_MS
        shown = closing.seen(last_ms)
        rows: list[Kline] = []
        is_answered = True
        for attempt in range(CONFIRM_ATTEMPTS):
            try:
                # The forming bar after the last one shows that requests are as far as the stream.
                asked = await self._source.bars(
                    held.contract.symbol, closing.minutes, first_ms, last_ms + 2 * step
                )
            except VenueError:
                is_answered = False
                break
            rows = [row for row in asked if row.open_ms <= last_ms]
            newest = rows[-1] if rows and rows[-1].open_ms == last_ms else None
            is_behind_us = bool(asked) and asked[-1].open_ms > last_ms
            if newest is None and shown is None and (is_behind_us or attempt):
                return rows
            if newest is not None and self._is_final(newest, shown, is_behind_us or bool(attempt)):
                self.confirmed += 1
                self.differing += shown is not None and newest != shown
                return rows
            await self._settings.timebase.sleep(CONFIRM_PAUSE_S)
        self.unconfirmed += 1
        older = [row for row in rows if row.open_ms < last_ms]
        seen = (closing.seen(ms) for ms in range(first_ms, last_ms + 1, step))
        known = {row.open_ms: row for row in (row for row in seen if row is not None)}
        known.update((row.open_ms, row) for row in older)
        if rows and rows[-1].open_ms == last_ms:
            known.setdefault(last_ms, rows[-1])
        return [known[ms] for ms in sorted(known)] if known or is_answered else None

    def _is_final(self, newest: Kline, shown: Kline | None, is_over: bool) -> bool:
        """Whether a bar that a request shows will not change any more."""
        if shown is not None:
            return newest.volume >= shown.volume
        return is_over or self._form is not None

    def _hand_on(self, held: _Topic, row: Kline) -> None:
        if row.open_ms <= held.closing.published_ms:
            return
        held.closing.publish(row.open_ms)
        self.published += 1
        self._publish(Closed(row, held.contract, held.closing.minutes, held.bar_type))
