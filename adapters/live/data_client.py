"""The data client of a venue, apart from its stream: bars, prices, funding, history, and the desk's feed.

Guarantees: a bar is published once, in time order, when it is closed and never before; after a gap the
missing bars are asked for first; what cannot be read is counted and told, never turned into data; what the
desk's feed gets (`InstantFeed`) does not reach the engine a second time.  Market data carries no key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from nautilus_trader.live.clients import MarketDataClient
from nautilus_trader.model import Venue

from adapters.live import engine_rows as engine
from adapters.live.bar_publisher import BarPublisher, Closed
from adapters.live.bar_types import desk_bar, minutes_of
from adapters.live.closing import FrameForm
from adapters.live.errors import VenueError
from adapters.live.feed import InstantFeed
from adapters.live.polling import PricePoller
from adapters.live.providers import VenueInstrumentProvider
from adapters.live.requests import HistoryRequests
from adapters.live.rows import BestRow, Contract, Premium
from adapters.live.source import FeedSettings, MarketSource
from adapters.live.timebase import MINUTE_MS
from catalog.arrivals import Gap
from risk.vocabulary import Bar, Quote

MS = 1_000_000
NS_A_MINUTE = MINUTE_MS * MS


class VenueDataClient(MarketDataClient):
    """What the data clients of all venues share; a venue adds its connection and its stream.

    Parameters
    ----------
    place : str
        The venue part of instrument names.
    form : FrameForm, optional
        How the stream shows bars; without it they come by request.
    feed : InstantFeed, optional
        The desk's feed: gets bars, quotes, prices and funding of its instruments in place of the engine.
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
        place: str,
        source: MarketSource,
        provider: VenueInstrumentProvider,
        settings: FeedSettings,
        form: FrameForm | None = None,
        feed: InstantFeed | None = None,
        instruments: tuple[Any, ...] = (),
    ) -> None:
        super().__init__(
            name=name,
            config=config,
            cache=cache,
            clock=clock,
            venue=Venue(place),
            instrument_provider=provider,
        )
        self.place, self.source, self.provider = place, source, provider
        self._feed, self._instruments = feed, instruments
        self._desk = frozenset(feed.assembler.base_minutes) if feed is not None else frozenset()
        self.bars = BarPublisher(source, settings, self._publish_bar, self._stale_topic, form)
        self.prices = PricePoller(source, settings)
        self.requests = HistoryRequests(self)
        self._quotes_wanted: set[str] = set()
        self._trades_wanted: set[str] = set()
        self.problems: dict[str, int] = {}
        self.last_problem = ""

    # --- what a venue adds ---------------------------------------------------------------------------------

    def symbol_of(self, instrument: str) -> str:
        """Return the venue's symbol of an instrument id; raises `VenueError` if it is none of the venue."""
        raise NotImplementedError

    async def _open(self) -> None:
        raise NotImplementedError

    async def _close(self) -> None:
        raise NotImplementedError

    async def _stale_topic(self, topic: str) -> None:
        """The stream of a topic is silent although the venue trades."""
        raise NotImplementedError

    async def _feed_desk(self, symbol: str) -> None:
        """The desk wants quotes of a symbol."""
        raise NotImplementedError

    def _has_prices(self) -> bool:
        """Whether the venue tells mark prices and the funding that forms."""
        return True

    # --- life ----------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        await self._open()
        await self.provider.load_all_async()
        for instrument in self._instruments or self.provider.list_all():
            self._handle_instrument(instrument)
        self.keep("bars", self.bars.keep_time)
        self.keep("prices", self.prices.run)

    async def _disconnect(self) -> None:
        self.bars.close()
        await self._close()

    def keep(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a task for ever: an error would only be logged by the engine, and data would stop."""
        self.create_task(self._forever(name, work), f"{self.place.lower()}-{name}")

    async def _forever(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
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

    def contract(self, instrument: str) -> Contract:
        """Return the venue's contract of an instrument id."""
        return self.provider.contract(self.symbol_of(instrument))

    def _asked(self, command: Any) -> Contract:
        return self.contract(str(command.instrument_id))

    def _now_ns(self) -> int:
        return int(self.clock.timestamp_ns())

    # --- bars ----------------------------------------------------------------------------------------------

    def _publish_bar(self, closed: Closed) -> None:
        name, minutes = closed.contract.name, closed.minutes
        if (
            self._feed is not None
            and name in self._desk
            and minutes == self._feed.assembler.base_minutes[name]
        ):
            self._feed.bar(desk_bar(name, closed.row, minutes))
            return
        self._handle_data(engine.bar(closed.row, closed.bar_type, closed.contract, minutes, self._now_ns()))

    async def backfill(self, gap: Gap) -> list[Bar]:
        """Return the closed bars of a gap that the venue has (the desk's feed asks)."""
        symbol, step = self.symbol_of(gap.instrument), gap.minutes * NS_A_MINUTE
        rows = await self.bars.history(symbol, gap.minutes, (gap.first_ns - step) // MS, gap.last_ns // MS)
        return [desk_bar(gap.instrument, row, gap.minutes) for row in rows]

    def _bars_wanted(self, command: Any) -> tuple[Contract, int]:
        return self.contract(str(command.bar_type.instrument_id)), minutes_of(command.bar_type)

    # --- quotes, prices and funding ------------------------------------------------------------------------

    def _quote(self, best: BestRow, contract: Contract) -> None:
        """Hand best bid and ask to whoever wants them."""
        if self._feed is not None and contract.name in self._desk:
            self._feed.quote(Quote(contract.name, best.ts_ms * MS, float(best.bid), float(best.ask)))
        if contract.symbol in self._quotes_wanted:
            self._handle_data(engine.quote(best, contract, self._now_ns()))

    async def _subscribe_index_prices(self, command: Any) -> None:
        contract = self._asked(command)

        def publish(row: Premium, ts_ms: int) -> None:
            if row.index_price is not None:
                now = self._now_ns()
                self._handle_data(engine.index_price(row.index_price, contract, ts_ms, now))

        self.prices.on_index(contract.symbol, publish)

    async def _unsubscribe_index_prices(self, command: Any) -> None:
        self.prices.forget_index(self.symbol_of(str(command.instrument_id)))

    async def _subscribe_funding_rates(self, command: Any) -> None:
        contract = self._asked(command)
        self.prices.on_funding(
            contract.symbol,
            lambda row, ts: self._handle_data(engine.forming_funding(row, contract, ts, self._now_ns())),
        )

    async def _unsubscribe_funding_rates(self, command: Any) -> None:
        self.prices.forget_funding(self.symbol_of(str(command.instrument_id)))

    # --- the desk's feed -----------------------------------------------------------------------------------

    async def _subscribe(self, command: Any) -> None:
        """The desk asks for the marks of instants: begin to feed it."""
        feed = self._feed
        if feed is None or str(command.data_type.type_name) != "InstantMark":
            raise VenueError(
                f"{self.place} has no data of type {command.data_type}",
                expected="market data, or a client with a feed",
            )
        feed.start(self._handle_data, self.create_task)
        for name in sorted(self._desk):
            symbol = self.symbol_of(name)
            if self._has_prices():
                self.prices.on_desk(symbol, name, feed)
            await self._feed_desk(symbol)
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
