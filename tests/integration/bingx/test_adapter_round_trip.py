"""A live node on the fake exchange: instruments, closed bars, an entry, a stop that moves, an exit."""

from __future__ import annotations

import gc
import threading
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

from catalog.feed import bar_type
from tests.fakes.bingx import threaded
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx_node import data_settings, execution_settings, node

BTC = InstrumentId.from_str("BTC-USDT.BINGX")


class RoundTrip(Strategy):
    """Buys on the first bar, rests a stop, moves it, cancels it, sells."""

    def on_start(self) -> None:
        self.bars: list[Any] = []
        self.events: list[str] = []
        self.commissions = 0.0
        self.subscribe_bars(bar_type(str(BTC), 1))

    def on_bar(self, bar: Any) -> None:
        self.bars.append(bar)
        close = bar.close.as_double()
        if len(self.bars) == 1:
            self._market("entry1", OrderSide.BUY, reduce_only=False)
        elif len(self.bars) == 2:
            stop = self.order_factory.stop_market(
                BTC,
                OrderSide.SELL,
                Quantity.from_str("0.0100"),
                trigger_price=Price(round(close * 0.98, 1), 1),
                trigger_type=TriggerType.LAST_PRICE,
                reduce_only=True,
                client_order_id=ClientOrderId("stop1"),
            )
            self.submit_order(stop)
        elif len(self.bars) == 3:
            self.modify_order(ClientOrderId("stop1"), trigger_price=Price(round(close * 0.985, 1), 1))
        elif len(self.bars) == 4:
            self.cancel_order(ClientOrderId("stop1"))
            self._market("exit1", OrderSide.SELL, reduce_only=True)
        elif len(self.bars) == 6:
            self.shutdown_system("done")

    def _market(self, name: str, side: OrderSide, *, reduce_only: bool) -> None:
        quantity = Quantity.from_str("0.0100")
        self.submit_order(
            self.order_factory.market(
                BTC, side, quantity, reduce_only=reduce_only, client_order_id=ClientOrderId(name)
            )
        )

    def on_order_event(self, event: Any) -> None:
        self.events.append(f"{event.client_order_id} {type(event).__name__}")
        if hasattr(event, "commission"):
            self.commissions += event.commission.as_double()


def test_an_entry_its_stop_and_its_exit_reach_the_venue_once_and_the_books_agree() -> None:
    with threaded.running(Settings(speed=60.0)) as venue:
        made: list[Any] = []
        trader = node(
            data_settings(venue, "BTC-USDT"), execution_settings(venue, "BTC-USDT"), made=made.append
        )
        strategy = RoundTrip(StrategyConfig(strategy_id=StrategyId("TRIP-001")))
        trader.add_strategy(strategy)
        guard = threading.Timer(40.0, trader.handle().stop)
        guard.start()
        trader.run()
        guard.cancel()
        books = venue.do("books")
        opens = [int(bar.ts_event) // 10**6 - 60_000 for bar in strategy.bars]
        real = venue.call(
            lambda fake: fake.venue.markets["BTC-USDT"].klines(
                "1m", fake.venue.time_ms, opens[0], opens[-1] + 60_000, 10
            )
        )
        trader.dispose()
        del trader  # one node a thread: the tests after this one make their own
        gc.collect()

    assert strategy.events == [
        "entry1 OrderInitialized",
        "entry1 OrderSubmitted",
        "entry1 OrderAccepted",
        "entry1 OrderFilled",
        "stop1 OrderInitialized",
        "stop1 OrderSubmitted",
        "stop1 OrderAccepted",
        "stop1 OrderPendingUpdate",
        "stop1 OrderUpdated",
        "stop1 OrderPendingCancel",
        "exit1 OrderInitialized",
        "exit1 OrderSubmitted",
        "stop1 OrderCanceled",
        "exit1 OrderAccepted",
        "exit1 OrderFilled",
    ]
    assert books["positions"] == []
    assert [o["type"] for o in books["orders"]] == ["MARKET", "STOP_MARKET", "STOP_MARKET", "MARKET"]
    assert abs(sum(float(f["commission"]) for f in books["fills"]) + strategy.commissions) < 1e-6
    assert opens == [opens[0] + 60_000 * n for n in range(len(opens))]
    assert [(float(str(b.open)), float(str(b.close))) for b in strategy.bars] == list(
        zip(real.open.tolist(), real.close.tolist(), strict=True)
    )
    execution = made[-1]
    assert execution.problems == []
    assert execution.reconciler.unexplained == {}
