"""The data client of BingX: its connection and its stream of bars, books, prints and mark prices.

What is not BingX's own (bars that close, gaps, history, the desk's feed) is in `adapters.live.data_client`.
Guarantee: after a reconnect the bars that closed meanwhile are fetched by REST first.
"""

from __future__ import annotations

from typing import Any

from adapters.bingx.config import DataSettings
from adapters.bingx.constants import DEPTH_LEVELS, INTERVALS, VENUE
from adapters.bingx.history import BingxSource
from adapters.bingx.market_rows import best_frame, book_frame, kline_frame, mark_price_frame, trade_frame
from adapters.bingx.providers import BingxInstrumentProvider
from adapters.bingx.rest import BingxRest
from adapters.bingx.sockets import Frame
from adapters.bingx.stream import MarketStream
from adapters.bingx.symbols import venue_symbol
from adapters.live import engine_rows as engine
from adapters.live.closing import FrameForm
from adapters.live.data_client import VenueDataClient
from adapters.live.feed import InstantFeed
from adapters.live.rows import Contract
from adapters.live.venue_clock import VenueClock

KLINES = FrameForm(kline_frame, "T")


class BingxDataClient(VenueDataClient):
    """Market data of BingX for a Nautilus live node.

    Parameters
    ----------
    settings : DataSettings
        Addresses, symbols, how bars are confirmed.
    feed : InstantFeed, optional
        The desk's feed: gets bars, quotes, prices and funding of its instruments in place of the engine.
    venue_clock : VenueClock, optional
        Measured by this client and shared with the feed.
    instruments : tuple
        What the engine is told in place of the venue's own list (the desk's rules).
    """

    def __init__(
        self,
        *,
        name: Any,
        config: Any,
        cache: Any,
        clock: Any,
        settings: DataSettings,
        feed: InstantFeed | None = None,
        venue_clock: VenueClock | None = None,
        instruments: tuple[Any, ...] = (),
    ) -> None:
        self.rest = BingxRest(
            settings.endpoints,
            timeout_s=settings.timeout_s,
            timebase=settings.timebase,
            clock=venue_clock,
        )
        super().__init__(
            name=name,
            config=config,
            cache=cache,
            clock=clock,
            place=VENUE,
            source=BingxSource(self.rest),
            provider=BingxInstrumentProvider(config.instrument_provider, self.rest, settings.symbols),
            settings=settings,
            form=KLINES,
            feed=feed,
            instruments=instruments,
        )
        self._depth_levels = settings.depth_levels
        self.stream = MarketStream(settings.endpoints.stream, settings.stream, self._stream_is_up)
        self._depth_wanted: set[str] = set()
        self._sequence = 0

    def symbol_of(self, instrument: str) -> str:
        """Return the venue's symbol of an instrument id."""
        return venue_symbol(instrument)

    async def _open(self) -> None:
        await self.rest.open()

    async def _close(self) -> None:
        await self.stream.close()
        await self.rest.close()

    async def _stream_is_up(self, topics: tuple[str, ...]) -> None:
        """A socket has connected (again): fetch the bars that closed meanwhile."""
        for topic in topics:
            self.bars.catch_up(topic)
        if self._feed is not None:
            self._feed.connected = True

    async def _stale_topic(self, topic: str) -> None:
        self._problem(f"stale topic: {topic} is silent although the venue trades")
        await self.stream.reconnect_socket_of(topic)

    async def _feed_desk(self, symbol: str) -> None:
        await self._want_book(symbol)

    # --- bars ----------------------------------------------------------------------------------------------

    async def _subscribe_bars(self, command: Any) -> None:
        contract, minutes = self._bars_wanted(command)
        topic = f"{contract.symbol}@kline_{INTERVALS[minutes]}"
        self.bars.add(topic, contract, minutes, command.bar_type)
        await self.stream.subscribe(topic, lambda frame: self.bars.frame(topic, frame.get("data")))

    async def _unsubscribe_bars(self, command: Any) -> None:
        contract, minutes = self._bars_wanted(command)
        topic = f"{contract.symbol}@kline_{INTERVALS[minutes]}"
        self.bars.remove(topic)
        await self.stream.unsubscribe(topic)

    # --- quotes, depth, prints -----------------------------------------------------------------------------

    async def _want_book(self, symbol: str) -> None:
        levels = self._depth_levels if not self._depth_wanted else max(self._depth_levels, 10)
        levels = min(level for level in DEPTH_LEVELS if level >= levels)
        await self.stream.subscribe(f"{symbol}@depth{levels}@500ms", lambda frame: self._book(symbol, frame))

    async def _subscribe_quotes(self, command: Any) -> None:
        symbol = venue_symbol(str(command.instrument_id))
        self._quotes_wanted.add(symbol)
        await self._want_book(symbol)

    async def _unsubscribe_quotes(self, command: Any) -> None:
        symbol = venue_symbol(str(command.instrument_id))
        self._quotes_wanted.discard(symbol)
        await self._drop_book(symbol)

    async def _subscribe_book_depth(self, command: Any) -> None:
        symbol = venue_symbol(str(command.instrument_id))
        self._depth_wanted.add(symbol)
        await self._want_book(symbol)

    async def _unsubscribe_book_depth(self, command: Any) -> None:
        symbol = venue_symbol(str(command.instrument_id))
        self._depth_wanted.discard(symbol)
        await self._drop_book(symbol)

    async def _drop_book(self, symbol: str) -> None:
        if symbol in self._quotes_wanted | self._depth_wanted or f"{symbol}.{VENUE}" in self._desk:
            return
        for topic in self.stream.topics:
            if topic.startswith(f"{symbol}@depth"):
                await self.stream.unsubscribe(topic)

    def _book(self, symbol: str, frame: Frame) -> None:
        contract = self.provider.contract(symbol)
        best = best_frame(frame, symbol)
        if best is not None:
            self._quote(best, contract)
        if symbol in self._depth_wanted:
            self._sequence += 1
            row = book_frame(frame, symbol)
            self._handle_data(engine.depth(row, contract, self._sequence, self._now_ns()))

    async def _subscribe_trades(self, command: Any) -> None:
        contract = self._asked(command)
        topic = f"{contract.symbol}@trade"
        await self.stream.subscribe(topic, lambda frame: self._trades(contract, frame))

    async def _unsubscribe_trades(self, command: Any) -> None:
        await self.stream.unsubscribe(f"{venue_symbol(str(command.instrument_id))}@trade")

    def _trades(self, contract: Contract, frame: Frame) -> None:
        now = self._now_ns()
        for row in trade_frame(frame.get("data"), contract.symbol):
            self._handle_data(engine.trade(row, contract, now))

    # --- mark prices ---------------------------------------------------------------------------------------

    async def _subscribe_mark_prices(self, command: Any) -> None:
        contract = self._asked(command)
        await self.stream.subscribe(f"{contract.symbol}@markPrice", lambda frame: self._mark(contract, frame))

    async def _unsubscribe_mark_prices(self, command: Any) -> None:
        await self.stream.unsubscribe(f"{venue_symbol(str(command.instrument_id))}@markPrice")

    def _mark(self, contract: Contract, frame: Frame) -> None:
        ts_ms, value = mark_price_frame(frame.get("data"), contract.symbol)
        self._handle_data(engine.mark_price(value, contract, ts_ms, self._now_ns()))
