"""What a round trip costs, what an order moves, how it is sliced, and stops that can protect."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.costs import cost_refusal, estimate_costs, loss_per_unit
from risk.liquidity import estimate_slippage_bps, half_spread_bps, slice_quantity
from risk.settings import RiskSettings
from risk.stops import plan_stops, stop_price_of, stop_problem, with_planned_stops
from risk.vocabulary import LONG, SHORT, CostEstimate, EntryStyle
from tests.unit.risk.builders import World, rules

S = RiskSettings()


def test_market_round_trip_pays_taker_and_slippage_twice() -> None:
    costs = estimate_costs(LONG, 100.0, 1.0, EntryStyle.MARKET, rules(), 3.0, 0.0001, 2)
    assert costs.entry_fee == costs.exit_fee == pytest.approx(0.05)
    assert costs.entry_slippage == costs.exit_slippage == pytest.approx(0.03)
    assert costs.funding == pytest.approx(0.02)
    assert costs.cost_r == pytest.approx(costs.per_unit) == pytest.approx(0.18)


def test_post_only_entry_pays_maker_and_no_slippage_but_its_stop_does() -> None:
    costs = estimate_costs(LONG, 100.0, 1.0, EntryStyle.POST_ONLY, rules(), 3.0, None, 5)
    assert (costs.entry_fee, costs.entry_slippage) == (pytest.approx(0.02), 0.0)
    assert costs.cost_r == pytest.approx(0.02 + 0.05 + 0.03)


def test_entry_that_may_end_at_market_is_priced_as_such() -> None:
    costs = estimate_costs(SHORT, 100.0, 1.0, EntryStyle.POST_ONLY_THEN_MARKET, rules(), 3.0, None, 0)
    assert costs.entry_fee == pytest.approx(0.05)
    assert costs.entry_slippage == pytest.approx(0.03)


def test_funding_is_a_cost_only_where_it_is_paid() -> None:
    received = estimate_costs(SHORT, 100.0, 1.0, EntryStyle.MARKET, rules(), 0.0, 0.001, 3)
    paid = estimate_costs(SHORT, 100.0, 1.0, EntryStyle.MARKET, rules(), 0.0, -0.001, 3)
    assert received.funding == 0.0
    assert paid.funding == pytest.approx(0.3)


def test_quiet_market_with_market_orders_fails_the_cost_gate() -> None:
    costs = estimate_costs(LONG, 100.0, 0.15, EntryStyle.MARKET, rules(), 2.0, None, 0)
    words = cost_refusal(costs, S)
    assert words is not None
    assert words.startswith("costs 0.933 R > max_cost_r 0.35")
    assert (
        cost_refusal(estimate_costs(LONG, 100.0, 0.41, EntryStyle.MARKET, rules(), 2.0, None, 0), S) is None
    )


def test_loss_of_one_coin_covers_the_stop_that_rounding_moves_away() -> None:
    cheap = CostEstimate(0.0, 0.05, 0.0, 0.0, 0.0, 0.0)
    assert loss_per_unit(1.0, 1.0, cheap, 0.5) == pytest.approx(1.55)
    dear = CostEstimate(0.6, 0.05, 0.0, 0.02, 9.0, 0.0)
    assert loss_per_unit(1.0, 1.2, dear, 0.5) == pytest.approx(1.2 + 0.67)


def test_slippage_is_half_the_spread_plus_impact_plus_latency() -> None:
    wide = rules(default_spread_bps=4.0)
    assert estimate_slippage_bps(1e4, 1e6, 100.0, wide, S) == pytest.approx(2.0 + 10 * 0.1 + 1.0)
    assert estimate_slippage_bps(1e4, 1e6, 100.0, wide, S, spread_bps=1.0) == pytest.approx(0.5 + 1.0 + 1.0)
    assert estimate_slippage_bps(0.0, 0.0, 100.0, wide, S) == pytest.approx(3.0)
    assert estimate_slippage_bps(1.0, 0.0, 100.0, wide, S) == math.inf


def test_half_the_spread_is_at_least_half_a_tick_without_quotes() -> None:
    assert half_spread_bps(1.0, rules(tick=0.01, default_spread_bps=1.0), None) == pytest.approx(50.0)


@given(st.floats(1.0, 1e6), st.floats(1.0, 1e9), st.floats(1.0, 100.0))
@settings(deadline=None)
def test_slippage_grows_with_size_and_falls_with_volume(
    notional: float, volume: float, factor: float
) -> None:
    base = estimate_slippage_bps(notional, volume, 100.0, rules(), S)
    assert estimate_slippage_bps(notional * factor, volume, 100.0, rules(), S) >= base
    assert estimate_slippage_bps(notional, volume * factor, 100.0, rules(), S) <= base


@pytest.mark.parametrize(
    ("quantity", "volume", "minimum", "children"),
    [
        (1.0, 100.0, 0.02, (1.0,)),
        (4.0, 100.0, 0.02, (2.0, 2.0)),
        (4.5, 100.0, 0.02, (1.5, 1.5, 1.5)),
        (20.0, 100.0, 0.02, (2.0,) * 5),  # what does not fit into five is dropped
        (3.0, 100.0, 1.8, (2.0,)),  # two children would be below the minimum
        (3.0, 100.0, 2.5, ()),
        (1.0, 0.0, 0.02, ()),
        (1.0, 0.001, 0.0, ()),
    ],
)
def test_slices(quantity: float, volume: float, minimum: float, children: tuple[float, ...]) -> None:
    assert slice_quantity(quantity, volume, minimum, rules(), S) == children


@given(st.integers(1, 10**7), st.floats(0.0, 1e6), st.floats(0.0001, 50.0))
@settings(deadline=None)
def test_slices_are_equal_within_the_bar_and_never_more_than_the_order(
    units: int, volume: float, minimum: float
) -> None:
    quantity = units / 10_000
    children = slice_quantity(quantity, volume, minimum, rules(), S)
    assert len(children) <= S.max_slices
    assert sum(children) <= quantity * (1 + 1e-9)
    assert len(set(children)) <= 1
    if len(children) > 1 or (children and children[0] < quantity):
        assert children[0] >= minimum
        assert children[0] <= volume * S.max_bar_volume_fraction * (1 + 1e-9) + 1e-9


def test_planned_stops_are_multiples_of_atr_and_the_rest_is_left_alone() -> None:
    assert plan_stops(LONG, 100.0, 2.0, S) == pytest.approx((97.6, 105.0))
    assert plan_stops(SHORT, 100.0, 2.0, S) == pytest.approx((102.4, 95.0))
    assert plan_stops(0, 100.0, 2.0, S, 95.0, 110.0) == (95.0, 110.0)
    assert plan_stops(LONG, 100.0, math.nan, S, 95.0, 110.0) == (95.0, 110.0)
    assert plan_stops(LONG, None, 2.0, S) == (None, None)


def test_signal_without_a_stop_gets_the_desk_s_own() -> None:
    world = World()
    bare = world.signal(distance=0.0, atr=2.0, time_stop_bars=None)
    planned = with_planned_stops(bare, S)
    assert planned.exits.stop_distance == pytest.approx(2.4)
    assert planned.exits.target_price == pytest.approx(105.0)
    trailing = with_planned_stops(world.signal(distance=0.0, atr=2.0, trail_atr=1.5), S)
    assert trailing.exits.target_price is None
    own = world.signal(distance=1.0)
    assert with_planned_stops(own, S) is own
    flat = world.signal(distance=0.0, atr=0.0)
    assert with_planned_stops(flat, S) is flat


def test_stop_is_rounded_away_from_the_entry() -> None:
    world = World()
    assert stop_price_of(world.signal(distance=1.003), rules()) == 98.99
    assert stop_price_of(world.signal(side=SHORT, distance=1.003), rules()) == 101.01


@pytest.mark.parametrize(
    ("side", "distance", "words"),
    [
        (LONG, 0.0, "no stop"),
        (LONG, -1.0, "wrong side"),
        (SHORT, -1.0, "wrong side"),
        (LONG, 100.0, "<= 0"),
        (LONG, 40.0, "beyond the liquidation price 67.0017"),
        (SHORT, 40.0, "beyond the liquidation price"),
    ],
)
def test_stop_that_cannot_protect(side: int, distance: float, words: str) -> None:
    signal = World().signal(side=side, distance=distance, atr=0.0)
    problem = stop_problem(signal, rules(), S)
    assert problem is not None
    assert words in problem


def test_usable_stop_has_no_problem() -> None:
    assert stop_problem(World().signal(), rules(), S) is None
