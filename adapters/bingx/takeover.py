"""What an earlier process of ours left at the venue, and how the next one takes it over.

A strategy that starts again submits what it held under the client ids it had: an order that stands for the
position, and each order that rested.  Guarantees: none of them is sent while the venue has it; the order of a
position is answered here, at its average price and free of charge; one that rested is found by its venue id,
its client id or what it looks like, and what it filled meanwhile is told with the venue's prices and fees;
one that never arrived is placed if it reduces a position, and ends if it is an entry, whose moment has
passed; the user stream is not heard before everything is back.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import NamedTuple, Protocol

from nautilus_trader.model import VenueOrderId

from adapters.bingx.changing import ChangeEvents
from adapters.bingx.config import Takeover
from adapters.bingx.constants import FILLS_PAGE, HISTORY_WINDOW_MS
from adapters.bingx.errors import BingxError, Meaning, VenueRefused
from adapters.bingx.ledger import OrderLedger
from adapters.bingx.order_journal import OrderJournal
from adapters.bingx.order_params import decimal_of
from adapters.bingx.order_rows import OrderRow, State, order, orders
from adapters.bingx.placing import CLOCK_SLACK_MS
from adapters.bingx.reconcile import fill_pages, triggered_child
from adapters.bingx.rest import ALL_ORDERS, OPEN_ORDERS, ORDER, BingxRest
from adapters.bingx.tracked import TrackedOrder, venue_client_id
from adapters.live import engine_rows as engine

MS = 1_000_000
ASK_AGAIN_S = 1.0


class Found(NamedTuple):
    """An order as the venue has it, and what it became if it was triggered."""

    row: OrderRow
    child: OrderRow | None

    @property
    def trading(self) -> OrderRow:
        """What fills: the triggered order, else the order itself."""
        return self.child or self.row

    def filled_before(self, remaining: Decimal) -> Decimal:
        """Return what had filled when `remaining` was left of it; 0 where it was replaced since."""
        before = self.row.quantity - remaining
        return before if 0 < before <= self.trading.filled else Decimal(0)


async def find_order(rest: BingxRest, journal: OrderJournal, client_id: str, symbol: str) -> Found | None:
    """Return an order of ours at the venue, None if the venue does not know it."""
    row = None
    for venue_id in reversed(journal.venue_ids(client_id)):
        row = await _known(rest, {"symbol": symbol, "orderId": venue_id})
        if row is not None:
            break
    if row is None:
        row = await _known(rest, {"symbol": symbol, "clientOrderId": venue_client_id(client_id)})
    if row is None or row.state is State.CANCELLED:  # the other half of a replacement may rest
        resting = orders(await rest.call(OPEN_ORDERS, {"symbol": symbol}))
        row = next((r for r in reversed(resting) if journal.client_id(r) == client_id), row)
    if row is None and journal.is_intended(client_id):
        # The stop of an entry, which the venue places under no name of ours, may have come and gone.
        now = rest.clock.now_ms()
        span = {"startTime": now - HISTORY_WINDOW_MS + CLOCK_SLACK_MS, "endTime": now, "limit": FILLS_PAGE}
        past = orders(await rest.call(ALL_ORDERS, {"symbol": symbol, **span}))
        row = next((r for r in past if r.stop_price and journal.client_id(r) == client_id), None)
    if row is None:
        return None
    child = None
    if row.state is State.TRIGGERED or (row.state.is_final and not row.filled):
        child = await triggered_child(rest, symbol, row.order_id)
    return Found(row, child)


async def _known(rest: BingxRest, query: dict[str, object]) -> OrderRow | None:
    try:
        return order(await rest.call(ORDER, query))
    except VenueRefused as refusal:
        if refusal.meaning is Meaning.GONE:
            return None
        raise


class Client(ChangeEvents, Protocol):
    """What the return needs of the execution client."""

    rest: BingxRest
    ledger: OrderLedger
    journal: OrderJournal

    def now_ms(self) -> int:
        """Return the venue's time."""

    def problem(self, text: str) -> None:
        """Tell what went wrong."""

    def all_returned(self) -> None:
        """Everything that was to be taken over is back."""


class Returning:
    """Answers for what is at the venue already; `over` once all of it is back."""

    def __init__(self, client: Client, takeover: Takeover) -> None:
        self._client = client
        self._positions, self._orders = dict(takeover.positions), set(takeover.orders)
        self._under_way = 0
        self.over = not self.missing

    @property
    def missing(self) -> list[str]:
        """Client ids that have not been submitted again."""
        return sorted({*self._positions, *self._orders})

    def _finish_if_done(self) -> None:
        if not self.over and not self._under_way and not self.missing:
            self.over = True
            self._client.all_returned()

    def give_up(self) -> None:
        """Wait no longer for what was not submitted again; it is told."""
        if not self.over and not self._under_way:
            self._client.problem(f"takeover: not submitted again: {', '.join(self.missing)}")
            self._positions.clear()
            self._orders.clear()
            self._finish_if_done()

    async def take(self, tracked: TrackedOrder) -> bool:
        """Return whether an order needs no placing: it stands for what is there, or has ended."""
        client_id = tracked.client_id
        price = self._positions.pop(client_id, None)
        if price is None and client_id not in self._orders:
            return False
        self._orders.discard(client_id)
        self._under_way += 1
        try:
            if price is not None:
                self._hold(tracked, price)
                return True
            return await self._take_order(tracked)
        finally:
            self._under_way -= 1
            self._finish_if_done()

    def _hold(self, tracked: TrackedOrder, price: Decimal) -> None:
        on_grid = engine.on_grid(price, tracked.contract.price_digits)
        self._client.ledger.hold(tracked, on_grid, self._client.now_ms())

    async def _take_order(self, tracked: TrackedOrder) -> bool:
        client = self._client
        while True:
            try:
                found = await find_order(client.rest, client.journal, tracked.client_id, tracked.symbol)
                if found is not None:
                    await self._adopt(tracked, found)
                    return True
                break
            except BingxError as error:  # unreachable: nothing is concluded
                client.problem(f"takeover of {tracked.client_id}: {error}")
                await asyncio.sleep(ASK_AGAIN_S)
        if tracked.is_reduce_only:
            return False
        client.ledger.reject(tracked, "it never reached BingX and its moment has passed", client.now_ms())
        return True

    async def _adopt(self, tracked: TrackedOrder, found: Found) -> None:
        client, row = self._client, found.row
        since = row.created_ms // 1000 * 1000
        fills = await fill_pages(client.rest, row.symbol, since, client.now_ms() + 1000)
        before = found.filled_before(tracked.quantity)
        await client.journal.placed(tracked.client_id, row.order_id)
        tracked.created_ms = min(tracked.created_ms, row.created_ms)
        client.ledger.accept(tracked, row.order_id, client.now_ms())
        self._resize(tracked, row, row.quantity - before)
        ids = [row.order_id]
        if found.child is not None:
            tracked.children.add(found.child.order_id)
            client.ledger.book.link(tracked, found.child.order_id, current=False)
            ids.append(found.child.order_id)
        tracked.cumulative[found.trading.order_id] = before
        for venue_id in ids:
            client.ledger.history(tracked, venue_id, [fill for fill in fills if fill.order_id == venue_id])
        if found.trading.state.is_final and not tracked.closed:
            client.ledger.row(tracked, found.trading)

    def _resize(self, tracked: TrackedOrder, row: OrderRow, quantity: Decimal) -> None:
        """Take over a change that was on its way when the process ended."""
        wanted = getattr(tracked.order, "trigger_price", None)
        moved = wanted is not None and row.stop_price and decimal_of(wanted) != row.stop_price
        if quantity == tracked.quantity and not moved:
            return
        tracked.quantity = quantity
        if moved:
            tracked.trigger = row.stop_price
        contract = tracked.contract
        self._client.generate_order_updated(
            tracked.order,
            VenueOrderId(row.order_id),
            engine.quantity(quantity, contract),
            engine.price(row.price, contract) if row.price and not row.stop_price else None,
            engine.price(row.stop_price, contract) if row.stop_price else None,
            None,
            self._client.now_ms() * MS,
        )
