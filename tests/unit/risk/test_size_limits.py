"""Per-trade, portfolio, gross, net, correlation, safe mode: each limit shrinks a size, and each one refuses.

With `shrink_to_fit` a limit refuses a size that it takes below the minimum, without it whatever does not fit.
"""

from __future__ import annotations

from typing import Any

import pytest

from risk.vocabulary import SHORT, RefusalReason, TradePlan
from tests.unit.risk.builders import BTC, ETH, SOL, XRP, World, rules, settings

R = RefusalReason


@pytest.fixture
def world() -> World:
    return World({BTC: 100.0, ETH: 10.0, SOL: 20.0, XRP: 50.0}).step()


def test_per_trade_cap_shrinks_a_confident_signal(world: World) -> None:
    plan = world.plan(confidence=1.5, atr=1.0)
    assert plan.risk_pct == pytest.approx(1.1, rel=1e-4)
    assert plan.clamps == ("risk 1.2000 % > max_per_trade_r_pct 1.1",)


def test_per_trade_cap_refuses_when_it_leaves_less_than_the_minimum() -> None:
    minimum = {BTC: rules(size_digits=2, step=0.01, min_quantity=0.54)}
    world = World(equity=100.0, instrument_rules=minimum).step()
    refused = world.refusal(confidence=1.5, atr=1.0)
    assert refused.reason is R.PER_TRADE_CAP
    assert "max_per_trade_r_pct 1.1" in refused.detail
    assert "min_quantity 0.54" in refused.detail


def test_portfolio_cap_shrinks_then_refuses_when_it_leaves_less_than_the_minimum() -> None:
    coarse = {BTC: rules(), ETH: rules(ETH, size_digits=0, step=1.0, min_quantity=2.0)}
    world = World({BTC: 100.0, ETH: 10.0}, equity=100.0, instrument_rules=coarse).step()
    world.enter()
    refused = world.refusal(ETH, side=SHORT, distance=0.36)
    assert refused.reason is R.PORTFOLIO_CAP
    assert "max_portfolio_r_pct 1.5" in refused.detail
    assert "min_quantity 2" in refused.detail


def _exposed(gross: float, net: float, **limits: Any) -> World:
    loose = settings(max_gross_exposure_pct=gross, max_net_exposure_pct=net, **limits)
    return World({BTC: 100.0, ETH: 10.0}, limits=loose).step()


def test_gross_exposure_shrinks_then_refuses_when_nothing_tradable_is_left() -> None:
    world = _exposed(30.0, 1000.0)
    plan = world.plan()
    assert world.desk.snapshot()["gross_pct"] == pytest.approx(30.0, rel=1e-3)
    assert "max_gross_exposure_pct 30" in plan.clamps[0]
    refused = world.refusal(ETH, side=SHORT)
    assert refused.reason is R.GROSS_EXPOSURE
    assert "max_gross_exposure_pct 30" in refused.detail


def test_net_exposure_shrinks_then_refuses_but_lets_a_hedge_in() -> None:
    world = _exposed(1000.0, 20.0)
    plan = world.plan()
    assert world.desk.snapshot()["net_pct"] == pytest.approx(20.0, rel=1e-3)
    assert "max_net_exposure_pct 20" in plan.clamps[0]
    world.desk.correlation.update(BTC, ETH, 0.0, world.ts)
    assert world.refusal(ETH).reason is R.NET_EXPOSURE
    pending = world.plan(ETH, side=SHORT)
    assert pending.notional_usd < 2_000.0  # a pending entry lends no room: it may never fill
    world.desk.release(pending.signal.trace_id)
    world.fill(plan)
    hedge = world.plan(ETH, side=SHORT)
    assert hedge.notional_usd > 2_000.0
    assert world.desk.snapshot()["net_pct"] >= -20.0


def test_net_exposure_that_prices_carried_beyond_its_limit_takes_nothing_until_a_hedge_repairs_it() -> None:
    world = _exposed(1000.0, 20.0)
    world.enter()
    world.step({BTC: 125.0})
    assert world.desk.snapshot()["net_pct"] > 20.0
    small = world.refusal(ETH, side=SHORT, distance=3.0, confidence=0.3, atr=0.01)
    assert small.reason is R.NET_EXPOSURE
    assert "with the candidate, beyond max_net_exposure_pct 20" in small.detail
    repaired = world.plan(ETH, side=SHORT)
    assert abs(world.desk.snapshot()["net_pct"]) <= 20.0
    assert repaired.quantity > 0.0


def test_shrunk_by_exposure_below_half_the_floor_is_no_risk_left() -> None:
    refused = _exposed(5.0, 1000.0).refusal()
    assert refused.reason is R.NO_RISK_LEFT
    assert "max_gross_exposure_pct 5" in refused.detail


def test_leverage_is_a_limit_of_gross_exposure() -> None:
    low = World(limits=settings(leverage_cap=0.3)).step()
    assert "leverage_cap 0.3" in low.plan().clamps[0]
    refusing = World(limits=settings(leverage_cap=0.3, shrink_to_fit=False)).step()
    assert refusing.refusal().reason is R.GROSS_EXPOSURE


@pytest.mark.parametrize(
    ("limits", "first", "second", "reason"),
    [
        ({}, None, {"confidence": 1.5, "atr": 1.0}, R.PER_TRADE_CAP),
        ({}, {}, {"instrument": ETH, "side": SHORT, "confidence": 1.2}, R.PORTFOLIO_CAP),
        ({"max_gross_exposure_pct": 30.0}, None, {}, R.GROSS_EXPOSURE),
        ({"max_net_exposure_pct": 30.0}, None, {}, R.NET_EXPOSURE),
    ],
)
def test_without_shrink_to_fit_whatever_does_not_fit_is_refused(
    limits: dict[str, Any], first: dict[str, Any] | None, second: dict[str, Any], reason: RefusalReason
) -> None:
    world = World({BTC: 100.0, ETH: 10.0}, limits=settings(shrink_to_fit=False, **limits)).step()
    if first is not None:
        world.enter(**first)
    refused = world.refusal(**second)
    assert refused.reason is reason
    assert "shrink_to_fit is false" in refused.detail


def test_correlated_positions_are_counted_by_sign() -> None:
    limits = settings(max_portfolio_r_pct=9.0)
    world = World({BTC: 100.0, ETH: 10.0, SOL: 20.0, XRP: 50.0}, limits=limits).step()
    world.enter()
    world.enter(ETH)
    refused = world.refusal(SOL)
    assert refused.reason is R.CORRELATED
    assert "2 >= max_high_corr_positions 2 at max_abs_correlation 0.65" in refused.detail
    assert isinstance(world.decide(world.signal(XRP, side=SHORT)), TradePlan)  # a hedge is no concentration


def test_safe_mode_block_refuses_what_would_be_concentrated_and_while_anything_is() -> None:
    limits = settings(safe_mode_action="block")
    world = World({BTC: 100.0, ETH: 10.0, SOL: 20.0}, limits=limits).step()
    world.enter(confidence=0.5)
    refused = world.refusal(ETH, confidence=0.5)
    assert refused.reason is R.SAFE_MODE
    assert "safe_mode_action is block" in refused.detail
    world.desk.correlation.update(BTC, ETH, 0.1, world.ts)
    world.enter(ETH, confidence=0.5)
    world.desk.correlation.update(BTC, ETH, 0.9, world.ts)
    assert world.refusal(SOL, side=SHORT, confidence=0.5).reason is R.SAFE_MODE
