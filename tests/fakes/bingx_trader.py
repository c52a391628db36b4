"""A trading process on a fake BingX that a test may kill: enters once and rests a stop, or tells what it
found.

Usage: python -m tests.fakes.bingx_trader ROLE JSON, where ROLE is enter or adopt and JSON has rest, stream,
key, secret, start_ms, speed and journal.  Prints one JSON line when its orders are as they should be.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from nautilus_trader.model import (
    ClientOrderId,
    InstrumentId,
    OrderSide,
    Price,
    Quantity,
    StrategyId,
    TriggerType,
)
from nautilus_trader.trading import Strategy, StrategyConfig

from adapters.bingx.config import Credentials, DataSettings, Endpoints, ExecutionSettings
from adapters.live.timebase import ScaledTime
from catalog.feed import bar_type
from tests.fakes.bingx_node import QUICK, node

BTC = InstrumentId.from_str("BTC-USDT.BINGX")


class Enterer(Strategy):
    """Buys on the first bar and rests a stop on the fill."""

    def on_start(self) -> None:
        self.sent = False
        self.subscribe_bars(bar_type(str(BTC), 1))

    def on_bar(self, bar: Any) -> None:
        if not self.sent:
            self.sent = True
            self.close = bar.close.as_double()
            entry = self.order_factory.market(
                BTC, OrderSide.BUY, Quantity.from_str("0.0100"), client_order_id=ClientOrderId("entry1")
            )
            self.submit_order(entry)

    def on_position_opened(self, event: Any) -> None:
        stop = self.order_factory.stop_market(
            BTC,
            OrderSide.SELL,
            Quantity.from_str("0.0100"),
            trigger_price=Price(round(self.close * 0.97, 1), 1),
            trigger_type=TriggerType.LAST_PRICE,
            reduce_only=True,
            client_order_id=ClientOrderId("stop1"),
        )
        self.submit_order(stop)

    def on_order_accepted(self, event: Any) -> None:
        if str(event.client_order_id) == "stop1":
            print(json.dumps({"ready": True}), flush=True)


class Adopter(Strategy):
    """Tells what it owns after a restart, then moves the stop."""

    def on_start(self) -> None:
        positions = self.cache.positions_open(strategy_id=self.strategy_id)
        self.found = {
            "positions": [[str(p.instrument_id), p.signed_qty, p.avg_px_open] for p in positions],
            "orders": [
                [
                    str(o.client_order_id),
                    o.order_type.name,
                    str(o.quantity),
                    str(o.trigger_price),
                    o.is_reduce_only,
                ]
                for o in self.cache.orders_open(strategy_id=self.strategy_id)
            ],
        }
        stop = self.cache.orders_open(strategy_id=self.strategy_id)
        if stop:
            price = round(float(str(stop[0].trigger_price)) * 1.005, 1)
            self.modify_order(stop[0].client_order_id, trigger_price=Price(price, 1))
        else:
            print(json.dumps(self.found), flush=True)

    def on_order_updated(self, event: Any) -> None:
        print(json.dumps(self.found | {"moved_to": str(event.trigger_price)}), flush=True)


def main() -> None:
    """Run one role until it is stopped."""
    role, given = sys.argv[1], json.loads(sys.argv[2])
    endpoints = Endpoints(given["rest"], given["stream"])
    time_of_venue = ScaledTime(given["start_ms"], given["speed"])
    data = DataSettings(endpoints=endpoints, symbols=("BTC-USDT",), timebase=time_of_venue, stream=QUICK)
    execution = ExecutionSettings(
        credentials=Credentials.of(given["key"], given["secret"]),
        endpoints=endpoints,
        symbols=("BTC-USDT",),
        timebase=time_of_venue,
        stream=QUICK,
        fill_patience_s=0.3,
        order_journal=Path(given["journal"]),
    )
    trader = node(data, execution)
    if role == "enter":
        trader.add_strategy(Enterer(StrategyConfig(strategy_id=StrategyId("OWNER-001"))))
    else:
        owner = StrategyConfig(strategy_id=StrategyId("OWNER-001"), external_order_instrument_ids=[BTC])
        trader.add_strategy(Adopter(owner))
    trader.run()


if __name__ == "__main__":
    main()
