"""Engine behaviour liquidation relies on: a negative commission is booked to the last digit."""

from __future__ import annotations

import pytest
from nautilus_trader.model import Venue

from adapters.simulated import USDT
from risk.liquidation import takeover
from tests.fakes.engine import RULES, Script, run_script, ts_of

FLAT = (100.0, 100.0, 100.0, 100.0, 1000.0)


def gap(price: float) -> tuple[float, float, float, float, float]:
    return (price, price, price, price, 1000.0)


def protected(side: int, quantity: float, stop: float, entry: float = 100.0) -> object:
    tag = takeover(side, entry, 3.0, RULES.maintenance_margin).tag
    return lambda s: (
        s.market("in", side, quantity),
        s.stop("stop", -side, quantity, stop, ["slip_bps=10", tag]),
    )


def commissions(script: Script, name: str) -> list[float]:
    return [
        e.commission.as_double()
        for kind, order_id, e in script.events
        if (kind, order_id) == ("OrderFilled", name)
    ]


@pytest.mark.parametrize("equity", [10_000.0, 100.0])
@pytest.mark.parametrize(("side", "stop", "price"), [(1, 99.0, 5.0), (-1, 101.0, 195.0)])
def test_a_negative_commission_is_booked_exactly(side: int, stop: float, price: float, equity: float) -> None:
    # at 100 the loss at the traded price, 142.50, is more than the account has
    quantity = 1.5
    script, engine = run_script(
        [FLAT, FLAT, gap(price), FLAT], {1: protected(side, quantity, stop)}, equity=equity, charge=True
    )
    assert script.fills("stop") == [(quantity, price, ts_of(3))]
    (commission,) = commissions(script, "stop")
    at_market = (price - 100.0) * side * quantity
    bankrupt = 100.0 * (1 - side / 3)
    assert commission < 0
    assert at_market - commission == pytest.approx(
        -100.0 * quantity / 3 - quantity * bankrupt * 0.0005, abs=1e-8
    )
    balance = engine.portfolio.account(venue=Venue("TEST")).balance_total(USDT).as_double()
    assert round(balance, 8) == round(equity - sum(commissions(script, "in")) + at_market - commission, 8)
    closed = engine.cache.positions()[0]
    assert closed.is_closed
    assert closed.realized_pnl.as_double() == pytest.approx(balance - equity, abs=1e-8)


def test_a_gap_inside_the_liquidation_price_fills_at_the_open_and_costs_what_it_cost_before() -> None:
    script, _ = run_script([FLAT, FLAT, gap(95.0), FLAT], {1: protected(1, 1.5, 99.0)}, charge=True)
    assert script.fills("stop") == [(1.5, 95.0, ts_of(3))]
    assert commissions(script, "stop") == [pytest.approx(1.5 * 95.0 * (0.0005 + 0.001), abs=1e-8)]


def test_an_exit_in_slices_is_settled_slice_by_slice() -> None:
    thin = (5.0, 5.0, 5.0, 5.0, 2.0)
    script, _ = run_script([FLAT, FLAT, thin, FLAT], {1: protected(1, 1.5, 99.0)}, charge=True)
    fills = script.fills("stop")
    assert len(fills) > 1
    at_market = sum((price - 100.0) * quantity for quantity, price, _ in fills)
    margin, fee = 100.0 * 1.5 / 3, 1.5 * 200 / 3 * 0.0005
    assert at_market - sum(commissions(script, "stop")) == pytest.approx(-margin - fee, abs=1e-7)
