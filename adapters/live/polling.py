"""What the stream does not carry: index price, forming funding and settled funding, by polling.

Guarantees: one call serves all instruments; a settled rate is asked for after its settlement until the venue
has it, and handed on once; a rate that never comes stays missing and is told, it is never taken as zero.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.live.errors import MalformedAnswer, VenueError
from adapters.live.feed import InstantFeed
from adapters.live.rows import Premium
from adapters.live.source import FeedSettings, MarketSource
from risk.vocabulary import Funding

MS = 1_000_000
HOUR_MS = 3_600_000
GIVE_UP_MS = 30 * 60_000  # after a settlement

OnPremium = Callable[[Premium, int], None]


class PricePoller:
    """Polls the premium index and, after each settlement, the funding history."""

    def __init__(self, source: MarketSource, settings: FeedSettings) -> None:
        self._source, self._settings = source, settings
        self._index: dict[str, OnPremium] = {}
        self._funding: dict[str, OnPremium] = {}
        self._desk: dict[str, tuple[str, InstantFeed]] = {}
        self._due: dict[str, int] = {}  # symbol -> settlement whose rate is awaited, ms
        self._next: dict[str, int] = {}  # symbol -> next settlement as the venue says
        self.polls = 0
        self.failures = 0
        self.settled = 0

    def on_index(self, symbol: str, handler: OnPremium) -> None:
        """Want the index price of a symbol."""
        self._index[symbol] = handler

    def forget_index(self, symbol: str) -> None:
        """Want it no more."""
        self._index.pop(symbol, None)

    def on_funding(self, symbol: str, handler: OnPremium) -> None:
        """Want the forming rate of a symbol."""
        self._funding[symbol] = handler

    def forget_funding(self, symbol: str) -> None:
        """Want it no more."""
        self._funding.pop(symbol, None)

    def on_desk(self, symbol: str, name: str, feed: InstantFeed) -> None:
        """Feed marks, index prices and settled funding of an instrument to the desk."""
        self._desk[symbol] = (name, feed)

    async def run(self) -> None:
        """Poll for ever."""
        while True:
            if self._index or self._funding or self._desk:
                try:
                    await self._poll()
                except VenueError:
                    self.failures += 1
                    raise
                await self._settlements()
            await self._settings.timebase.sleep(
                self._settings.poll_s if self._index or self._funding or self._desk else 0.2
            )

    async def _poll(self) -> None:
        wanted = sorted(self._desk.keys() | self._index.keys() | self._funding.keys())
        rows = await self._source.prices(wanted)
        now_ms = self._source.clock.now_ms()
        self.polls += 1
        missing = set(wanted) - rows.keys()
        if missing:
            raise MalformedAnswer(
                "mark price and funding of some instruments are not there",
                found=", ".join(sorted(missing)[:5]),
                expected="all of them",
            )
        for symbol, row in rows.items():
            if symbol in self._index:
                self._index[symbol](row, now_ms)
            if symbol in self._funding:
                self._funding[symbol](row, now_ms)
            held = self._desk.get(symbol)
            if held is not None:
                name, feed = held
                feed.mark_price(name, now_ms * MS, float(row.mark_price))
                if row.index_price is not None:
                    feed.reference(name, now_ms * MS, float(row.index_price))
                self._note(symbol, row.next_funding_ms, now_ms)

    def _note(self, symbol: str, next_ms: int, now_ms: int) -> None:
        known = self._next.get(symbol)
        if known is not None and next_ms > known and now_ms >= known:
            self._due[symbol] = known
        self._next[symbol] = next_ms

    async def _settlements(self) -> None:
        now_ms = self._source.clock.now_ms()
        for symbol, due_ms in list(self._due.items()):
            rows = await self._source.settled_funding(symbol, due_ms - HOUR_MS // 2, now_ms + 1)
            name, feed = self._desk[symbol]
            fresh = [row for row in rows if row.ts_ms >= due_ms - 60_000]
            for row in fresh:
                feed.funding(Funding(name, row.ts_ms * MS, float(row.rate)))
                self.settled += 1
            if fresh:
                del self._due[symbol]
            elif now_ms > due_ms + GIVE_UP_MS:
                del self._due[symbol]
                feed.tell("feed_funding", name, f"the venue shows no rate for the settlement at {due_ms} ms")
