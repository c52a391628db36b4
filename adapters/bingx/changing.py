"""Changing and cancelling orders at the venue.

BingX changes no price in place: an order is cancelled and another one placed, in one request.  Guarantees:
the engine sees one order with a new venue id; when the second half fails the order is placed again at once,
so a position is not left without its stop; a stop that the market has passed meanwhile is carried out at
market; an unknown outcome is looked up before anything is sent again; an order whose cancellation was asked
for, or that has nothing left to reduce, is not sent again: it would meet the next position.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from nautilus_trader.model import VenueOrderId

from adapters.bingx.constants import BATCH_CANCEL
from adapters.bingx.dead_man import DeadMansSwitch
from adapters.bingx.errors import BingxError, Treatment, VenueRefused
from adapters.bingx.ledger import OrderLedger
from adapters.bingx.order_journal import OrderJournal
from adapters.bingx.order_params import Params, decimal_of, order_params
from adapters.bingx.order_rows import CONDITIONAL, Placed, State, cancelled, order, orders, replaced
from adapters.bingx.placing import OrderRefused, Placer
from adapters.bingx.reconcile import Reconciler
from adapters.bingx.rest import CANCEL, CANCEL_BATCH, OPEN_ORDERS, ORDER, REPLACE, BingxRest
from adapters.bingx.tracked import TrackedOrder, venue_client_id
from adapters.live import engine_rows as engine
from adapters.live.timebase import Timebase

MS = 1_000_000
SOUGHT_S = 0.05  # between two looks for a stop that the venue has placed with its entry
# A trigger price on the wrong side of the market: the stop is due now.
THROUGH_MARKET = frozenset({"110411", "110412"})


class ChangeEvents(Protocol):
    """The events of an execution client that tell of changes."""

    def generate_order_updated(
        self,
        order: Any,
        venue_order_id: Any,
        quantity: Any,
        price: Any,
        trigger_price: Any,
        protection_price: Any,
        ts_event: int,
    ) -> None:
        """Tell of a change."""

    def generate_order_modify_rejected(
        self, order: Any, venue_order_id: Any, reason: str, ts_event: int
    ) -> None:
        """Tell that a change was refused."""

    def generate_order_cancel_rejected(
        self, order: Any, venue_order_id: Any, reason: str, ts_event: int
    ) -> None:
        """Tell that a cancellation was refused."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an order is to become: total quantity, limit price and trigger price."""

    quantity: Decimal
    price: Decimal | None
    trigger: Decimal | None


class OrderChanger:
    """Modifies and cancels tracked orders; the caller holds the lock of the order."""

    def __init__(
        self,
        rest: BingxRest,
        timebase: Timebase,
        events: ChangeEvents,
        ledger: OrderLedger,
        placer: Placer,
        journal: OrderJournal,
        switch: DeadMansSwitch,
        reconciler: Reconciler,
        window_s: float,
        entry_patience_s: float,
    ) -> None:
        self._rest, self._timebase, self._events, self._ledger = rest, timebase, events, ledger
        self._placer, self._journal, self._switch, self._reconciler = placer, journal, switch, reconciler
        self._window_s, self._entry_patience_ms = window_s, round(entry_patience_s * 1000)
        self.replaced = 0
        self.restored = 0
        self.at_market = 0

    # --- placing -------------------------------------------------------------------------------------------

    async def place(self, tracked: TrackedOrder, params: Params, since_ms: int | None = None) -> Placed:
        """Place an order; a stop that the market has passed already is carried out at market.

        An entry has its patience from `since_ms` on, else from the moment at which it was made.

        Raises
        ------
        OrderRefused
            It is certainly not at the venue.
        """
        if tracked.stop is not None or (tracked.is_reduce_only and params["type"] in CONDITIONAL):
            await self._switch.before_protection()
        await self._journal.intend(tracked.client_id, params)

        def wanted() -> bool:
            return self.is_wanted(tracked)

        since = tracked.created_ms if since_ms is None else since_ms
        until = None if tracked.is_reduce_only else since + self._entry_patience_ms
        try:
            answer = await self._placer.place(params, wanted, until_ms=until)
        except OrderRefused as refused:
            if not (tracked.is_reduce_only and any(code in refused.reason for code in THROUGH_MARKET)):
                raise
            if not wanted():
                raise
            self.at_market += 1
            tracked.replacements += 1
            answer = await self._placer.place(
                {k: v for k, v in params.items() if k not in {"stopPrice", "workingType", "price"}}
                | {
                    "type": "MARKET",
                    "clientOrderID": venue_client_id(tracked.client_id, tracked.replacements),
                },
                wanted,
            )
        await self._journal.placed(tracked.client_id, answer.order_id)
        return answer

    def is_wanted(self, tracked: TrackedOrder) -> bool:
        """Whether an order is still to be at the venue."""
        held = self._ledger.net.get(tracked.symbol, Decimal(0))
        return not tracked.cancel_asked and (not tracked.is_reduce_only or held * tracked.side < 0)

    async def _restore(self, tracked: TrackedOrder, params: Params) -> Placed:
        """Place an order again whose old half is gone."""
        if not self.is_wanted(tracked):
            raise OrderRefused("it was cancelled, or its position closed, while it was being changed")
        self.restored += 1
        return await self.place(tracked, params, self._rest.clock.now_ms())

    # --- changing ------------------------------------------------------------------------------------------

    async def modify(self, tracked: TrackedOrder, wanted: Wanted) -> bool:
        """Change an order; returns whether it was changed."""
        if tracked.closed or not tracked.accepted or tracked.cancel_asked:
            self._refuse(tracked, "the order is not open at BingX, or is being cancelled")
            return False
        tracked.replacements += 1
        try:
            params = order_params(
                tracked.order,
                tracked.contract,
                venue_client_id(tracked.client_id, tracked.replacements),
                quantity=wanted.quantity - tracked.filled,
                price=wanted.price,
                trigger=wanted.trigger,
            )
        except BingxError as error:
            self._refuse(tracked, str(error))
            return False
        old = tracked.venue_id
        tracked.replacing = True
        try:
            await self._journal.intend(tracked.client_id, params)
            new = await self._replace(tracked, params, old)
            if new is not None:
                # Before anything else is awaited: the end of the old half must not pass for the order's.
                self._replaced(tracked, new, wanted)
        except OrderRefused as refused:
            self._lost(tracked, refused)
            return False
        finally:
            tracked.replacing = False
        if new is None:
            self._refuse(tracked, "the order could not be replaced")
            await self._reconciler.order(tracked)
            return False
        await self._journal.placed(tracked.client_id, new.order_id)
        return True

    async def _replace(self, tracked: TrackedOrder, params: Params, old: str) -> Placed | None:
        """Return the new order; None when the old one was not cancelled."""
        request = params | {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": old}
        sent_ms, sent = self._rest.clock.now_ms(), time.monotonic()
        try:
            answer = replaced(await self._rest.call(REPLACE, request))
        except VenueRefused as refusal:
            if refusal.treatment is not Treatment.UNKNOWN_STATE:
                return None
        except BingxError:
            pass
        else:
            if answer.new is not None:
                return answer.new
            if not answer.cancelled or tracked.closed:
                return None
            return await self._restore(tracked, params)
        return await self._resolve(tracked, params, old, sent_ms, sent)

    async def _resolve(
        self, tracked: TrackedOrder, params: Params, old: str, sent_ms: int, sent: float
    ) -> Placed | None:
        """Find out which half of a replacement took place, and complete it."""
        pause = 0.2
        while True:
            over = time.monotonic() - sent > self._window_s
            try:
                new = await self._placer.find(params, sent_ms)
                if new is not None:
                    return Placed(new.order_id, new.client_id, new.symbol, new.state, new.filled)
                resting = orders(await self._rest.call(OPEN_ORDERS, {"symbol": tracked.symbol}))
                alive = any(row.order_id == old for row in resting)
                if over and alive:
                    return None
                if not alive:
                    query = {"symbol": tracked.symbol, "orderId": old}
                    gone = order(await self._rest.call(ORDER, query))
                    if gone.state is not State.CANCELLED or tracked.closed:
                        return None
                    if over:
                        return await self._restore(tracked, params)
            except OrderRefused:
                raise
            except BingxError:
                pass  # unreachable: the question stays open
            await self._timebase.sleep(pause)
            pause = min(pause * 1.6, 5.0)

    def _replaced(self, tracked: TrackedOrder, new: Placed, wanted: Wanted) -> None:
        self.replaced += 1
        contract = tracked.contract
        self._ledger.book.link(tracked, new.order_id)
        tracked.quantity, tracked.price, tracked.trigger = wanted.quantity, wanted.price, wanted.trigger
        self._events.generate_order_updated(
            tracked.order,
            VenueOrderId(new.order_id),
            engine.quantity(wanted.quantity, contract),
            None if wanted.price is None else engine.price(wanted.price, contract),
            None if wanted.trigger is None else engine.price(wanted.trigger, contract),
            None,
            self._rest.clock.now_ms() * MS,
        )

    def _lost(self, tracked: TrackedOrder, refused: OrderRefused) -> None:
        """The old order is gone and the new one was refused: the strategy must know that nothing rests."""
        now = self._rest.clock.now_ms()
        self._refuse(tracked, refused.reason)
        self._ledger.end(tracked, State.CANCELLED, now)

    def _refuse(self, tracked: TrackedOrder, reason: str) -> None:
        if tracked.closed:
            return  # whoever asked has heard of the end
        venue_id = VenueOrderId(tracked.venue_id) if tracked.venue_id else None
        self._events.generate_order_modify_rejected(
            tracked.order, venue_id, reason[:200], self._rest.clock.now_ms() * MS
        )

    # --- cancelling ----------------------------------------------------------------------------------------

    async def cancel(self, tracked: TrackedOrder) -> bool:
        """Cancel an order; returns whether it has ended."""
        if tracked.closed:
            self._cancel_refused(tracked, "the order has ended")
            return True
        query = {"symbol": tracked.symbol, "orderId": tracked.venue_id}
        try:
            row = order(await self._rest.call(CANCEL, query))
        except VenueRefused as refusal:
            await self._reconciler.order(tracked)
            if not tracked.closed:
                self._cancel_refused(tracked, f"BingX {refusal.code}: {refusal.reason}")
            return tracked.closed
        except BingxError as error:
            await self._reconciler.order(tracked)  # the answer was lost, not necessarily the cancellation
            if not tracked.closed:
                self._cancel_refused(tracked, str(error))
            return tracked.closed
        if row.filled > tracked.cumulative.get(row.order_id, Decimal(0)):
            await self._reconciler.order(tracked)
        elif not tracked.closed:
            self._ledger.row(tracked, row)
            self._ledger.end(tracked, State.CANCELLED, row.updated_ms)
        return tracked.closed

    async def cancel_batch(self, symbol: str, group: list[TrackedOrder]) -> None:
        """Cancel orders of a symbol in one request; those that did not end stay as they are."""
        ids = [tracked.venue_id for tracked in group if tracked.accepted]
        if len(ids) < 2:
            return
        try:
            answer = await self._rest.call(
                CANCEL_BATCH, {"symbol": symbol, "orderIdList": f"[{','.join(ids)}]"}
            )
            done, _ = cancelled(answer)
        except BingxError:
            return  # the caller goes through them one by one
        for tracked in group:
            if tracked.venue_id in done and not tracked.closed:
                await self._reconciler.order(tracked)  # with what it filled before

    async def cancel_many(self, found: Iterable[TrackedOrder | None]) -> None:
        """Cancel orders together, by symbol; what the venue did not cancel is asked for one by one."""
        mine = [tracked for tracked in found if tracked is not None]
        for tracked in mine:
            tracked.cancel_asked = True
        for symbol in sorted({tracked.symbol for tracked in mine}):
            group = [t for t in mine if t.symbol == symbol and t.waits_for is None and not t.closed]
            for at in range(0, len(group), BATCH_CANCEL):
                await self.cancel_batch(symbol, group[at : at + BATCH_CANCEL])
        for tracked in mine:
            if not tracked.closed:
                await self.cancel_tracked(tracked)

    async def cancel_tracked(self, tracked: TrackedOrder) -> None:
        """Cancel an order under its lock; one that waits for its entry never was at the venue by itself."""
        tracked.cancel_asked = True
        while tracked.is_sought:  # the venue has placed it with its entry: it ends once it is found there
            await self._timebase.sleep(SOUGHT_S)
        async with tracked.lock:
            if tracked.waits_for is not None:
                tracked.waits_for.stop = None
                now = self._rest.clock.now_ms()
                self._ledger.reject(tracked, "cancelled before its entry filled", now)
                return
            await self.cancel(tracked)

    def _cancel_refused(self, tracked: TrackedOrder, reason: str) -> None:
        tracked.cancel_asked = False
        venue_id = VenueOrderId(tracked.venue_id) if tracked.venue_id else None
        self._events.generate_order_cancel_rejected(
            tracked.order, venue_id, reason[:200], self._rest.clock.now_ms() * MS
        )


def wanted_of(tracked: TrackedOrder, command: Any) -> Wanted:
    """Return what a modify command wants; what it does not name stays as it is."""
    quantity = tracked.quantity if command.quantity is None else decimal_of(command.quantity)
    return Wanted(
        quantity, _or(command.price, tracked, "price"), _or(command.trigger_price, tracked, "trigger")
    )


def _or(value: Any, tracked: TrackedOrder, name: str) -> Decimal | None:
    if value is not None:
        return decimal_of(value)
    held: Decimal | None = getattr(tracked, name)
    if held is not None:
        return held
    own = getattr(tracked.order, "price" if name == "price" else "trigger_price", None)
    return None if own is None else decimal_of(own)
