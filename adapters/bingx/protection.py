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
from adapters.bingx.errors import BingxError
from adapters.bingx.ledger import OrderLedger
from adapters.bingx.order_journal import OrderJournal
from adapters.bingx.order_params import decimal_of, order_params
from adapters.bingx.order_rows import OrderRow, orders
from adapters.bingx.placing import OrderRefused
from adapters.bingx.rest import CANCEL, OPEN_ORDERS, BingxRest
from adapters.bingx.tracked import TrackedOrder, venue_client_id
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
        patience_s: float,
    ) -> None:
        self._rest, self._timebase, self._events, self._ledger = rest, timebase, events, ledger
        self._changer, self._journal, self._patience_s = changer, journal, patience_s
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
        stop.waits_for = None
        now = self._rest.clock.now_ms()
        if stop.closed:
            return
        if not entry.filled:
            self._ledger.reject(stop, "its entry ended unfilled", now)
            return
        attached = await self._attached(stop)
        if attached is not None and attached.quantity >= entry.filled:
            await self._adopt(stop, attached)
        elif stop.accepted:
            if stop.quantity != entry.filled:
                await self._changer.modify(stop, Wanted(entry.filled, None, self._trigger(stop)))
        else:
            await self._place(stop, entry.filled)
            self.own += 1

    async def _bridge(self, entry: TrackedOrder, stop: TrackedOrder) -> None:
        """Protect what an entry, that goes on resting, has filled so far."""
        if stop.closed or (stop.quantity == entry.filled and stop.accepted):
            return
        stop.waits_for = None
        if stop.accepted:
            await self._changer.modify(stop, Wanted(entry.filled, None, self._trigger(stop)))
        else:
            await self._place(stop, entry.filled)
            self.bridged += 1

    async def _attached(self, stop: TrackedOrder) -> OrderRow | None:
        """Return the stop that the venue has placed for an entry."""
        trigger = self._trigger(stop)
        for _ in range(LOOKS):
            try:
                rows = orders(await self._rest.call(OPEN_ORDERS, {"symbol": stop.symbol}))
            except BingxError:
                rows = []
            for row in rows:
                ours = self._ledger.book.of_venue(row.order_id)
                if ours is None and (row.type, row.side, row.stop_price) == (
                    "STOP_MARKET",
                    stop.side,
                    trigger,
                ):
                    return row
            if stop.accepted:
                return None  # a stop of our own keeps the venue's from being placed
            await self._timebase.sleep(self._patience_s / LOOKS)
        return None

    async def _adopt(self, stop: TrackedOrder, row: OrderRow) -> None:
        self.adopted += 1
        old, had_one = stop.venue_id, stop.accepted
        await self._journal.placed(stop.client_id, row.order_id)
        self._ledger.accept(stop, row.order_id, row.created_ms)
        if had_one:
            self._ledger.book.link(stop, row.order_id)
            await self._cancel_quietly(stop.symbol, old)
        self._resized(stop, row.order_id, row.quantity)

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
            trigger=stop.trigger,
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
            engine.price(self._trigger(stop), stop.contract),
            None,
            self._rest.clock.now_ms() * MS,
        )

    @staticmethod
    def _trigger(stop: TrackedOrder) -> Decimal:
        return stop.trigger if stop.trigger is not None else decimal_of(stop.order.trigger_price)


def protected_pair(held: list[Any]) -> tuple[Any, Any] | None:
    """Return entry and stop if a list of orders is a resting entry with one stop attached, else None."""
    if len(held) != 2:
        return None
    entry, stop = held
    if stop.parent_order_id == entry.client_order_id and stop.is_reduce_only and not entry.is_reduce_only:
        return entry, stop
    return None
