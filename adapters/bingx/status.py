"""Answers to the engine's questions at start-up and in its periodic checks.

Guarantees: an answer is complete or the question fails; a malformed or missing answer of the venue is never
told to the engine as "no orders" or "flat".
"""

from __future__ import annotations

from typing import Any, Protocol

from adapters.bingx.account_rows import positions
from adapters.bingx.constants import HISTORY_WINDOW_MS
from adapters.bingx.errors import Meaning, VenueRefused
from adapters.bingx.order_journal import OrderJournal
from adapters.bingx.order_rows import OrderRow, order, orders
from adapters.bingx.providers import BingxInstrumentProvider
from adapters.bingx.reconcile import fill_pages
from adapters.bingx.reports import fill_report, flat_report, merge_triggered, order_report, position_report
from adapters.bingx.rest import ALL_ORDERS, OPEN_ORDERS, ORDER, POSITIONS, BingxRest
from adapters.bingx.symbols import venue_symbol
from adapters.bingx.tracked import OrderBook

MS = 1_000_000
DAY_MS = 86_400_000
PAGE = 1000


class Client(Protocol):
    """What the reports need of the execution client."""

    rest: BingxRest
    provider: BingxInstrumentProvider
    journal: OrderJournal
    book: OrderBook
    account_id: Any

    def now_ms(self) -> int:
        """Return the venue's time."""


class StatusReports:
    """Reports of one client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def _symbols(self, command: Any) -> list[str]:
        instrument = getattr(command, "instrument_id", None)
        if instrument is not None:
            return [venue_symbol(str(instrument))]
        return sorted(self._client.provider.contracts)

    def _since_ms(self, command: Any) -> int:
        now = self._client.now_ms()
        start = getattr(command, "start_ns", None) or getattr(command, "start", None)
        start_ms = start // MS if isinstance(start, int) else now - DAY_MS
        return max(start_ms, now - HISTORY_WINDOW_MS + DAY_MS)

    def _client_id(self, row: OrderRow) -> str:
        tracked = self._client.book.find(row.order_id, row.trigger_order_id, row.client_id)
        return tracked.client_id if tracked is not None else self._client.journal.client_id(row)

    async def order(self, command: Any) -> Any:
        """Return the report of one order, None if the venue does not know it."""
        client = self._client
        symbol = venue_symbol(str(command.instrument_id))
        query: dict[str, object] = {"symbol": symbol}
        if command.venue_order_id is not None:
            query["orderId"] = str(command.venue_order_id)
        elif command.client_order_id is not None:
            tracked = client.book.of_client(str(command.client_order_id))
            if tracked is not None and tracked.venue_id:
                query["orderId"] = tracked.venue_id
            else:
                query["clientOrderId"] = str(command.client_order_id).lower()
        try:
            row = order(await client.rest.call(ORDER, query))
        except VenueRefused as refusal:
            if refusal.meaning is Meaning.GONE:
                return None
            raise
        now = client.now_ms() * MS
        return order_report(
            row, client.provider.contract(symbol), client.account_id, self._client_id(row), now
        )

    async def orders(self, command: Any) -> list[Any]:
        """Return reports of resting orders, and of recent ones unless only open ones are asked for."""
        client = self._client
        rows = {row.order_id: row for row in orders(await client.rest.call(OPEN_ORDERS))}
        traded = set(self._symbols(command))
        if not getattr(command, "open_only", True):
            for symbol in sorted(traded & {row.symbol for row in rows.values()} | await self._active(traded)):
                rows |= {row.order_id: row for row in await self._recent(symbol, self._since_ms(command))}
        merged, _ = merge_triggered(rows.values())
        now = client.now_ms() * MS
        return [
            order_report(
                row, client.provider.contract(row.symbol), client.account_id, self._client_id(row), now
            )
            for row in merged
            if row.symbol in traded
        ]

    async def _active(self, traded: set[str]) -> set[str]:
        """Return the symbols with a position: what else was done there is history that explains nothing."""
        held = positions(await self._client.rest.call(POSITIONS))
        return {row.symbol for row in held} & traded

    async def _recent(self, symbol: str, since_ms: int) -> list[OrderRow]:
        now = self._client.now_ms()
        query = {"symbol": symbol, "startTime": since_ms, "endTime": now, "limit": PAGE}
        return orders(await self._client.rest.call(ALL_ORDERS, query))

    async def fills(self, command: Any) -> list[Any]:
        """Return reports of fills."""
        client = self._client
        now = client.now_ms()
        reports = []
        wanted = set(self._symbols(command))
        for symbol in sorted(await self._active(wanted)):
            since = self._since_ms(command)
            found = await fill_pages(client.rest, symbol, since, now + 1000)
            _, renamed = merge_triggered(await self._recent(symbol, since))
            contract = client.provider.contract(symbol)
            for fill in found:
                tracked = client.book.of_venue(fill.order_id)
                reports.append(
                    fill_report(
                        fill,
                        contract,
                        client.account_id,
                        tracked.client_id if tracked else "",
                        renamed,
                        now * MS,
                    )
                )
        return reports

    async def positions(self, command: Any) -> list[Any]:
        """Return reports of open positions; a symbol that was asked for and has none is reported flat."""
        client = self._client
        now = client.now_ms() * MS
        held = {row.symbol: row for row in positions(await client.rest.call(POSITIONS))}
        traded = self._symbols(command)
        reports = [
            position_report(row, client.provider.contract(symbol), client.account_id, now)
            for symbol, row in held.items()
            if symbol in traded
        ]
        if getattr(command, "instrument_id", None) is not None and not reports:
            reports.append(
                flat_report(traded[0], client.provider.contract(traded[0]), client.account_id, now)
            )
        return reports
