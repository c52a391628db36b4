"""Answers to requests for history and instruments."""

from __future__ import annotations

from typing import Any, Protocol

from nautilus_trader.live import (
    BarsResponse,
    FundingRatesResponse,
    InstrumentResponse,
    InstrumentsResponse,
    TradesResponse,
)
from nautilus_trader.model import Venue

from adapters.live import engine_rows as engine
from adapters.live.bar_publisher import BarPublisher
from adapters.live.bar_types import minutes_of
from adapters.live.providers import VenueInstrumentProvider
from adapters.live.rows import Contract
from adapters.live.source import MarketSource
from adapters.live.timebase import MINUTE_MS

MS = 1_000_000
DEFAULT_BARS = 500
TRADES_LIMIT = 1000
DEFAULT_FUNDING_MS = 30 * 86_400_000


class Client(Protocol):
    """What the requests need of the data client."""

    source: MarketSource
    provider: VenueInstrumentProvider
    bars: BarPublisher
    client_id: Any
    clock: Any
    place: str
    """Name of the venue."""

    def contract(self, instrument: str) -> Contract:
        """Return the contract of an instrument id."""

    def respond(self, response: object) -> None:
        """Hand an answer over."""


class HistoryRequests:
    """Answers requests of one client; an error is raised and logged by the engine, never an empty answer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def _tail(self, request: Any) -> tuple[Any, ...]:
        return (
            request.request_id,
            self._client.clock.timestamp_ns(),
            getattr(request, "start_ns", None),
            getattr(request, "end_ns", None),
            None,
        )

    def _bounds(self, request: Any, default_ms: int) -> tuple[int, int]:
        """Return [start, end) in ms; a bar is known at its close, so bounds are of close times."""
        end_ms = (request.end_ns // MS) if request.end_ns else self._client.source.clock.now_ms()
        start_ms = (request.start_ns // MS) if request.start_ns else end_ms - default_ms
        return start_ms, end_ms

    async def bars(self, request: Any) -> None:
        """Answer with the closed bars whose close lies in [start, end]; at most `limit`, the newest."""
        client, minutes = self._client, minutes_of(request.bar_type)
        contract = client.contract(str(request.bar_type.instrument_id))
        step = minutes * MINUTE_MS
        limit = request.limit or 0
        start_ms, end_ms = self._bounds(request, (limit or DEFAULT_BARS) * step)
        rows = await client.bars.history(contract.symbol, minutes, start_ms - step, end_ms - step + 1)
        now = client.clock.timestamp_ns()
        data = [engine.bar(row, request.bar_type, contract, minutes, now) for row in rows]
        data = data[-limit:] if limit else data
        client.respond(BarsResponse(client.client_id, request.bar_type, data, *self._tail(request)))

    async def trades(self, request: Any) -> None:
        """Answer with the newest prints; the venue has no older ones."""
        client = self._client
        contract = client.contract(str(request.instrument_id))
        limit = min(request.limit or TRADES_LIMIT, TRADES_LIMIT)
        rows = await client.source.recent_trades(contract.symbol, limit)
        now = client.clock.timestamp_ns()
        data = [engine.trade(row, contract, now) for row in rows]
        client.respond(TradesResponse(client.client_id, request.instrument_id, data, *self._tail(request)))

    async def funding_rates(self, request: Any) -> None:
        """Answer with settled rates."""
        client = self._client
        contract = client.contract(str(request.instrument_id))
        start_ms, end_ms = self._bounds(request, DEFAULT_FUNDING_MS)
        rows = await client.source.settled_funding(contract.symbol, start_ms, end_ms + 1)
        now = client.clock.timestamp_ns()
        data = [engine.settled_funding(row, contract, now) for row in rows]
        client.respond(
            FundingRatesResponse(client.client_id, request.instrument_id, data, *self._tail(request))
        )

    async def instruments(self, request: Any) -> None:
        """Answer with the loaded instruments."""
        client = self._client
        client.respond(
            InstrumentsResponse(
                client.client_id, Venue(client.place), client.provider.list_all(), *self._tail(request)
            )
        )

    async def instrument(self, request: Any) -> None:
        """Answer with one instrument."""
        client = self._client
        contract = client.contract(str(request.instrument_id))
        found = engine.instrument(contract, client.clock.timestamp_ns())
        client.respond(InstrumentResponse(client.client_id, found.id, found, *self._tail(request)))
