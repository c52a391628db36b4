"""A resting entry with its stop: the stop is at the venue whenever something has filled.

The entry carries the stop as an attachment that the venue places by itself when the entry has filled, so a
process that dies leaves no naked position.  Guarantees while it lives: a partial fill that lasts gets a stop
of its own; when the entry ends exactly one stop is left, for exactly what filled, under the engine's stop
order; an entry that ends unfilled ends its stop.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nautilus_trader.model import VenueOrderId

from adapters.bingx.changing import ChangeEvents, OrderChanger, Wanted
from adapters.bingx.constants import FILLS_PAGE, HISTORY_WINDOW_MS
from adapters.bingx.errors import BingxError
from adapters.bingx.ledger import OrderLedger
from adapters.bingx.order_journal import OrderJournal
from adapters.bingx.order_params import order_params
from adapters.bingx.order_rows import OrderRow, State, orders
from adapters.bingx.placing import CLOCK_SLACK_MS, OrderRefused
from adapters.bingx.reconcile import Reconciler
from adapters.bingx.rest import ALL_ORDERS, CANCEL, OPEN_ORDERS, BingxRest
from adapters.bingx.tracked import Seen, TrackedOrder, venue_client_id
from adapters.live import engine_rows as engine
from adapters.live.timebase import Timebase

MS = 1_000_000
LOOKS = 4


class StopKeeper:
    """Keeps the stops of protected entries.

    Parameters
    ----------
    patience_s : float
        How long an entry may be filled in part before it gets a stop of its own, and how long the venue's own
        stop is waited for.
    """

    def __init__(
        self,
        rest: BingxRest,
        timebase: Timebase,
        events: ChangeEvents,
        ledger: OrderLedger,
        changer: OrderChanger,
        journal: OrderJournal,
        reconciler: Reconciler,
        patience_s: float,
    ) -> None:
        self._rest, self._timebase, self._events, self._ledger = rest, timebase, events, ledger
        self._changer, self._journal, self._reconciler = changer, journal, reconciler
        self._patience_s = patience_s
        self._busy: set[str] = set()
        self.adopted = 0
        self.own = 0
        self.bridged = 0
        self.problems: list[str] = []

    async def guard(self, entry: TrackedOrder) -> None:
        """Run after a fill or the end of a protected entry, until its stop is as it must be."""
        stop = entry.stop
        if stop is None or entry.client_id in self._busy:
            return
        self._busy.add(entry.client_id)
        try:
            while True:
                await self._timebase.sleep(self._patience_s)
                async with stop.lock:
                    if entry.closed:
                        await self._settle(entry, stop)
                        return
                    if not entry.filled:
                        return
                    await self._bridge(entry, stop)
                if stop.quantity == entry.filled and not entry.closed:
                    return  # the next fill comes back here
        finally:
            self._busy.discard(entry.client_id)

    async def _settle(self, entry: TrackedOrder, stop: TrackedOrder) -> None:
        entry.stop = None
        try:
            if not stop.closed and not entry.filled:
                self._ledger.reject(stop, "its entry ended unfilled", self._rest.clock.now_ms())
            elif not stop.closed:
                await self._take_over(entry, stop)
        finally:
            stop.waits_for = None

    async def _take_over(self, entry: TrackedOrder, stop: TrackedOrder) -> None:
        """Make the venue's stop the engine's one, or place one where there is none."""
        attached = await self._attached(entry, stop)
        if attached is not None:
            await self._take(stop, attached, entry.filled)
        if stop.closed:
            return
        if stop.accepted:
            if stop.quantity != entry.filled:
                await self._changer.modify(stop, Wanted(entry.filled, None, stop.trigger_price))
        elif not self._changer.is_wanted(stop):
            self._ledger.reject(stop, "its position closed meanwhile", self._rest.clock.now_ms())
        else:
            stop.waits_for = None
            await self._place(stop, entry.filled)
            self.own += 1

    async def _take(self, stop: TrackedOrder, attached: OrderRow, size: Decimal) -> None:
        """Take note of the venue's stop and make it the engine's one, if it is to live."""
        over = attached.state.is_final and not attached.filled  # with its position, or by somebody
        small = stop.accepted and attached.quantity < size
        if not over and not small:
            await self._adopt(stop, attached)
            if attached.state is not State.NEW:
                await self._reconciler.order(stop)  # it has fired
            return
        await self._journal.placed(stop.client_id, attached.order_id)
        self._ledger.book.link(stop, attached.order_id, current=False)
        if small and not over:
            await self._cancel_quietly(stop.symbol, attached.order_id)

    async def _bridge(self, entry: TrackedOrder, stop: TrackedOrder) -> None:
        """Protect what an entry, that goes on resting, has filled so far."""
        if stop.closed or (stop.quantity == entry.filled and stop.accepted):
            return
        stop.waits_for = None
        if stop.accepted:
            await self._changer.modify(stop, Wanted(entry.filled, None, stop.trigger_price))
        else:
            await self._place(stop, entry.filled)
            self.bridged += 1

    async def _attached(self, entry: TrackedOrder, stop: TrackedOrder) -> OrderRow | None:
        """Return the stop that the venue has placed for an entry; it may be over by now.

        Nothing is concluded from a venue that does not answer: the position is most likely protected, and a
        second stop would be refused or, worse, accepted.
        """
        looks = 0
        while not stop.closed:
            try:
                rows = orders(await self._rest.call(OPEN_ORDERS, {"symbol": stop.symbol}))
                if looks == LOOKS - 1:
                    rows += orders(await self._rest.call(ALL_ORDERS, self._since(entry)))
            except BingxError:
                await self._timebase.sleep(self._patience_s / LOOKS)
                continue
            for row in rows:
                if self._ledger.book.of_venue(row.order_id) is None and stop.looks_like(row):
                    return row
            looks += 1
            # A stop of our own keeps the venue's from being placed; the stream may have told of the venue's.
            if stop.accepted or looks == LOOKS:
                return None
            await self._timebase.sleep(self._patience_s / LOOKS)
        return None

    def _since(self, entry: TrackedOrder) -> dict[str, object]:
        now = self._rest.clock.now_ms()
        start = max(entry.created_ms - CLOCK_SLACK_MS, now - HISTORY_WINDOW_MS + CLOCK_SLACK_MS)
        return {"symbol": entry.symbol, "startTime": start, "endTime": now + 1_000, "limit": FILLS_PAGE}

    def claim(self, stop: TrackedOrder, row: Seen, ts_ms: int) -> None:
        """Take an order of the venue as the engine's stop."""
        self.adopted += 1
        had_one = stop.accepted
        self._ledger.accept(stop, row.order_id, ts_ms)
        if not had_one:
            stop.waits_for = None
        self._resized(stop, row.order_id, row.quantity)

    async def _adopt(self, stop: TrackedOrder, row: OrderRow) -> None:
        await self._journal.placed(stop.client_id, row.order_id)
        old, had_one = stop.venue_id, stop.accepted
        self.claim(stop, row, row.created_ms)
        if had_one:
            await self._cancel_quietly(stop.symbol, old)

    async def _cancel_quietly(self, symbol: str, venue_id: str) -> None:
        try:
            await self._rest.call(CANCEL, {"symbol": symbol, "orderId": venue_id})
        except BingxError as error:
            self.problems.append(f"the bridging stop {venue_id} of {symbol} could not be cancelled: {error}")

    async def _place(self, stop: TrackedOrder, quantity: Decimal) -> None:
        params = order_params(
            stop.order,
            stop.contract,
            venue_client_id(stop.client_id),
            quantity=quantity,
            trigger=stop.trigger_price,
        )
        try:
            answer = await self._changer.place(stop, params)
        except OrderRefused as refused:
            self.problems.append(f"the stop of {stop.symbol} was refused: {refused.reason}")
            self._ledger.reject(stop, refused.reason, self._rest.clock.now_ms())
            return
        self._ledger.accept(stop, answer.order_id, self._rest.clock.now_ms())
        self._resized(stop, answer.order_id, quantity)

    def _resized(self, stop: TrackedOrder, venue_id: str, quantity: Decimal) -> None:
        if stop.closed or stop.quantity == quantity:
            return
        stop.quantity = quantity
        self._events.generate_order_updated(
            stop.order,
            VenueOrderId(venue_id),
            engine.quantity(quantity, stop.contract),
            None,
            engine.price(stop.trigger_price, stop.contract),
            None,
            self._rest.clock.now_ms() * MS,
        )


def protected_pair(held: list[Any]) -> tuple[Any, Any] | None:
    """Return entry and stop if a list of orders is a resting entry with one stop attached, else None."""
    if len(held) != 2:
        return None
    entry, stop = held
    if stop.parent_order_id == entry.client_order_id and stop.is_reduce_only and not entry.is_reduce_only:
        return entry, stop
    return None
