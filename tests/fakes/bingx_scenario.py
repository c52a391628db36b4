"""Scenarios of a live node on the fake exchange: a script that acts, waits until something holds, acts again.

The script is a generator that runs in the node's own thread, a step at each tick of a timer; it yields the
condition that must hold before it goes on.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from nautilus_trader.core import UUID4
from nautilus_trader.model import (
    ClientOrderId,
    ContingencyType,
    InstrumentId,
    LimitOrder,
    OrderListId,
    OrderSide,
    Price,
    Quantity,
    StopMarketOrder,
    StrategyId,
    TimeInForce,
    TriggerType,
)
from nautilus_trader.trading import Strategy, StrategyConfig

from adapters.bingx.config import DataSettings, ExecutionSettings
from tests.fakes.bingx.threaded import ThreadedBingx
from tests.fakes.bingx_node import data_settings, node

BTC = InstrumentId.from_str("BTC-USDT.BINGX")
TICK_MS = 20
PATIENCE_S = 30.0
BUY, SELL = OrderSide.BUY, OrderSide.SELL

Script = Callable[["Trader"], Iterator[Callable[[], Any]]]


class Trader(Strategy):
    """Runs a script; its short forms build and submit orders of BTC-USDT."""

    def prepare(self, script: Script, patience_s: float) -> None:
        self._steps = script(self)
        self._patience_s = patience_s
        self._waits_for: Callable[[], Any] = lambda: self.cache.quote(BTC) is not None
        self._since = time.monotonic()
        self.events: list[Any] = []
        self.bars: list[Any] = []
        self.failure = ""

    def on_start(self) -> None:
        self._since = time.monotonic()
        self.subscribe_quotes(BTC)  # the engine refuses market orders without a price
        self.clock.set_timer("step", timedelta(milliseconds=TICK_MS), callback=self._step)

    def _step(self, _: Any) -> None:
        if self._steps is None:
            return
        try:
            if self._waits_for():
                self._waits_for = next(self._steps)
                self._since = time.monotonic()
            elif time.monotonic() - self._since > self._patience_s:
                raise TimeoutError(f"step of line {self._line()} did not come true; {self._story()}")
        except StopIteration:
            self._end("")
        except Exception as error:  # noqa: BLE001 - the engine would only log it
            self._end(f"{type(error).__name__}: {error}")

    def _story(self) -> str:
        """Return what happened to the orders, with reasons."""
        lines = []
        for event in self.events:
            name = type(event).__name__.removeprefix("Order")
            lines.append(f"{event.client_order_id} {name} {getattr(event, 'reason', '')}".strip())
        return "; ".join(lines)

    def _line(self) -> int:
        frame = getattr(self._steps, "gi_frame", None)
        return frame.f_lineno if frame is not None else 0

    def _end(self, failure: str) -> None:
        self.failure, self._steps = failure, None  # type: ignore[assignment]
        self.shutdown_system("done")

    def on_bar(self, bar: Any) -> None:
        self.bars.append(bar)

    def on_order_event(self, event: Any) -> None:
        self.events.append(event)

    # what happened

    def told(self, client_id: str | None = None) -> list[str]:
        """Return the names of events, of one order or of all."""
        return [
            type(e).__name__.removeprefix("Order")
            for e in self.events
            if client_id in (None, str(e.client_order_id))
        ]

    def fills(self, client_id: str) -> list[Any]:
        """Return the fill events of an order."""
        return [e for e in self.events if hasattr(e, "last_qty") and str(e.client_order_id) == client_id]

    def is_(self, client_id: str, *names: str) -> Callable[[], bool]:
        """Return a condition: the order has had one of these events."""
        return lambda: bool(set(names) & set(self.told(client_id)))

    def closed(self, client_id: str) -> Callable[[], bool]:
        """Return a condition: the order has ended."""

        def holds() -> bool:
            order = self.cache.order(ClientOrderId(client_id))
            return order is not None and bool(order.is_closed)

        return holds

    def size(self) -> float:
        """Return the signed open position in BTC-USDT."""
        return sum(p.signed_qty for p in self.cache.positions_open(instrument_id=BTC))

    # orders

    def market(self, name: str, side: OrderSide, quantity: str, *, reduce: bool = False) -> None:
        order = self.order_factory.market(
            BTC, side, Quantity.from_str(quantity), reduce_only=reduce, client_order_id=ClientOrderId(name)
        )
        self.submit_order(order)

    def limit(self, name: str, side: OrderSide, quantity: str, price: str, **more: Any) -> None:
        order = self.order_factory.limit(
            BTC,
            side,
            Quantity.from_str(quantity),
            price=Price.from_str(price),
            client_order_id=ClientOrderId(name),
            **({"time_in_force": TimeInForce.GTC} | more),
        )
        self.submit_order(order)

    def conditional(
        self, kind: str, name: str, side: OrderSide, quantity: str, trigger: str, **more: Any
    ) -> None:
        """Submit one of stop_market, stop_limit, market_if_touched, limit_if_touched."""
        price = more.pop("price", None)
        if price is not None:
            more["price"] = Price.from_str(price)
        order = getattr(self.order_factory, kind)(
            BTC,
            side,
            Quantity.from_str(quantity),
            trigger_price=Price.from_str(trigger),
            client_order_id=ClientOrderId(name),
            **({"trigger_type": TriggerType.LAST_PRICE, "reduce_only": True} | more),
        )
        self.submit_order(order)

    def stop(self, name: str, side: OrderSide, quantity: str, trigger: str, **more: Any) -> None:
        self.conditional("stop_market", name, side, quantity, trigger, **more)

    def protected(self, name: str, stop_name: str, quantity: str, price: str, trigger: str) -> None:
        """Submit a resting entry that buys, with its stop, as the desk's strategies do."""
        entry_id, stop_id, list_id = ClientOrderId(name), ClientOrderId(stop_name), OrderListId(f"L-{name}")
        now, size = self.clock.timestamp_ns(), Quantity.from_str(quantity)
        entry = LimitOrder(
            self.trader_id, self.strategy_id, BTC, entry_id, BUY, size, Price.from_str(price),
            TimeInForce.GTC, True, False, False, UUID4(), now, contingency_type=ContingencyType.OTO,
            order_list_id=list_id, linked_order_ids=[stop_id],
        )  # fmt: skip
        stop = StopMarketOrder(
            self.trader_id, self.strategy_id, BTC, stop_id, SELL, size, Price.from_str(trigger),
            TriggerType.LAST_PRICE, TimeInForce.GTC, True, False, UUID4(), now, order_list_id=list_id,
            parent_order_id=entry_id,
        )  # fmt: skip
        self.submit_order_list([entry, stop])

    def cancel(self, name: str) -> None:
        self.cancel_order(ClientOrderId(name))


@dataclass(slots=True)
class Outcome:
    """What a scenario left behind."""

    trader: Trader
    books: dict[str, Any]
    clients: list[Any] = field(default_factory=list)

    @property
    def execution(self) -> Any:
        return self.clients[-1]

    @property
    def orders(self) -> list[dict[str, Any]]:
        """Return the orders at the venue, oldest first."""
        found: list[dict[str, Any]] = self.books["orders"]
        return found

    @property
    def fills(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.books["fills"]
        return found

    @property
    def position(self) -> float:
        """Return the signed position at the venue."""
        return sum(
            float(p["positionAmt"]) * (1 if p["positionSide"] == "LONG" else -1)
            for p in self.books["positions"]
        )


def play(
    venue: ThreadedBingx,
    script: Script,
    execution: ExecutionSettings | None,
    data: DataSettings | None = None,
    *,
    patience_s: float = PATIENCE_S,
    limit_s: float = 100.0,
    made: list[Any] | None = None,
    engine: Any = None,
) -> Outcome:
    """Run a script in a live node and return what came of it.

    Raises
    ------
    AssertionError
        If a step of the script did not come true, or the node ended before the script.
    """
    made = [] if made is None else made  # the clients, for a script that looks at them
    live = node(data or data_settings(venue, "BTC-USDT"), execution, made=made.append, engine=engine)
    trader = Trader(StrategyConfig(strategy_id=StrategyId("SCRIPT-001"), external_order_instrument_ids=[BTC]))
    trader.prepare(script, patience_s)
    live.add_strategy(trader)
    guard = threading.Timer(limit_s, live.handle().stop)
    guard.start()
    try:
        live.run()
        books = venue.do("books")
    finally:
        guard.cancel()
        live.dispose()
        del live  # one node a thread: the next scenario makes its own
        gc.collect()
    assert trader._steps is None, f"the node ended before the script: {trader.told()}"
    assert not trader.failure, trader.failure
    return Outcome(trader, books, made)
