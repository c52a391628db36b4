"""Reconciliation with the venue while the node runs: after every connect, on a hint, and now and then.

Guarantees: fills that the stream did not tell come from the fill history, once; an order that is gone is
asked for one by one; a malformed answer ends the reconciliation without a conclusion; a position that the
fills do not explain is named until it is explained.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

from adapters.bingx.account_rows import positions
from adapters.bingx.constants import FILLS_PAGE, HISTORY_WINDOW_MS
from adapters.bingx.errors import BingxError, Meaning, VenueRefused
from adapters.bingx.ledger import OrderLedger
from adapters.bingx.order_rows import FillRow, OrderRow, State, fills, order, orders
from adapters.bingx.rest import ALL_ORDERS, FILLS, OPEN_ORDERS, ORDER, POSITIONS, BingxRest
from adapters.bingx.tracked import TrackedOrder

OVERLAP_MS = 60_000
LOOK_BACK_MS = 24 * 3_600_000  # from the last fill: how far the history is asked for
YOUNG_MS = 2_000  # an order so young may not be listed yet


class Adoption(Protocol):
    """What the client does with orders that were not known."""

    def adopt(self, row: OrderRow) -> TrackedOrder | None:
        """Return the tracked order that a row of the venue belongs to; None if it is not one of ours."""

    def attached(self, row: OrderRow, ts_ms: int) -> TrackedOrder | None:
        """Return the stop that the venue has placed for one of our entries, now taken over; else None."""

    def expects(self, row: OrderRow) -> bool:
        """Whether a row may be an order of ours that is on its way."""

    def external(self, row: OrderRow, new_fills: list[FillRow]) -> None:
        """Report an order that is not one of ours."""


class Reconciler:
    """Compares the venue with what is known, and applies the difference."""

    def __init__(
        self, rest: BingxRest, ledger: OrderLedger, client: Adoption, problem: Callable[[str], None]
    ) -> None:
        self._rest, self._ledger, self._client, self._problem = rest, ledger, client, problem
        self._lock = asyncio.Lock()
        self._since_ms = 0
        self._external_fills: set[str] = set()
        self.runs = 0
        self.failures = 0
        self.recovered_fills = 0
        self.unexplained: dict[str, tuple[Decimal, Decimal]] = {}  # symbol -> (known, at the venue)

    def begin(self, at_ms: int) -> None:
        """Say from when on fills count as news; the fill history knows whole seconds only."""
        self._since_ms = at_ms // 1000 * 1000

    async def run(self, *, also: frozenset[str] = frozenset()) -> bool:
        """Reconcile; returns whether the venue could be read to the end."""
        async with self._lock:
            self.runs += 1
            try:
                await self._run(also)
            except BingxError as error:
                self.failures += 1
                self._problem(f"reconciliation: {error}")
                return False
            return True

    async def _run(self, also: frozenset[str]) -> None:
        book = self._ledger.book
        asked_ms = self._rest.clock.now_ms()
        resting = orders(await self._rest.call(OPEN_ORDERS))
        held = {row.symbol: row.quantity for row in positions(await self._rest.call(POSITIONS))}
        open_ids = {row.order_id for row in resting}
        gone = [
            t for t in book.open
            if t.accepted and not t.replacing and t.venue_id not in open_ids
            and t.created_ms < asked_ms - YOUNG_MS
        ]  # fmt: skip
        moved = {s for s in {*held, *self._ledger.net} if not self._explains(s, held.get(s, Decimal(0)))}
        for symbol in sorted({*also, *moved, *(t.symbol for t in gone)}):
            await self._symbol(symbol)
        for tracked in gone:
            if not tracked.closed:
                await self._ask(tracked)
        for row in resting:
            if book.of_venue(row.order_id) is not None or self._client.attached(row, row.created_ms):
                continue
            if not self._client.expects(row) and self._client.adopt(row) is None:
                self._client.external(row, [])
        self._name_unexplained(held)

    def _explains(self, symbol: str, quantity: Decimal) -> bool:
        return self._ledger.net.get(symbol, Decimal(0)) == quantity

    def _name_unexplained(self, held: dict[str, Decimal]) -> None:
        now = {
            symbol: (self._ledger.net.get(symbol, Decimal(0)), held.get(symbol, Decimal(0)))
            for symbol in {*held, *self._ledger.net}
            if not self._explains(symbol, held.get(symbol, Decimal(0)))
        }
        for symbol, (known, real) in now.items():
            if self.unexplained.get(symbol) != (known, real):
                self._problem(f"position: {symbol} is {real:f} at BingX, its fills say {known:f}")
        self.unexplained = now

    async def order(self, tracked: TrackedOrder) -> None:
        """Ask for one order and its fills."""
        async with self._lock:
            try:
                await self._symbol(tracked.symbol)
                if not tracked.closed and tracked.venue_id:
                    await self._ask(tracked)
            except BingxError as error:
                self.failures += 1
                self._problem(f"reconciliation: {error}")

    async def _ask(self, tracked: TrackedOrder) -> None:
        query = {"symbol": tracked.symbol, "orderId": tracked.venue_id}
        try:
            row = order(await self._rest.call(ORDER, query))
        except VenueRefused as refusal:
            if refusal.meaning is not Meaning.GONE:
                raise
            self._problem(f"order: {tracked.client_id} is not known to BingX any more")
            self._ledger.end(tracked, State.CANCELLED, self._rest.clock.now_ms())
            return
        if row.state is State.TRIGGERED or (row.state.is_final and not row.filled):
            child = await triggered_child(self._rest, tracked.symbol, tracked.venue_id)
            if child is not None:
                tracked.children.add(child.order_id)
                self._ledger.book.link(tracked, child.order_id, current=False)
                await self._symbol(tracked.symbol)
                if not tracked.closed and child.state.is_final:
                    self._ledger.row(tracked, child)
                return
            if row.state is State.TRIGGERED:
                return
            if tracked.is_reduce_only and not tracked.cancel_asked:
                # Another order closed the position, perhaps since the fills were asked for: its fill is told
                # before the end that it caused.
                await self._symbol(tracked.symbol)
        self._ledger.row(tracked, row)

    async def _symbol(self, symbol: str) -> None:
        """Apply the fills of a symbol that are not known yet."""
        since = max(self._since_ms, self._ledger.last_fill_ms - LOOK_BACK_MS) - OVERLAP_MS
        self._ledger.forget_before(since - OVERLAP_MS)
        rows = await fill_pages(self._rest, symbol, since, self._rest.clock.now_ms() + 1000)
        by_order: dict[str, list[FillRow]] = {}
        for row in rows:
            by_order.setdefault(row.order_id, []).append(row)
        for order_id, found in by_order.items():
            tracked = self._ledger.book.of_venue(order_id)
            if tracked is None:
                tracked = await self._unknown(symbol, order_id, found)
            if tracked is not None:
                before = self._ledger.fills
                self._ledger.history(tracked, order_id, found)
                self.recovered_fills += self._ledger.fills - before

    async def _unknown(self, symbol: str, order_id: str, found: list[FillRow]) -> TrackedOrder | None:
        # An order of ours may have ended so long ago that it is forgotten; its fills were told all the same.
        fresh = [
            f
            for f in found
            if f.ts_ms >= self._since_ms
            and f.trade_id not in self._external_fills
            and not self._ledger.was_told(f.trade_id)
        ]
        if not fresh:
            return None
        row = order(await self._rest.call(ORDER, {"symbol": symbol, "orderId": order_id}))
        tracked = self._client.adopt(row) or await self._of_entry(row)
        if tracked is None:
            self._external_fills.update(f.trade_id for f in fresh)
            for fill in fresh:
                net = self._ledger.net
                net[symbol] = net.get(symbol, Decimal(0)) + fill.side * fill.quantity
            self._client.external(row, fresh)
        return tracked

    async def _of_entry(self, row: OrderRow) -> TrackedOrder | None:
        """Return the stop of an entry that has fired before anybody saw it rest."""
        if self._client.attached(row, row.created_ms) is None:
            if not row.trigger_order_id:
                return None
            query = {"symbol": row.symbol, "orderId": row.trigger_order_id}
            fired = order(await self._rest.call(ORDER, query))
            if self._client.attached(fired, fired.created_ms) is None:
                return None
        return self._client.adopt(row)


async def triggered_child(rest: BingxRest, symbol: str, venue_id: str) -> OrderRow | None:
    """Return the order that a triggered stop became."""
    now = rest.clock.now_ms()
    window = {"symbol": symbol, "startTime": now - HISTORY_WINDOW_MS + OVERLAP_MS, "endTime": now}
    rows = orders(await rest.call(ALL_ORDERS, window | {"limit": FILLS_PAGE}))
    return next((row for row in rows if row.trigger_order_id == venue_id), None)


async def fill_pages(rest: BingxRest, symbol: str, start_ms: int, end_ms: int) -> list[FillRow]:
    """Return the fills of a symbol in a window of at most seven days, oldest first, each once."""
    start_ms = max(start_ms, end_ms - HISTORY_WINDOW_MS + OVERLAP_MS)
    found: dict[tuple[str, str], FillRow] = {}
    page = 1
    while True:
        query = {
            "symbol": symbol, "startTs": start_ms, "endTs": end_ms, "pageIndex": page, "pageSize": FILLS_PAGE,
        }  # fmt: skip
        rows = fills(await rest.call(FILLS, query))
        known = len(found)
        found.update({(row.order_id, row.trade_id): row for row in rows})
        if len(rows) < FILLS_PAGE or len(found) == known:
            return sorted(found.values(), key=_by_time)
        page += 1


def _by_time(row: FillRow) -> tuple[int, int]:
    return row.ts_ms, int(row.trade_id) if row.trade_id.isdigit() else 0
