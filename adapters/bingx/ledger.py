"""From what the venue says of orders and fills to engine events, each exactly once.

Guarantees: a fill is handed on once, whether the stream or the fill history told of it; an event that comes
late, twice or out of order changes nothing; where the stream jumped over a fill the history is asked instead
of guessing; an order that ends while its fills are incomplete waits for them, and one that the venue cut
short waits for the fills of the orders that made it do so.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

from nautilus_trader.model import LiquiditySide, Money, TradeId, VenueOrderId

from adapters.bingx.order_rows import FillRow, OrderRow, State
from adapters.bingx.tracked import OrderBook, TrackedOrder
from adapters.bingx.user_events import OrderEvent
from adapters.live import engine_rows as engine

MS = 1_000_000


class EngineEvents(Protocol):
    """The events of an execution client."""

    clock: Any

    def generate_order_accepted(self, order: Any, venue_order_id: Any, ts_event: int) -> None:
        """Tell of an acceptance."""

    def generate_order_rejected(self, order: Any, reason: str, ts_event: int, due_post_only: bool) -> None:
        """Tell of a rejection."""

    def generate_order_canceled(self, order: Any, venue_order_id: Any, ts_event: int) -> None:
        """Tell of a cancellation."""

    def generate_order_expired(self, order: Any, venue_order_id: Any, ts_event: int) -> None:
        """Tell of an expiry."""

    def generate_order_filled(
        self,
        order: Any,
        venue_order_id: Any,
        venue_position_id: Any,
        trade_id: Any,
        last_qty: Any,
        last_px: Any,
        quote_currency: Any,
        commission: Any,
        liquidity_side: Any,
        ts_event: int,
    ) -> None:
        """Tell of a fill."""


class OrderLedger:
    """Applies news of orders; `incomplete` is called with an order whose fills must be asked for."""

    def __init__(
        self, events: EngineEvents, book: OrderBook, incomplete: Callable[[TrackedOrder], None]
    ) -> None:
        self._events, self.book, self._incomplete = events, book, incomplete
        self.net: dict[str, Decimal] = {}  # signed position by symbol, from fills
        self.maker_fee, self.taker_fee = Decimal("0.0002"), Decimal("0.0005")  # of the account, once known
        self.fills = 0
        self.news = 0  # acceptances, fills and ends that were told
        self.stale_events = 0
        self.repeated_fills = 0
        self.incomplete_events = 0
        self.last_fill_ms = 0
        self._told: dict[str, int] = {}  # trade id -> its time, ms; longer than any history that is asked for
        self.on_fill: Callable[[TrackedOrder], None] | None = None
        self.on_end: Callable[[TrackedOrder], None] | None = None

    def accept(self, tracked: TrackedOrder, venue_id: str, ts_ms: int) -> None:
        """The venue has the order."""
        self.book.link(tracked, venue_id)
        if not tracked.accepted and not tracked.closed:
            tracked.accepted = True
            self.news += 1
            self._events.generate_order_accepted(tracked.order, VenueOrderId(venue_id), ts_ms * MS)

    def reject(self, tracked: TrackedOrder, reason: str, ts_ms: int, *, post_only: bool = False) -> None:
        """The venue does not have the order and never had."""
        if tracked.closed:
            return
        self.book.close(tracked)
        if tracked.accepted:
            self._events.generate_order_canceled(
                tracked.order, VenueOrderId(tracked.venue_id) if tracked.venue_id else None, ts_ms * MS
            )
        else:
            self._events.generate_order_rejected(tracked.order, reason, ts_ms * MS, post_only)
        self._ended(tracked)

    def was_told(self, trade_id: str) -> bool:
        """Whether a fill has reached the engine, also that of an order which is forgotten by now."""
        return trade_id in self._told

    def forget_before(self, ts_ms: int) -> None:
        """Forget fills that no history shows any more."""
        self._told = {name: ts for name, ts in self._told.items() if ts >= ts_ms}

    def hold(self, tracked: TrackedOrder, price: Decimal, ts_ms: int) -> None:
        """Count an order as filled that stands for a position which is there already: free of charge."""
        venue_id = f"h-{tracked.client_id}"[:36]
        self._fill(tracked, venue_id, venue_id, tracked.quantity, price, Decimal(0), False, ts_ms)

    def event(self, tracked: TrackedOrder, event: OrderEvent) -> None:
        """Apply an event of the user stream."""
        if not tracked.advances(event.order_id, event.state, event.filled):
            self.stale_events += 1
            return
        if not tracked.accepted and not event.trigger_order_id:
            self.accept(tracked, event.order_id, event.ts_ms)
        tracked.cumulative.setdefault(event.order_id, Decimal(0))
        if event.is_trade or event.filled > tracked.cumulative[event.order_id]:
            self._trade(tracked, event)
        if self._cut_short(tracked, event):
            self._incomplete(tracked)
            return
        self._state(tracked, event.order_id, event.state, event.filled, event.ts_ms)

    @staticmethod
    def _cut_short(tracked: TrackedOrder, event: OrderEvent) -> bool:
        """Whether the venue ended an order that reduces a position, and nobody here asked for it.

        Another order has closed the position then, and its fill may not have been heard of: all fills are
        asked for first, so that whoever hears of the end knows why.
        """
        ended = event.state.is_final and event.state is not State.FILLED
        asked_for = tracked.cancel_asked or tracked.replacing
        current = event.order_id == tracked.venue_id or event.order_id in tracked.children
        return ended and tracked.is_reduce_only and current and not tracked.closed and not asked_for

    def _trade(self, tracked: TrackedOrder, event: OrderEvent) -> None:
        before = tracked.cumulative[event.order_id]
        news = event.filled - before
        last = event.last_quantity
        if news <= 0:
            self.repeated_fills += 1
            return
        if not event.is_trade or last != news:
            # A fill before this one was not heard of, or it cannot be told (the venue may leave the last
            # quantity out): the history has all of them, with their prices and fees.
            self.incomplete_events += 1
            self._incomplete(tracked)
            return
        price = event.last_price
        if price is None:
            price = event.average_price if not before else self._last_price(tracked, event, news)
        trade_id = event.trade_id or f"{event.order_id}-{event.filled.normalize():f}"[-36:]
        self._fill(tracked, event.order_id, trade_id, news, price, event.fee, event.maker, event.ts_ms)

    @staticmethod
    def _last_price(tracked: TrackedOrder, event: OrderEvent, news: Decimal) -> Decimal:
        """Return the price of the last fill from the averages before and after it."""
        return engine.on_grid(
            (event.average_price * event.filled - tracked.cost) / news, tracked.contract.price_digits
        )

    def history(self, tracked: TrackedOrder, venue_id: str, fills: list[FillRow]) -> None:
        """Apply all fills of one venue id, as the fill history shows them, oldest first."""
        known = tracked.cumulative.setdefault(venue_id, Decimal(0))
        total = Decimal(0)
        for fill in fills:
            total += fill.quantity
            if total <= known or fill.trade_id in tracked.trade_ids:
                continue
            self._fill(
                tracked, venue_id, fill.trade_id, fill.quantity, fill.price, fill.fee, fill.maker, fill.ts_ms
            )
            known = tracked.cumulative[venue_id]

    def _fill(
        self,
        tracked: TrackedOrder,
        venue_id: str,
        trade_id: str,
        quantity: Decimal,
        price: Decimal,
        fee: Decimal,
        maker: bool | None,
        ts_ms: int,
    ) -> None:
        if trade_id in tracked.trade_ids or tracked.filled + quantity > tracked.quantity:
            self.repeated_fills += 1
            return
        if not tracked.accepted:
            self.accept(tracked, venue_id, ts_ms)
        tracked.trade_ids.add(trade_id)
        tracked.cumulative[venue_id] = tracked.cumulative.get(venue_id, Decimal(0)) + quantity
        tracked.filled += quantity
        tracked.cost += quantity * price
        symbol = tracked.symbol
        self.net[symbol] = self.net.get(symbol, Decimal(0)) + tracked.side * quantity
        self.fills += 1
        self.news += 1
        self.last_fill_ms = max(self.last_fill_ms, ts_ms)
        self._told[trade_id] = ts_ms
        if maker is None:
            maker = self._is_maker(price * quantity, fee)
        self._events.generate_order_filled(
            order=tracked.order,
            venue_order_id=VenueOrderId(tracked.venue_id or venue_id),
            venue_position_id=None,
            trade_id=TradeId(trade_id),
            last_qty=engine.quantity(quantity, tracked.contract),
            last_px=engine.price(price, tracked.contract),
            quote_currency=engine.USDT,
            commission=Money(float(fee), engine.USDT),
            liquidity_side=LiquiditySide.MAKER if maker else LiquiditySide.TAKER,
            ts_event=ts_ms * MS,
        )
        if tracked.remaining <= 0:
            self.book.close(tracked)
            self._ended(tracked)
        if self.on_fill is not None:
            self.on_fill(tracked)

    def row(self, tracked: TrackedOrder, row: OrderRow) -> None:
        """Apply an order as REST shows it (its fills come by the history)."""
        if not tracked.accepted:
            self.accept(tracked, row.order_id, row.created_ms)
        if tracked.advances(row.order_id, row.state, row.filled) or row.state.is_final:
            self._state(tracked, row.order_id, row.state, row.filled, row.updated_ms)

    def _state(self, tracked: TrackedOrder, venue_id: str, state: State, filled: Decimal, ts_ms: int) -> None:
        if tracked.closed or not state.is_final:
            return
        if filled > tracked.cumulative.get(venue_id, Decimal(0)):
            self._incomplete(tracked)  # it ends when its fills are in
            return
        current = venue_id == tracked.venue_id or venue_id in tracked.children
        if state is not State.FILLED and (tracked.replacing or not current):
            return  # the old half of a replacement
        self.end(tracked, state, ts_ms)

    def end(self, tracked: TrackedOrder, state: State, ts_ms: int) -> None:
        """Close an order at its final state; what a reduce-only order could not fill is cancelled."""
        if tracked.closed:
            return
        self.book.close(tracked)
        venue_id = VenueOrderId(tracked.venue_id) if tracked.venue_id else None
        if state is State.FAILED and not tracked.accepted:
            self._events.generate_order_rejected(tracked.order, "FAILED at BingX", ts_ms * MS, False)
        elif state is State.EXPIRED:
            self._events.generate_order_expired(tracked.order, venue_id, ts_ms * MS)
        else:
            self._events.generate_order_canceled(tracked.order, venue_id, ts_ms * MS)
        self._ended(tracked)

    def _is_maker(self, notional: Decimal, fee: Decimal) -> bool:
        """Return whether a fee is nearer to the maker's rate than to the taker's: the stream does not say."""
        return abs(fee - notional * self.maker_fee) < abs(fee - notional * self.taker_fee)

    def _ended(self, tracked: TrackedOrder) -> None:
        self.news += 1
        if self.on_end is not None:
            self.on_end(tracked)
