"""Engine behaviour resting entries rely on: a stop attached to its entry (one triggers the other)."""

from __future__ import annotations

from nautilus_trader.core import UUID4
from nautilus_trader.model import (
    ClientOrderId,
    ContingencyType,
    LimitOrder,
    OrderListId,
    OrderSide,
    Price,
    Quantity,
    StopMarketOrder,
    TimeInForce,
    TriggerType,
)

from tests.fakes.engine import Script, run_script, ts_of

FLAT = (100.0, 100.0, 100.0, 100.0, 1000.0)


def place(s: Script, price: float = 99.99, quantity: float = 1.0) -> None:
    entry_id, stop_id, size = ClientOrderId("in"), ClientOrderId("stop"), Quantity(quantity, 4)
    now = s.clock.timestamp_ns()
    entry = LimitOrder(
        s.trader_id, s.strategy_id, s.iid, entry_id, OrderSide.BUY, size, Price(price, 2), TimeInForce.GTC,
        True, False, False, UUID4(), now, contingency_type=ContingencyType.OTO,
        order_list_id=OrderListId("L-1"), linked_order_ids=[stop_id],
    )  # fmt: skip
    stop = StopMarketOrder(
        s.trader_id, s.strategy_id, s.iid, stop_id, OrderSide.SELL, size, Price(99.0, 2),
        TriggerType.LAST_PRICE, TimeInForce.GTC, True, False, UUID4(), now,
        order_list_id=OrderListId("L-1"), parent_order_id=entry_id,
    )  # fmt: skip
    s.submit_order_list([entry, stop])


def test_the_stop_works_inside_the_very_bar_that_fills_the_entry() -> None:
    rows = [FLAT, (100.0, 100.2, 98.0, 98.5, 1000.0), FLAT]
    script, _ = run_script(rows, {1: place})
    assert script.fills("in") == [(1.0, 99.99, ts_of(2))]
    assert script.fills("stop") == [(1.0, 99.0, ts_of(2))]


def test_the_stop_ends_with_an_entry_that_is_cancelled_or_rejected_unfilled() -> None:
    script, _ = run_script([FLAT, FLAT, FLAT], {1: place, 2: lambda s: s.cancel_order(ClientOrderId("in"))})
    assert script.kinds("stop")[-1] == "OrderCanceled"
    script, _ = run_script([FLAT, FLAT], {1: lambda s: place(s, price=100.5)})
    assert script.kinds("in")[-1] == script.kinds("stop")[-1] == "OrderRejected"


def test_the_stop_follows_partial_fills_and_outlives_the_rest_of_its_entry() -> None:
    thin = (100.0, 100.2, 99.5, 100.0, 1.0)
    script, engine = run_script(
        [FLAT, thin, thin, FLAT],
        {1: lambda s: place(s, quantity=3.0), 3: lambda s: s.cancel_order(ClientOrderId("in"))},
    )
    sizes = [
        e.quantity.as_double() for kind, name, e in script.events if (kind, name) == ("OrderUpdated", "stop")
    ]
    assert sizes == [0.25, 0.5]
    assert [str(o.client_order_id) for o in engine.cache.orders_open()] == ["stop"]
