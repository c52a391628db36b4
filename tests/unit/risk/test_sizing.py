"""Budget, multiplier and quantity: the numbers of trading-rules 5, and what can never happen to them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.settings import RiskSettings
from risk.sizing import (
    exposure_quantity,
    headroom_pct,
    minimum_quantity,
    position_sizer,
    reduced_budget_pct,
    risk_budget_pct,
    shrink,
    size_position,
)
from risk.vocabulary import RefusalReason, TradingState
from tests.unit.risk.builders import rules

S = RiskSettings()
CALM = TradingState(10_000.0)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (CALM, 0.8),
        (replace(CALM, daily_pnl_pct=0.5), 1.1),
        (replace(CALM, daily_pnl_pct=0.4999), 0.8),
        (replace(CALM, daily_pnl_pct=-1.8), 0.0),
        (replace(CALM, trailing_drawdown_72h_pct=-3.5), 0.0),
        (replace(CALM, losing_streak=1), 0.8),
        (replace(CALM, losing_streak=2), 0.72),
        (replace(CALM, losing_streak=20), 0.4),
        (replace(CALM, realized_volatility=0.04), 0.8),
        (replace(CALM, realized_volatility=0.08), 0.64),
        (replace(CALM, realized_volatility=1.0), 0.4),
        (replace(CALM, losing_streak=9, realized_volatility=1.0), 0.25),
        (replace(CALM, portfolio_risk_pct=1.4), 0.1),
        (replace(CALM, portfolio_risk_pct=2.0), 0.0),
        (replace(CALM, effective_cap_pct=0.75, portfolio_risk_pct=0.5), 0.25),
        (replace(CALM, daily_pnl_pct=math.nan), 0.0),
        (replace(CALM, realized_volatility=math.inf), 0.0),
        (replace(CALM, portfolio_risk_pct=math.nan), 0.0),
    ],
)
def test_risk_budget(state: TradingState, expected: float) -> None:
    assert risk_budget_pct(state, S) == pytest.approx(expected)


def test_floor_never_lifts_a_budget_above_its_base() -> None:
    low = S.model_copy(update={"per_trade_r_pct_base": 0.2, "min_r_pct_floor": 0.25})
    assert reduced_budget_pct(replace(CALM, losing_streak=9), low) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("confidence", "atr", "expected"),
    [
        (1.0, None, 1.0),
        (1.0, 0.0, 1.0),
        (0.2, None, 0.5),
        (9.0, None, 1.5),
        (1.0, 0.01, 1.2),
        (1.0, 0.1, 0.7),
    ],
)
def test_multiplier(confidence: float, atr: float | None, expected: float) -> None:
    assert position_sizer(confidence, atr) == pytest.approx(expected)


@pytest.mark.parametrize("bad", [(math.nan, 0.01), (1.0, math.nan), (math.inf, None)])
def test_multiplier_of_nothing_known_raises(bad: tuple[float, float | None]) -> None:
    with pytest.raises(ValueError, match="finite"):
        position_sizer(*bad)


def test_size_falls_back_to_atr_then_to_one_percent_of_price() -> None:
    assert size_position(1, 100.0, None, CALM, S, atr=4.0) == pytest.approx(20.0)
    assert size_position(1, 100.0, None, CALM, S, atr=0.0) == pytest.approx(80.0)
    assert size_position(1, 100.0, None, CALM, S) == pytest.approx(80.0)


def test_size_pays_for_costs_and_shrinks_to_leverage_and_rooms() -> None:
    assert size_position(1, 100.0, 96.0, CALM, S, cost_per_unit=1.0) == pytest.approx(16.0)
    assert size_position(1, 100.0, 99.99, CALM, S) == pytest.approx(300.0)
    assert size_position(1, 100.0, 99.99, CALM, S, gross_room_usd=2_000.0) == pytest.approx(20.0)
    assert size_position(-1, 100.0, 100.01, CALM, S, net_room_usd=-5.0) == 0.0


@pytest.mark.parametrize(
    ("side", "entry", "stop", "equity", "cost"),
    [
        (1, 100.0, 101.0, 1e4, 0.0),  # wrong side
        (-1, 100.0, 99.0, 1e4, 0.0),
        (1, 100.0, 100.0, 1e4, 0.0),
        (1, math.nan, 99.0, 1e4, 0.0),
        (1, 100.0, math.inf, 1e4, 0.0),
        (1, 100.0, 99.0, math.nan, 0.0),
        (1, 100.0, 99.0, -5.0, 0.0),
        (1, 100.0, 99.0, 1e4, -0.1),
        (1, 100.0, 99.0, 1e4, math.inf),
    ],
)
def test_unusable_input_sizes_nothing(
    side: int, entry: float, stop: float, equity: float, cost: float
) -> None:
    assert size_position(side, entry, stop, TradingState(equity), S, cost_per_unit=cost) == 0.0


def test_minimum_is_the_larger_of_size_and_notional_up_to_a_step() -> None:
    assert minimum_quantity(rules(min_quantity=0.001), 60_000.0) == 0.001
    assert minimum_quantity(rules(), 60_000.0) == 0.0001
    assert minimum_quantity(rules(), 100.0) == 0.02
    assert minimum_quantity(rules(), 99.0) == 0.0203
    assert minimum_quantity(rules(min_notional_usd=0.0, min_quantity=0.0), 99.0) == 0.0001


def test_steps_shrink_in_order_and_remember_who_bound() -> None:
    steps = shrink(
        10.0,
        (
            (RefusalReason.PER_TRADE_CAP, 12.0, lambda: "a"),
            (RefusalReason.PORTFOLIO_CAP, 4.0, lambda: "b"),
            (RefusalReason.GROSS_EXPOSURE, -3.0, lambda: "c"),
        ),
    )
    assert [(s.before, s.after, s.text) for s in steps] == [
        (10.0, 10.0, ""),
        (10.0, 4.0, "b"),
        (4.0, 0.0, "c"),
    ]


@given(
    st.floats(1.0, 1e6), st.floats(0.1, 10.0), st.floats(0.0, 1e6), st.floats(0.01, 1e5), st.floats(0.0, 0.02)
)
@settings(deadline=None)
def test_exposure_fits_after_its_own_entry_costs(
    equity: float, fraction: float, used: float, price: float, cost_share: float
) -> None:
    cost = price * cost_share
    quantity = exposure_quantity(fraction * equity, used, price, fraction, cost)
    assert quantity >= 0.0
    if quantity > 0.0:
        assert used + quantity * price <= fraction * (equity - quantity * cost) * (1 + 1e-9) + 1e-9


States = st.builds(
    TradingState,
    equity=st.floats(-100.0, 1e6),
    daily_pnl_pct=st.floats(-5.0, 5.0),
    trailing_drawdown_72h_pct=st.floats(-6.0, 0.0),
    losing_streak=st.integers(0, 20),
    realized_volatility=st.floats(0.0, 0.3),
    portfolio_risk_pct=st.floats(0.0, 3.0),
    effective_cap_pct=st.none() | st.floats(0.5, 1.5),
)


@given(States)
@settings(deadline=None)
def test_budget_is_never_negative_never_above_any_cap(state: TradingState) -> None:
    budget = risk_budget_pct(state, S)
    assert 0.0 <= budget <= S.max_per_trade_r_pct
    assert budget <= headroom_pct(state, S)


@given(States, st.integers(0, 10), st.floats(0.0, 0.3), st.floats(0.0, 2.0))
@settings(deadline=None)
def test_budget_never_grows_with_losses_volatility_or_used_risk(
    state: TradingState, streak: int, volatility: float, used: float
) -> None:
    worse = replace(
        state,
        losing_streak=state.losing_streak + streak,
        realized_volatility=state.realized_volatility + volatility,
        portfolio_risk_pct=state.portfolio_risk_pct + used,
    )
    assert risk_budget_pct(worse, S) <= risk_budget_pct(state, S) + 1e-12


@given(States, st.floats(0.01, 1e5), st.floats(0.0001, 0.3), st.sampled_from([1, -1]), st.floats(0.0, 0.05))
@settings(deadline=None)
def test_size_never_loses_more_than_the_budget_nor_exceeds_leverage(
    state: TradingState, price: float, share: float, side: int, cost_share: float
) -> None:
    stop, cost = price * (1 - side * share), price * cost_share
    quantity = size_position(side, price, stop, state, S, cost_per_unit=cost)
    assert quantity >= 0.0
    loss = quantity * (abs(price - stop) + cost)
    assert loss <= max(0.0, state.equity) * risk_budget_pct(state, S) / 100.0 * (1 + 1e-9) + 1e-12
    assert quantity * price <= max(0.0, state.equity) * S.leverage_cap * (1 + 1e-9) + 1e-12
