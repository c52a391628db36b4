"""Orders and events that arrive: whose are they?

Guarantees: an event that is faster than the answer to its own order waits for it; an order of ours is
recognised by venue id, by the order it was triggered from, by client id, by the journal, or as the stop that
the venue places with an entry; what is nobody's is reported to the engine as an external order, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from nautilus_trader.model import ClientOrderId, OrderSide

from adapters.bingx.config import ExecutionSettings
from adapters.bingx.ledger import OrderLedger
from adapters.bingx.order_journal import OrderJournal
from adapters.bingx.order_params import decimal_of
from adapters.bingx.order_rows import FillRow, OrderRow
from adapters.bingx.protection import StopKeeper
from adapters.bingx.providers import BingxInstrumentProvider
from adapters.bingx.reconcile import Reconciler
from adapters.bingx.reports import fill_report, order_report
from adapters.bingx.symbols import venue_symbol
from adapters.bingx.tracked import OrderBook, Seen, TrackedOrder
from adapters.bingx.user_events import OrderEvent

MS = 1_000_000


class Client(Protocol):
    """What the intake needs of the execution client."""

    settings: ExecutionSettings
    book: OrderBook
    ledger: OrderLedger
    journal: OrderJournal
    keeper: StopKeeper
    provider: BingxInstrumentProvider
    reconciler: Reconciler
    cache: Any
    account_id: Any

    def now_ms(self) -> int:
        """Return the venue's time."""

    def problem(self, text: str) -> None:
        """Tell what went wrong."""

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Run something beside."""

    def report(self, report: object, fills: list[Any]) -> None:
        """Hand a report over to the engine."""


class OrderIntake:
    """Finds the order of what arrives."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._unclaimed: dict[str, list[OrderEvent]] = {}

    def event(self, event: OrderEvent) -> None:
        """Take an event of the user stream."""
        tracked = self._client.book.find(event.order_id, event.trigger_order_id, event.client_id)
        if tracked is None and not event.client_id:
            tracked = self.attached(event, event.ts_ms)
        if tracked is not None:
            self._client.ledger.event(tracked, event)
            return
        first = event.order_id not in self._unclaimed
        self._unclaimed.setdefault(event.order_id, []).append(event)
        if first:  # the answer to its POST may still be on its way
            self._client.spawn(self._claim(event.order_id, event.symbol), "bingx-claim")

    async def _claim(self, venue_id: str, symbol: str) -> None:
        await asyncio.sleep(self._client.settings.fill_patience_s)
        if venue_id in self._unclaimed:
            self.replay(venue_id)
        if self._client.book.of_venue(venue_id) is None:
            await self._client.reconciler.run(also=frozenset({symbol}))
        self._unclaimed.pop(venue_id, None)

    def replay(self, venue_id: str) -> None:
        """Apply the events that came before their order was known."""
        tracked = self._client.book.of_venue(venue_id)
        if tracked is not None:
            for event in self._unclaimed.pop(venue_id, []):
                self._client.ledger.event(tracked, event)

    def adopt(self, row: OrderRow) -> TrackedOrder | None:
        """Return the tracked order that a row of the venue belongs to; None if it is not one of ours."""
        tracked = self._client.book.find(row.order_id, row.trigger_order_id, row.client_id)
        client_id = self._client.journal.client_id(row)
        if tracked is None and client_id:
            tracked = self._client.book.of_client(client_id) or self.from_cache(client_id)
        if tracked is None:
            tracked = self.from_cache(row.order_id)  # the engine names external orders by the venue's id
        if tracked is None or tracked.venue_id in {row.order_id, row.trigger_order_id}:
            return tracked
        self._client.book.link(tracked, row.order_id, current=not tracked.venue_id)
        return tracked

    def attached(self, row: Seen, ts_ms: int) -> TrackedOrder | None:
        """Return the stop of an entry of ours that the venue has placed, now taken over; else None.

        An order that two stops could be is left to `protection`, which goes by the entry.
        """
        sought = [held for held in self._client.book.open if held.is_sought and held.looks_like(row)]
        if len(sought) != 1:
            return None
        [stop] = sought
        self._client.keeper.claim(stop, row, ts_ms)
        self._client.spawn(self._client.journal.placed(stop.client_id, row.order_id), "bingx-journal")
        return stop

    def expects(self, row: OrderRow) -> bool:
        """Whether a row may be a stop of ours that is on its way; whoever sent it hears of it."""
        return any(
            not held.accepted and held.is_reduce_only and held.looks_like(row)
            for held in self._client.book.open
        )

    def from_cache(self, client_id: str) -> TrackedOrder | None:
        """Track an open order that the engine knows."""
        order = self._client.cache.order(ClientOrderId(client_id))
        if order is None or order.is_closed:
            return None
        return self.track(order)

    def external(self, row: OrderRow, new_fills: list[FillRow]) -> None:
        """Report an order that is not one of ours."""
        contract = self._client.provider.contracts.get(row.symbol)
        if contract is None:
            self._client.problem(
                f"order: {row.symbol} {row.order_id} at BingX is of an instrument that is not traded here"
            )
            return
        now = self._client.now_ms() * MS
        report = order_report(
            row, contract, self._client.account_id, self._client.journal.client_id(row), now
        )
        fills = [fill_report(f, contract, self._client.account_id, "", {}, now) for f in new_fills]
        self._client.problem(f"order: {row.type} {row.symbol} {row.order_id} at BingX is not one of ours")
        self._client.report(report, fills)

    def track(self, order: Any) -> TrackedOrder:
        """Track an order of the engine."""
        contract = self._client.provider.contract(venue_symbol(str(order.instrument_id)))
        side = 1 if order.side == OrderSide.BUY else -1
        tracked = TrackedOrder(order, contract, side, decimal_of(order.quantity), self._client.now_ms())
        tracked.filled = decimal_of(order.filled_qty)
        self._client.book.add(tracked)
        venue_id = order.venue_order_id
        if venue_id is not None:
            self._client.book.link(tracked, str(venue_id))
            tracked.cumulative[str(venue_id)] = tracked.filled
            tracked.accepted = True
        return tracked
