"""The order side of a strategy: builds engine orders from wishes, tracks them, tells the bus what became of
them.

Guarantees: every exit order is reduce-only; every exit at market says where the venue takes the position
over (from the average entry known when it is sent: a tag cannot change); one stop order per position,
modified in place and never cancelled before the position is flat; a modification is not sent while another is
under way; each step is published.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nautilus_trader.core import UUID4
from nautilus_trader.model import (
    ClientOrderId,
    ContingencyType,
    InstrumentId,
    LimitOrder,
    LiquiditySide,
    OrderListId,
    OrderSide,
    Price,
    Quantity,
    StopMarketOrder,
    TimeInForce,
    TriggerType,
)
from nautilus_trader.trading import Strategy

from risk.clock import DeskClock
from risk.costs import SLIPPAGE_TAG
from risk.liquidation import LIQUIDATION, TakenOver, Takeover, takeover
from risk.vocabulary import Alarm, Fill, InstrumentRules, OrderEvent, Protection, Role, side_name
from strategies import bus
from strategies.order_ids import client_order_id
from strategies.slot import OrderRecord, Slot

_MODIFIABLE_DIFFERENCE = 1e-12

FOREIGN_CHANGE = "foreign_change"
"""Kind of the alarm, and exit reason, of what happened at the venue without the desk."""

SlippageOf = Callable[[str, float], float]


class OrderDesk(Strategy):
    """Base of `SignalStrategy`: everything that talks to the engine about orders."""

    strategy_name: str
    desk_clock: DeskClock

    def setup_orders(
        self,
        name: str,
        run_id: str,
        rules: dict[str, InstrumentRules],
        clock: DeskClock,
        slippage_bps_of: SlippageOf,
        virtual_asset: str,
        leverage: float,
    ) -> None:
        """Hand over what the order side needs; `slippage_bps_of(instrument, notional)` prices exits.

        `leverage` is that of the isolated margin of every position.
        """
        self.strategy_name, self.run_id, self.rules, self.desk_clock = name, run_id, rules, clock
        self._slippage_bps_of, self._virtual_asset = slippage_bps_of, virtual_asset
        self._leverage = leverage
        self._instrument_ids = {i: InstrumentId.from_str(i) for i in rules}
        self._records: dict[str, OrderRecord] = {}
        self._topics = {
            "order": bus.order(name),
            "fill": bus.fill(name),
            "protection": bus.protection(name),
        }

    def hear(self, topic: str, handler: Callable[[Any], None], priority: int) -> None:
        """Subscribe a handler of one message type to a topic; higher priorities run first."""
        self.subscribe_topic(topic, handler, priority)

    # --- sending -------------------------------------------------------------------------------------------

    def send_market(
        self, slot: Slot, role: Role, side: int, quantity: float, slippage_bps: float, reason: str = ""
    ) -> OrderRecord:
        """Submit a market order; anything but an entry is reduce-only."""
        record = self._record(slot, role, side, quantity, 0.0, "market", reason)
        record.tags = (f"{SLIPPAGE_TAG}{slippage_bps:.6g}",)
        if record.reduce_only:
            record.tags += (self._takeover_tag(record, slot.exits.average_price),)
        self._submit(record)
        return record

    def send_limit(self, slot: Slot, role: Role, side: int, quantity: float, price: float) -> OrderRecord:
        """Submit a limit order: a post-only entry, or a reduce-only target."""
        record = self._record(slot, role, side, quantity, price, "limit", "")
        self._submit(record)
        return record

    def send_protected_entry(
        self, slot: Slot, side: int, quantity: float, price: float, stop_price: float
    ) -> OrderRecord:
        """Submit a resting entry with its stop attached: the venue activates the stop with the first fill.

        Without it a bar that fills the entry and runs through the stop would be over before the stop could
        be placed.  The venue sizes the attached stop to what has filled and drops it with an unfilled entry.
        """
        i = slot.signal.instrument
        entry = self._record(slot, Role.ENTRY, side, quantity, price, "limit", "")
        stop = self._record(slot, Role.STOP, -side, quantity, stop_price, "stop_market", "")
        slot.stop = stop
        stop.tags = (self._slippage_tag(i, quantity * stop_price), self._takeover_tag(stop, price))
        for record in (entry, stop):
            self._publish_order(record, "submit", record.quantity, record.price)
        self.submit_protected_entry(entry, stop)
        return entry

    def submit_protected_entry(self, entry: OrderRecord, stop: OrderRecord) -> None:
        """Hand a resting entry and the stop attached to it to the engine."""
        i, side = entry.slot.signal.instrument, entry.side
        list_id = OrderListId(f"L-{entry.order_id}")
        now, trader = self.clock.timestamp_ns(), self.trader_id
        if trader is None:
            raise RuntimeError("an order was sent before the strategy was added to a trader")
        entry_order = LimitOrder(
            trader, self.strategy_id, self._instrument_ids[i], entry.venue_id, _engine_side(side),
            self._quantity(i, entry.quantity), self._price(i, entry.price), TimeInForce.GTC, True, False,
            False, UUID4(), now, contingency_type=ContingencyType.OTO, order_list_id=list_id,
            linked_order_ids=[stop.venue_id],
        )  # fmt: skip
        stop_order = StopMarketOrder(
            trader, self.strategy_id, self._instrument_ids[i], stop.venue_id, _engine_side(-side),
            self._quantity(i, stop.quantity), self._price(i, stop.price), TriggerType.LAST_PRICE,
            TimeInForce.GTC, True, False, UUID4(), now, order_list_id=list_id,
            parent_order_id=entry.venue_id, tags=list(stop.tags),
        )  # fmt: skip
        self.submit_order_list([entry_order, stop_order])

    def sync_stop(self, slot: Slot) -> None:
        """Make the working stop equal to the wanted one: place it, or modify it once it can be modified."""
        if slot.stop_wanted is None:
            return
        quantity, price = slot.stop_wanted
        stop, i = slot.stop, slot.signal.instrument
        if stop is None:
            record = self._record(slot, Role.STOP, -slot.signal.side, quantity, price, "stop_market", "")
            slot.stop = record
            # A tag cannot change: while slices are still to come the stop is priced for all of them.
            whole = quantity if slot.entry_reported else max(quantity, sum(slot.entry.children))
            record.tags = (
                self._slippage_tag(i, whole * price),
                self._takeover_tag(record, slot.exits.average_price),
            )
            self._submit(record)
            return
        same = (
            abs(stop.quantity - quantity) < _MODIFIABLE_DIFFERENCE
            and abs(stop.price - price) < _MODIFIABLE_DIFFERENCE
        )
        if same or not stop.working or stop.pending is not None or stop.cancelling:
            return
        stop.pending = (quantity, price)
        self._publish_order(stop, "modify", quantity, price)
        self.modify_order(
            stop.venue_id, quantity=self._quantity(i, quantity), trigger_price=self._price(i, price)
        )

    def send_cancel(self, record: OrderRecord | None) -> None:
        """Cancel an order of ours unless it has ended or is being cancelled."""
        if record is None or record.cancelling or record.order_id not in self._records:
            return
        record.cancelling = True
        self._publish_order(record, "cancel", record.quantity, record.price)
        self.cancel_order(record.venue_id)

    def slippage_bps(self, instrument: str, notional: float) -> float:
        """Return the expected slippage of a market exit."""
        return self._slippage_bps_of(instrument, notional)

    def _slippage_tag(self, instrument: str, notional: float) -> str:
        return f"{SLIPPAGE_TAG}{self._slippage_bps_of(instrument, notional):.6g}"

    def _takeover_tag(self, record: OrderRecord, entry_price: float) -> str:
        rules = self.rules[record.slot.signal.instrument]
        record.takeover = takeover(-record.side, entry_price, self._leverage, rules.maintenance_margin)
        return record.takeover.tag

    def _record(
        self, slot: Slot, role: Role, side: int, quantity: float, price: float, order_type: str, reason: str
    ) -> OrderRecord:
        attempt = slot.next_attempt(role)
        order_id = client_order_id(self.run_id, slot.signal.trace_id, role, attempt)
        record = OrderRecord(
            slot, order_id, ClientOrderId(order_id), role, attempt, side, quantity, price, order_type,
            role is not Role.ENTRY, reason,
        )  # fmt: skip
        self._records[order_id] = record
        return record

    def _submit(self, record: OrderRecord) -> None:
        self._publish_order(record, "submit", record.quantity, record.price)
        self.submit_order(self.engine_order(record, record.quantity))

    def engine_order(self, record: OrderRecord, quantity: float) -> Any:
        """Return the engine's order of a record; anything but an entry is reduce-only."""
        i = record.slot.signal.instrument
        who = (self._instrument_ids[i], _engine_side(record.side), self._quantity(i, quantity))
        factory, tags = self.order_factory, list(record.tags)
        if record.order_type == "market":
            return factory.market(
                *who, reduce_only=record.reduce_only, tags=tags, client_order_id=record.venue_id
            )
        price = self._price(i, record.price)
        if record.order_type == "limit":
            return factory.limit(
                *who,
                price=price,
                post_only=record.role is Role.ENTRY,
                reduce_only=record.reduce_only,
                client_order_id=record.venue_id,
            )
        return factory.stop_market(
            *who,
            trigger_price=price,
            trigger_type=TriggerType.LAST_PRICE,
            reduce_only=True,
            tags=tags,
            client_order_id=record.venue_id,
        )

    # --- hearing -------------------------------------------------------------------------------------------

    def record_of(self, event: Any) -> OrderRecord | None:
        """Return the record of an engine event's order, or None if it is not ours (any more)."""
        return self._records.get(str(event.client_order_id))

    def take_over(self, record: OrderRecord, event: Any) -> None:
        """Take over the size and price that the venue confirmed."""
        rules = self.rules[record.slot.signal.instrument]
        record.quantity = round(event.quantity.as_double(), rules.size_digits)
        price = event.trigger_price if record.role is Role.STOP else event.price
        if price is not None:
            record.price = round(price.as_double(), rules.price_digits)
        if record.pending == (record.quantity, record.price):
            record.pending = None

    def order_ended(self, record: OrderRecord) -> None:
        """Forget an order that cannot trade any more."""
        self._records.pop(record.order_id, None)
        record.working = False

    def publish_fill(self, record: OrderRecord, event: Any) -> Fill:
        """Split the charged commission into fee, priced slippage and liquidation, and publish the fill.

        A venue nets an account: two exits of one strategy that fill at once (a stop while its position is
        being closed) may take more than the strategy holds, out of what another one holds.  That part is
        published apart; the fill returned is the strategy's own, with quantity 0 if nothing of it is.
        """
        rules = self.rules[record.slot.signal.instrument]
        # `as_double` of a large fixed-point value carries noise in its last digits: back to the grid.
        quantity = round(event.last_qty.as_double(), rules.size_digits)
        price = round(event.last_px.as_double(), rules.price_digits)
        maker = event.liquidity_side == LiquiditySide.MAKER
        commission = event.commission.as_double() if event.commission is not None else 0.0
        at = None if maker else record.takeover
        taken = None if at is None else at.settle(price, quantity, rules.taker_fee)
        already = record.reason == LIQUIDATION  # a further slice of the same exit
        if taken is not None:
            record.reason = LIQUIDATION
        else:
            rate = rules.maker_fee if maker else rules.taker_fee
            at, taken = None, TakenOver(round(quantity * price * rate, 8), 0.0)
        cost = round(commission + taken.borne_usd, 8)
        fee = min(taken.fee_usd, cost)
        fill = Fill(
            self.desk_clock.now_ns,
            event.ts_event,
            record.slot.signal.trace_id,
            self.strategy_name,
            rules.instrument,
            record.order_id,
            record.role,
            record.side,
            quantity,
            price,
            fee,
            round(cost - fee, 8),
            maker,
            self._virtual_asset,
            record.reason,
            taken.borne_usd,
        )
        surplus = 0.0 if record.role is Role.ENTRY else self._surplus(record, quantity)
        if surplus > 0.0:
            self.publish_message(bus.SURPLUS, part_of(fill, surplus))
            fill = part_of(fill, round(quantity - surplus, rules.size_digits))
        if fill.quantity > 0.0:
            self.publish_message(self._topics["fill"], fill)
        if at is not None and not already:
            self._alarm_liquidation(record.slot, at, price)
        return fill

    def _surplus(self, record: OrderRecord, quantity: float) -> float:
        rules = self.rules[record.slot.signal.instrument]
        return max(0.0, round(quantity - record.slot.exits.left, rules.size_digits))

    def _alarm_liquidation(self, slot: Slot, at: Takeover, price: float) -> None:
        signal = slot.signal
        detail = (
            f"{side_name(signal.side)} {signal.instrument}: the market was at {price:g}, beyond the "
            f"liquidation price {at.liquidation_price:g}; taken over at {at.bankruptcy_price:g}, the "
            "isolated margin is lost"
        )
        alarm = Alarm(self.desk_clock.now_ns, LIQUIDATION, signal.trace_id, detail)
        self.publish_message(bus.ALARM, alarm)

    def tell_foreign_end(self, record: OrderRecord, action: str) -> None:
        """Alarm when an order ended that nobody here cancelled, while its position or entry goes on.

        The venue itself drops exits of a closed position and the stop of an entry that did not fill.
        """
        slot, signal = record.slot, record.slot.signal
        ours = record.cancelling or (record.role is not Role.ENTRY and slot.exits.left <= 0.0)
        if ours or action not in ("canceled", "expired"):
            return
        detail = f"{record.role} order {record.order_id} of {signal.trace_id} was {action} without the desk"
        self.publish_message(
            bus.ALARM, Alarm(self.desk_clock.now_ns, FOREIGN_CHANGE, signal.instrument, detail)
        )

    def publish_outcome(self, record: OrderRecord, action: str, reason: str = "") -> None:
        """Publish what the venue or the engine said about an order."""
        self._publish_order(record, action, record.quantity, record.price, reason)

    def publish_protection(self, slot: Slot) -> None:
        """Tell the ledger which stop works for a position (price 0: none)."""
        stop, signal = slot.stop, slot.signal
        working = stop is not None and stop.working
        self.publish_message(
            self._topics["protection"],
            Protection(
                self.desk_clock.now_ns,
                signal.trace_id,
                self.strategy_name,
                signal.instrument,
                stop.price if stop is not None and working else 0.0,
                stop.quantity if stop is not None and working else 0.0,
            ),
        )

    def _publish_order(
        self, record: OrderRecord, action: str, quantity: float, price: float, reason: str = ""
    ) -> None:
        signal = record.slot.signal
        self.publish_message(
            self._topics["order"],
            OrderEvent(
                self.desk_clock.now_ns,
                signal.trace_id,
                self.strategy_name,
                signal.instrument,
                record.order_id,
                record.role,
                action,
                record.side,
                quantity,
                price,
                record.order_type,
                record.reduce_only,
                reason or record.reason,
                self._virtual_asset,
            ),
        )

    def _quantity(self, instrument: str, value: float) -> Quantity:
        digits = self.rules[instrument].size_digits
        return Quantity(round(value, digits), digits)

    def _price(self, instrument: str, value: float) -> Price:
        digits = self.rules[instrument].price_digits
        return Price(round(value, digits), digits)


def part_of(fill: Fill, quantity: float) -> Fill:
    """Return a part of a fill with its share of the costs."""
    share = quantity / fill.quantity
    return fill._replace(
        quantity=quantity,
        fee=round(fill.fee * share, 8),
        slippage_usd=round(fill.slippage_usd * share, 8),
        liquidation_usd=round(fill.liquidation_usd * share, 8),
    )


def _engine_side(side: int) -> OrderSide:
    return OrderSide.BUY if side > 0 else OrderSide.SELL
