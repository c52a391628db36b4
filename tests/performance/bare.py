"""The same bars and the same orders through a bare engine: strategies that play a script, nothing else.

Each strategy of the desk has one here that hears every bar and sends that strategy's orders, so that the
engine keeps the same positions, one a strategy and instrument.

Entries, exits, modifications and cancels go out one instant later than the desk sent them, protective stops
and targets when their entry fills; an order that has no effect any more (its position went another way) is
sent all the same, so that the engine handles as many orders as under the desk.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nautilus_trader.model import (
    BarType,
    ClientOrderId,
    InstrumentId,
    OrderSide,
    Price,
    Quantity,
    StrategyId,
    TriggerType,
)
from nautilus_trader.trading import Strategy, StrategyConfig

from catalog.feed import EngineFeed, bar_type, in_chunks
from crupto_nautilus.desk.engine import make_engine
from risk.vocabulary import Instant, InstrumentRules, OrderEvent
from strategies.registry import REGISTRY

STRATEGIES = tuple(REGISTRY)
COMMANDS = ("submit", "modify", "cancel")
AT_FILL = {"stop", "target_1", "target_2"}


class ScriptedOrders(Strategy):
    """Sends recorded orders."""

    def setup(
        self, rules: Mapping[str, InstrumentRules], types: list[BarType], events: Iterable[OrderEvent]
    ) -> ScriptedOrders:
        self.rules, self.types, self.now, self.sent = rules, types, 0, 0
        self.at: dict[int, list[OrderEvent]] = defaultdict(list)
        self.after_fill: dict[str, list[OrderEvent]] = defaultdict(list)
        self.trace: dict[str, str] = {}
        for event in events:
            if event.action not in COMMANDS:
                continue
            if event.action == "submit" and event.role in AT_FILL:
                self.after_fill[event.trace_id].append(event)
            else:
                self.at[event.ts_event].append(event)
        self.ids = {name: InstrumentId.from_str(name) for name in rules}
        return self

    def on_start(self) -> None:
        for one in self.types:
            self.subscribe_bars(one)

    def on_bar(self, bar: Any) -> None:
        ts = bar.ts_event
        if ts != self.now:
            for event in self.at.pop(self.now, ()):
                self.act(event)
            self.now = ts

    def act(self, event: OrderEvent) -> None:
        rules, order_id = self.rules[event.instrument], ClientOrderId(event.client_order_id)
        quantity = Quantity(round(event.quantity, rules.size_digits), rules.size_digits)
        price = Price(round(event.price, rules.price_digits), rules.price_digits)
        self.sent += 1
        if event.action != "submit":
            order = self.cache.order(order_id)
            if order is not None and order.is_open:
                if event.action == "cancel":
                    self.cancel_order(order_id)
                else:
                    self.modify_order(order_id, quantity=order.quantity, trigger_price=price)
            return
        side = OrderSide.BUY if event.side > 0 else OrderSide.SELL
        iid, make = self.ids[event.instrument], self.order_factory
        common = {"reduce_only": event.reduce_only, "client_order_id": order_id, "tags": ["slip_bps=3"]}
        if event.order_type == "market":
            order = make.market(iid, side, quantity, **common)
        elif event.order_type == "limit":
            order = make.limit(iid, side, quantity, price=price, **common)
        else:
            order = make.stop_market(
                iid, side, quantity, trigger_price=price, trigger_type=TriggerType.LAST_PRICE, **common
            )
        self.trace[event.client_order_id] = event.trace_id
        self.submit_order(order)

    def on_order_filled(self, event: Any) -> None:
        trace = self.trace.get(str(event.client_order_id))
        if trace is not None and self.cache.order(event.client_order_id).is_closed:
            for follow in self.after_fill.pop(trace, ()):
                self.act(follow)


class BareRun:
    """A bare engine with its script, ready to play."""

    def __init__(
        self,
        rules: Mapping[str, InstrumentRules],
        base_minutes: Mapping[str, int],
        events: Sequence[OrderEvent],
        equity: float,
    ) -> None:
        self._engine = make_engine(rules, equity, charge=True)
        types = [bar_type(name, minutes) for name, minutes in sorted(base_minutes.items())]
        self._scripts = []
        for name in STRATEGIES:
            script = ScriptedOrders(StrategyConfig(strategy_id=StrategyId(f"{name}-001"), order_id_tag=name))
            own = [event for event in events if event.strategy == name]
            self._scripts.append(script.setup(rules, types, own))
            self._engine.add_strategy(script)
        self._feed = EngineFeed(rules, base_minutes)

    def play(self, instants: Iterable[Instant], span_ns: int) -> int:
        """Run the script over the bars; return how many order commands were sent."""
        engine, feed = self._engine, self._feed
        for chunk in in_chunks(instants, span_ns):
            bars = [
                feed.engine_bar(bar, i.ts_event) for i in chunk for group in i.bars.values() for bar in group
            ]
            engine.add_data(bars, validate=False, sort=False)
            engine.sort_data()
            engine.run(streaming=True)
            engine.clear_data()
        engine.end()
        return sum(script.sent for script in self._scripts)

    def dispose(self) -> None:
        self._engine.dispose()
