"""The data client of BingX: closed bars, quotes, prints, depth, mark and index prices, funding, history.

Guarantees: a bar is published once, in time order, when it is closed and never before; after a reconnect or a
gap the missing bars are fetched by REST first; a frame that cannot be read is counted and told, never turned
into data; what the desk's feed gets (`InstantFeed`) does not reach the engine a second time.  Market data
carries no key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from nautilus_trader.live.clients import MarketDataClient
from nautilus_trader.model import Venue

from adapters.bingx import engine_data as engine
from adapters.bingx.bar_publisher import BarPublisher, Closed
from adapters.bingx.bar_types import desk_bar, minutes_of
from adapters.bingx.clock import VenueClock
from adapters.bingx.config import DataSettings
from adapters.bingx.constants import DEPTH_LEVELS, INTERVALS, MINUTE_MS, VENUE
from adapters.bingx.errors import BingxError
from adapters.bingx.market_rows import Contract, best_frame, book_frame, mark_price_frame, trade_frame
from adapters.bingx.polling import PricePoller
from adapters.bingx.providers import BingxInstrumentProvider
from adapters.bingx.requests import HistoryRequests
from adapters.bingx.rest import BingxRest
from adapters.bingx.sockets import Frame
from adapters.bingx.stream import MarketStream
from adapters.bingx.symbols import venue_symbol
from adapters.live.feed import InstantFeed
from catalog.arrivals import Gap
from risk.vocabulary import Bar, Quote

MS = 1_000_000
NS_A_MINUTE = MINUTE_MS * MS


class BingxDataClient(MarketDataClient):
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
        self.provider = BingxInstrumentProvider(config.instrument_provider, self.rest, settings.symbols)
        super().__init__(
            name=name,
            config=config,
            cache=cache,
            clock=clock,
            venue=Venue(VENUE),
            instrument_provider=self.provider,
        )
        self._settings, self._feed, self._instruments = settings, feed, instruments
        self._desk = frozenset(feed.assembler.base_minutes) if feed is not None else frozenset()
        self.stream = MarketStream(settings.endpoints.stream, settings.stream, self._stream_is_up)
        self.bars = BarPublisher(self.rest, settings, self._publish_bar, self._stale_topic)
        self.prices = PricePoller(self.rest, settings, self._now_ns)
        self.requests = HistoryRequests(self)
        self._depth_wanted: set[str] = set()
        self._quotes_wanted: set[str] = set()
        self._sequence = 0
        self.problems: dict[str, int] = {}
        self.last_problem = ""

    # --- life ----------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        await self.rest.open()
        await self.provider.load_all_async()
        for instrument in self._instruments or self.provider.list_all():
            self._handle_instrument(instrument)
        self.create_task(self._forever("bars", self.bars.keep_time), "bingx-bars")
        self.create_task(self._forever("prices", self.prices.run), "bingx-prices")

    async def _disconnect(self) -> None:
        await self.stream.close()
        await self.rest.close()

    async def _forever(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a task again after whatever ends it: an error would only be logged, and data would stop."""
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - told and tried again
                self._problem(f"{name}: {type(error).__name__}: {error}")
            await asyncio.sleep(1.0)

    def _problem(self, text: str) -> None:
        key = text.partition(":")[0]
        self.problems[key] = self.problems.get(key, 0) + 1
        self.last_problem = text
        if self._feed is not None:
            self._feed.tell("feed_problem", key, text)

    async def _stream_is_up(self, topics: tuple[str, ...]) -> None:
        """A socket has connected (again): fetch the bars that closed meanwhile."""
        for topic in topics:
            self.bars.catch_up(topic)
        if self._feed is not None:
            self._feed.connected = True

    async def _stale_topic(self, topic: str) -> None:
        self._problem(f"stale topic: {topic} is silent although the venue trades")
        await self.stream.reconnect_socket_of(topic)

    def contract(self, instrument: str) -> Contract:
        """Return the venue's contract of an instrument id."""
        return self.provider.contract(venue_symbol(instrument))

    def _now_ns(self) -> int:
        return int(self.clock.timestamp_ns())

    # --- bars ----------------------------------------------------------------------------------------------

    async def _subscribe_bars(self, command: Any) -> None:
        minutes = minutes_of(command.bar_type)
        contract = self.contract(str(command.bar_type.instrument_id))
        topic = f"{contract.symbol}@kline_{INTERVALS[minutes]}"
        self.bars.add(topic, contract, minutes, command.bar_type)
        await self.stream.subscribe(topic, lambda frame: self.bars.frame(topic, frame))

    async def _unsubscribe_bars(self, command: Any) -> None:
        symbol = venue_symbol(str(command.bar_type.instrument_id))
        topic = f"{symbol}@kline_{INTERVALS[minutes_of(command.bar_type)]}"
        self.bars.remove(topic)
        await self.stream.unsubscribe(topic)

    def _publish_bar(self, closed: Closed) -> None:
        symbol = closed.contract.symbol
        name = f"{symbol}.{VENUE}"
        if (
            self._feed is not None
            and name in self._desk
            and closed.minutes == self._feed.assembler.base_minutes[name]
        ):
            self._feed.bar(desk_bar(name, closed.row, closed.minutes))
            return
        bar = engine.bar(closed.row, closed.bar_type, closed.contract, closed.minutes, self._now_ns())
        self._handle_data(bar)

    async def backfill(self, gap: Gap) -> list[Bar]:
        """Return the closed bars of a gap that the venue has (the desk's feed asks)."""
        symbol = venue_symbol(gap.instrument)
        step = gap.minutes * NS_A_MINUTE
        rows = await self.bars.history(symbol, gap.minutes, (gap.first_ns - step) // MS, gap.last_ns // MS)
        return [desk_bar(gap.instrument, row, gap.minutes) for row in rows]

    # --- quotes, depth, prints -----------------------------------------------------------------------------

    async def _want_book(self, symbol: str) -> None:
        levels = (
            self._settings.depth_levels if not self._depth_wanted else max(self._settings.depth_levels, 10)
        )
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
        name, contract = f"{symbol}.{VENUE}", self.provider.contract(symbol)
        best = best_frame(frame, symbol)
        if best is not None and name in self._desk and self._feed is not None:
            self._feed.quote(Quote(name, best.ts_ms * MS, float(best.bid), float(best.ask)))
        if best is not None and symbol in self._quotes_wanted:
            self._handle_data(engine.quote(best, contract, self._now_ns()))
        if symbol in self._depth_wanted:
            self._sequence += 1
            row = book_frame(frame, symbol)
            self._handle_data(engine.depth(row, contract, self._sequence, self._now_ns()))

    async def _subscribe_trades(self, command: Any) -> None:
        symbol = venue_symbol(str(command.instrument_id))
        contract = self.provider.contract(symbol)
        await self.stream.subscribe(f"{symbol}@trade", lambda frame: self._trades(contract, frame))

    async def _unsubscribe_trades(self, command: Any) -> None:
        await self.stream.unsubscribe(f"{venue_symbol(str(command.instrument_id))}@trade")

    def _trades(self, contract: Contract, frame: Frame) -> None:
        now = self._now_ns()
        for row in trade_frame(frame.get("data"), contract.symbol):
            self._handle_data(engine.trade(row, contract, now))

    # --- prices and funding --------------------------------------------------------------------------------

    async def _subscribe_mark_prices(self, command: Any) -> None:
        symbol = venue_symbol(str(command.instrument_id))
        contract = self.provider.contract(symbol)
        await self.stream.subscribe(f"{symbol}@markPrice", lambda frame: self._mark(contract, frame))

    async def _unsubscribe_mark_prices(self, command: Any) -> None:
        await self.stream.unsubscribe(f"{venue_symbol(str(command.instrument_id))}@markPrice")

    def _mark(self, contract: Contract, frame: Frame) -> None:
        ts_ms, value = mark_price_frame(frame.get("data"), contract.symbol)
        self._handle_data(engine.mark_price(contract.symbol, value, contract, ts_ms, self._now_ns()))

    async def _subscribe_index_prices(self, command: Any) -> None:
        contract = self.contract(str(command.instrument_id))
        self.prices.on_index(
            contract.symbol,
            lambda row, ts: self._handle_data(engine.index_price(row, contract, ts, self._now_ns())),
        )

    async def _unsubscribe_index_prices(self, command: Any) -> None:
        self.prices.forget_index(venue_symbol(str(command.instrument_id)))

    async def _subscribe_funding_rates(self, command: Any) -> None:
        symbol = self.contract(str(command.instrument_id)).symbol
        self.prices.on_funding(
            symbol, lambda row, ts: self._handle_data(engine.forming_funding(row, ts, self._now_ns()))
        )

    async def _unsubscribe_funding_rates(self, command: Any) -> None:
        self.prices.forget_funding(venue_symbol(str(command.instrument_id)))

    # --- the desk's feed -----------------------------------------------------------------------------------

    async def _subscribe(self, command: Any) -> None:
        """The desk asks for the marks of instants: begin to feed it."""
        feed = self._feed
        if feed is None or str(command.data_type.type_name) != "InstantMark":
            raise BingxError(
                f"BingX has no data of type {command.data_type}",
                expected="market data, or a client with a feed",
            )
        feed.start(self._handle_data, self.create_task)
        for name in sorted(self._desk):
            self.prices.on_desk(venue_symbol(name), name, feed)
            await self._want_book(venue_symbol(name))
        feed.connected = True

    async def _unsubscribe(self, command: Any) -> None:
        return

    # --- requests ------------------------------------------------------------------------------------------

    async def _request_instrument(self, request: Any) -> None:
        await self.requests.instrument(request)

    async def _request_instruments(self, request: Any) -> None:
        await self.requests.instruments(request)

    async def _request_bars(self, request: Any) -> None:
        await self.requests.bars(request)

    async def _request_trades(self, request: Any) -> None:
        await self.requests.trades(request)

    async def _request_funding_rates(self, request: Any) -> None:
        await self.requests.funding_rates(request)

    def respond(self, response: object) -> None:
        """Hand an answer over to the engine."""
        self._handle_response(response)
