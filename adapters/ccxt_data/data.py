"""The data client of an exchange of ccxt: closed bars by request, quotes and prints by stream, funding.

What any venue's client does is in `adapters.live.data_client`; the factory binds one to its settings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nautilus_trader.live.clients import DataClientFactory

from adapters.ccxt_data import rows
from adapters.ccxt_data.config import CcxtSettings
from adapters.ccxt_data.exchange import CcxtSource
from adapters.ccxt_data.stream import CcxtStream
from adapters.live import engine_rows as engine
from adapters.live.data_client import VenueDataClient
from adapters.live.errors import MalformedAnswer, VenueError
from adapters.live.feed import InstantFeed
from adapters.live.fields import record
from adapters.live.providers import VenueInstrumentProvider
from adapters.live.rows import Contract
from adapters.live.venue_clock import VenueClock


class CcxtDataClient(VenueDataClient):
    """Market data of one exchange for a Nautilus live node; instruments are named BTCUSDT-PERP.BYBIT."""

    def __init__(
        self,
        *,
        name: Any,
        config: Any,
        cache: Any,
        clock: Any,
        settings: CcxtSettings,
        feed: InstantFeed | None = None,
        venue_clock: VenueClock | None = None,
        instruments: tuple[Any, ...] = (),
    ) -> None:
        self.exchange_source = CcxtSource(settings, venue_clock)
        super().__init__(
            name=name,
            config=config,
            cache=cache,
            clock=clock,
            place=settings.place,
            source=self.exchange_source,
            provider=VenueInstrumentProvider(
                config.instrument_provider,
                self.exchange_source,
                settings.exchange,
                lambda symbol: symbol.endswith("-PERP"),
                settings.symbols,
            ),
            settings=settings,
            feed=feed,
            instruments=instruments,
        )
        self.stream = CcxtStream(self.exchange_source, settings, self._problem)

    def symbol_of(self, instrument: str) -> str:
        """Return our symbol of an instrument id: its part before the venue."""
        symbol, _, place = instrument.rpartition(".")
        if place != self.place or not symbol:
            raise MalformedAnswer(
                f"{instrument} is not an instrument of this venue",
                found=instrument,
                expected=f"the id of a perpetual, such as BTCUSDT-PERP.{self.place}",
            )
        return symbol

    async def _open(self) -> None:
        await self.exchange_source.open()

    async def _close(self) -> None:
        await self.stream.close()
        await self.exchange_source.close()

    async def _stale_topic(self, topic: str) -> None:
        self.stream.reconnect(f"{topic} is silent although the venue trades")

    def _has_prices(self) -> bool:
        return self.exchange_source.has_funding

    async def _feed_desk(self, symbol: str) -> None:
        contract = self.provider.contract(symbol)
        self._watch_quotes(contract)
        self._watch_trades(contract)  # what is traded shows that the stream lives

    # --- bars ----------------------------------------------------------------------------------------------

    async def _subscribe_bars(self, command: Any) -> None:
        contract, minutes = self._bars_wanted(command)
        self.bars.add(f"{contract.symbol} {minutes}", contract, minutes, command.bar_type)

    async def _unsubscribe_bars(self, command: Any) -> None:
        contract, minutes = self._bars_wanted(command)
        self.bars.remove(f"{contract.symbol} {minutes}")

    # --- quotes and prints ---------------------------------------------------------------------------------

    def _watch_quotes(self, contract: Contract) -> None:
        exchange, unified = self.exchange_source.exchange, self.exchange_source.unified(contract.symbol)
        if not exchange.has.get("watchBidsAsks"):
            return  # the desk goes without quotes, as in a replay

        def heard(news: Any) -> None:
            ticker = record(news, "quotes").get(unified)
            now_ms = self.source.clock.now_ms()
            best = None if ticker is None else rows.best(ticker, contract.symbol, now_ms)
            if best is not None:
                self._quote(best, contract)

        self.stream.watch(f"{contract.symbol} quotes", lambda: exchange.watch_bids_asks([unified]), heard)

    async def _subscribe_quotes(self, command: Any) -> None:
        contract = self._asked(command)
        if not self.exchange_source.exchange.has.get("watchBidsAsks"):
            raise VenueError(f"{self.place} has no stream of quotes in ccxt", expected="prints or bars")
        self._quotes_wanted.add(contract.symbol)
        self._watch_quotes(contract)

    async def _unsubscribe_quotes(self, command: Any) -> None:
        symbol = self.symbol_of(str(command.instrument_id))
        self._quotes_wanted.discard(symbol)
        if f"{symbol}.{self.place}" not in self._desk:
            self.stream.forget(f"{symbol} quotes")

    def _watch_trades(self, contract: Contract) -> None:
        exchange, unified = self.exchange_source.exchange, self.exchange_source.unified(contract.symbol)
        if not exchange.has.get("watchTrades"):
            return

        def heard(news: Any) -> None:
            found = rows.trades(news, contract.symbol)
            if contract.symbol in self._trades_wanted:
                now = self._now_ns()
                for row in found:
                    self._handle_data(engine.trade(row, contract, now))

        self.stream.watch(f"{contract.symbol} trades", lambda: exchange.watch_trades(unified), heard)

    async def _subscribe_trades(self, command: Any) -> None:
        contract = self._asked(command)
        if not self.exchange_source.exchange.has.get("watchTrades"):
            raise VenueError(f"{self.place} has no stream of prints in ccxt", expected="quotes or bars")
        self._trades_wanted.add(contract.symbol)
        self._watch_trades(contract)

    async def _unsubscribe_trades(self, command: Any) -> None:
        symbol = self.symbol_of(str(command.instrument_id))
        self._trades_wanted.discard(symbol)
        if f"{symbol}.{self.place}" not in self._desk:
            self.stream.forget(f"{symbol} trades")


def data_factory(
    settings: CcxtSettings,
    feed: InstantFeed | None = None,
    made: Callable[[CcxtDataClient], None] | None = None,
    clock: VenueClock | None = None,
    instruments: tuple[Any, ...] = (),
) -> type[DataClientFactory]:
    """Return a factory of data clients for a node's builder; `made` is told the client, for its counters."""
    venue_clock = clock

    class Factory(DataClientFactory):
        @staticmethod
        def create(*, name: Any, config: Any, cache: Any, clock: Any) -> CcxtDataClient:
            client = CcxtDataClient(
                name=name,
                config=config,
                cache=cache,
                clock=clock,
                settings=settings,
                feed=feed,
                venue_clock=venue_clock,
                instruments=instruments,
            )
            if made is not None:
                made(client)
            return client

    return Factory
