"""Every reason of the pipeline fires through `RiskDesk.decide`, in the enum's order, with its numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from risk.pipeline import CONTROLS, first_refusal
from risk.vocabulary import (
    LONG,
    MINUTE_NS,
    SHORT,
    DeskMode,
    DeskState,
    EntryStyle,
    Funding,
    Mandate,
    RefusalReason,
    RegimeLabel,
    Signal,
    TradePlan,
)
from tests.unit.risk.builders import ACTIVE, BTC, ETH, SOL, XRP, World, reason_of, rules

R = RefusalReason
HALTED = DeskState(0, DeskMode.HALTED, R.KILL_SWITCH, "72 h drawdown -3.6 %")
STOPPED = DeskState(0, DeskMode.HALTED, R.OPERATOR_HALT, "maintenance")
LOCKED = DeskState(0, DeskMode.REDUCE_ONLY, R.DAILY_LOCK, "daily PnL -1.9 %")


@pytest.fixture
def world() -> World:
    return World({BTC: 100.0, ETH: 10.0, SOL: 20.0, XRP: 50.0}).step()


def test_controls_stand_in_the_order_of_the_enum() -> None:
    reasons = [control.reason for control in CONTROLS]
    execution = [R.SPREAD_TOO_WIDE, R.ILLIQUID, R.SLIPPAGE_TOO_HIGH]
    assert reasons + execution == list(R)


def test_good_signal_is_approved_with_what_it_really_risks(world: World) -> None:
    plan = world.plan()
    per_coin = 2.0 + plan.costs.entry_fee + plan.costs.exit_fee + 2 * plan.costs.exit_slippage
    assert plan.risk_usd == pytest.approx(plan.quantity * per_coin)
    assert plan.risk_pct == pytest.approx(0.8, rel=1e-4)
    assert plan.risk_pct <= 0.8
    assert plan.stop_price == 98.0
    assert plan.equity_usd == 10_000.0
    assert plan.notional_usd == pytest.approx(plan.quantity * 100.0)
    assert plan.clamps == ()


@pytest.mark.parametrize(
    ("asked", "reason", "words"),
    [
        ({"flags": frozenset({"tool_error:plan_stops raised"})}, R.TOOL_ERROR, "plan_stops raised"),
        ({"flags": frozenset({"tool_error"})}, R.TOOL_ERROR, "failed"),
        ({"flags": frozenset({"reconciling"})}, R.RECONCILING, "reconciled"),
        ({"desk": HALTED}, R.KILL_SWITCH, "-3.6 %"),
        ({"desk": STOPPED}, R.OPERATOR_HALT, "maintenance"),
        ({"desk": DeskState(0, DeskMode.HALTED)}, R.OPERATOR_HALT, "halted"),
        ({"desk": LOCKED}, R.DAILY_LOCK, "-1.9 %"),
        ({"flags": frozenset({"disabled:breakout_4h"})}, R.STRATEGY_DISABLED, "breakout_4h is disabled"),
        ({"warm": False}, R.NOT_WARM, "regime"),
        ({"mandate": None}, R.NOT_WARM, "regime"),
        ({"daily_volatility": None}, R.NOT_WARM, "daily volatility"),
        ({"daily_volatility": math.nan}, R.INVALID_INPUT, "daily volatility was nan"),
    ],
)
def test_desk_reasons(world: World, asked: dict[str, Any], reason: RefusalReason, words: str) -> None:
    refused = world.refusal(asked=asked)
    assert refused.reason is reason
    assert words in refused.detail
    assert refused.ts_event == world.ts


def test_flags_of_other_strategies_do_not_count(world: World) -> None:
    signal = world.signal()
    assert isinstance(world.decide(signal, flags=frozenset({"disabled:other"})), TradePlan)


@pytest.mark.parametrize(
    ("row", "reason", "words"),
    [
        ({"allowed": False, "sides": (), "reason": R.STRATEGY_DISABLED}, R.STRATEGY_DISABLED, "disabled"),
        ({"allowed": False, "sides": (), "reason": R.NOT_WARM}, R.NOT_WARM, "not warm"),
        ({"allowed": False, "sides": (), "reason": R.REGIME_OFF}, R.REGIME_OFF, "off in trend_up"),
        ({"allowed": False, "sides": ()}, R.REGIME_OFF, "off in trend_up"),
        ({"sides": (SHORT,)}, R.DIRECTION_OFF, "allows short, signal is long"),
        ({"rested_until_ns": 10**19}, R.RESTED, "min left"),
        ({"allowed": False, "reason": R.RESTED, "detail": "score -1"}, R.RESTED, "score -1"),
        ({"cooldown_until_ns": 10**19}, R.COOLDOWN, "min left"),
        ({"allowed": False, "reason": R.COOLDOWN}, R.COOLDOWN, "blocked"),
    ],
)
def test_mandate_reasons(world: World, row: dict[str, Any], reason: RefusalReason, words: str) -> None:
    signal = world.signal()
    refused = world.decide(signal, mandate=world.mandate(BTC, signal.strategy, **row))
    assert reason_of(refused) is reason
    assert words in refused.detail  # type: ignore[union-attr]


def test_a_block_says_how_long_it_lasts_also_in_its_last_bar(world: World) -> None:
    signal = world.signal()
    said = []
    for minutes in (15, 0):
        row = {"cooldown_until_ns": world.ts + minutes * MINUTE_NS + 1}
        refused = world.decide(signal, mandate=world.mandate(BTC, signal.strategy, **row))
        said.append(refused.detail)  # type: ignore[union-attr]
    assert said == ["15 min left", "ends with this bar"]


def test_blocks_end_exactly_at_their_time(world: World) -> None:
    signal = world.signal()
    row = {"cooldown_until_ns": world.ts, "rested_until_ns": world.ts, "reason": R.COOLDOWN}
    assert isinstance(world.decide(signal, mandate=world.mandate(BTC, signal.strategy, **row)), TradePlan)


def test_strategy_that_no_map_names_is_disabled_and_an_unknown_regime_is_not_warm(world: World) -> None:
    signal = world.signal()
    nobody = Mandate(world.ts, BTC, RegimeLabel.TREND_UP, ())
    assert reason_of(world.decide(signal, mandate=nobody)) is R.STRATEGY_DISABLED
    unknown = Mandate(world.ts, BTC, RegimeLabel.UNKNOWN, world.mandate(BTC, signal.strategy).rows)
    assert reason_of(world.decide(signal, mandate=unknown)) is R.NOT_WARM


def test_cooling_ends_at_its_time(world: World) -> None:
    cooling = DeskState(0, DeskMode.ACTIVE, cooling_until_ns=world.ts + 60_000_000_000)
    refused = world.refusal(asked={"desk": cooling})
    assert refused.reason is R.COOLING
    assert "60 s left of cooling_period_minutes 60" in refused.detail
    over = DeskState(0, DeskMode.ACTIVE, cooling_until_ns=world.ts)
    assert isinstance(world.decide(world.signal(), desk=over), TradePlan)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "field", ["distance", "confidence", "atr", "price", "target_price", "trail_atr", "targets_r"]
)
def test_signal_with_anything_not_finite_is_invalid(world: World, field: str, bad: float) -> None:
    signal = world.signal(**{field: (bad,) if field == "targets_r" else bad})
    assert reason_of(world.decide(signal)) is R.INVALID_INPUT


@pytest.mark.parametrize(("field", "value"), [("price", 0.0), ("price", -1.0), ("atr", -1.0)])
def test_signal_with_an_impossible_sign_is_invalid(world: World, field: str, value: float) -> None:
    assert reason_of(world.decide(world.signal(**{field: value}))) is R.INVALID_INPUT


def test_missing_rules_price_or_side_is_invalid(world: World) -> None:
    other = World({"DOGEUSDT-PERP": 0.1})
    assert (
        "no instrument rules"
        in world.desk.decide(other.signal("DOGEUSDT-PERP"), None, ACTIVE, world.ts, 0.02, True).detail
    )  # type: ignore[union-attr]
    assert "no price" in World().refusal().detail
    assert "side was 0" in world.refusal(side=0).detail


@pytest.mark.parametrize(
    "instant",
    [
        {"prices": {BTC: math.nan}},
        {"prices": {BTC: -1.0}},
        {"volume": math.nan},
        {"volume": -1.0},
        {"quotes": ((BTC, math.nan, 100.0),)},
        {"quotes": ((BTC, 101.0, 99.0),)},
        {"funding": (Funding(BTC, 0, math.nan),)},
    ],
)
def test_market_with_a_bad_figure_is_invalid(world: World, instant: dict[str, Any]) -> None:
    signal_price = world.prices[BTC]
    world.step(**instant)
    assert world.refusal(price=signal_price, distance=2.0, atr=2.0).reason is R.INVALID_INPUT


def test_price_that_is_no_number_never_reaches_equity(world: World) -> None:
    world.enter()
    before = world.desk.risk_equity
    world.step({BTC: math.nan})
    assert world.desk.risk_equity == before
    assert world.refusal(ETH).reason is not R.INVALID_INPUT


def test_stale_data(world: World) -> None:
    for _ in range(4):
        world.step(without=(BTC,))
    refused = world.refusal()
    assert refused.reason is R.STALE_DATA
    assert "60 min old, limit stale_bars 3 x 15 min" in refused.detail
    assert isinstance(world.decide(world.signal(ETH)), TradePlan)


def test_limits_of_drawdown_are_read_even_while_the_desk_state_lags(world: World) -> None:
    world.enter(confidence=0.5)
    world.step({BTC: 94.0}, bars=1)
    assert world.desk.guard.daily_pnl_pct < -1.0
    world.step({BTC: 90.0})
    refused = world.refusal(ETH)
    assert refused.reason is R.DAILY_LOCK
    assert "% <= -max_daily_loss_pct 1.8" in refused.detail
    world.step({BTC: 80.0})
    refused = world.refusal(ETH)
    assert refused.reason is R.KILL_SWITCH
    assert "-kill_switch_drawdown_72h 3.5" in refused.detail


def test_own_position_pending_entry_and_opposing_position(world: World) -> None:
    world.plan()
    assert "breakout_4h is long" in world.refusal().detail
    assert world.refusal().reason is R.ALREADY_OPEN
    opposing = world.refusal(side=SHORT, strategy="range_reversion_5m")
    assert opposing.reason is R.OPPOSING_POSITION
    assert "breakout_4h is long" in opposing.detail


def test_second_strategy_may_join_the_same_side_but_counts_as_concentrated(world: World) -> None:
    world.plan(confidence=0.5)
    plan = world.plan(strategy="volatility_expansion_15m")
    assert "effective cap 0.7500" in plan.clamps[0]


def test_on_a_netted_account_one_strategy_at_a_time_is_on_an_instrument(world: World) -> None:
    world.desk.netted = True
    plan = world.plan(confidence=0.5)
    second = {"strategy": "volatility_expansion_15m", "confidence": 0.5}
    assert (refused := world.refusal(**second)).reason is R.INSTRUMENT_TAKEN  # an entry that is not filled
    assert "breakout_4h is long" in refused.detail
    world.fill(plan)
    assert world.refusal(**second).reason is R.INSTRUMENT_TAKEN
    other = world.plan(ETH, **second)
    world.desk.release(other.signal.trace_id)
    world.fill(plan, "stop", price=99.0)
    # The position is over, but its target is still being cancelled: it could close the next one.
    working = {"flags": frozenset({f"working@{BTC}:target_1 order x-1"})}
    refused = world.refusal(asked=working, **second)
    assert refused.reason is R.INSTRUMENT_TAKEN
    assert "target_1 order x-1 has not ended" in refused.detail
    assert world.refusal(asked=working).reason is R.INSTRUMENT_TAKEN  # the next one may be its own
    world.plan(**second)


@pytest.mark.parametrize(
    ("distance", "words"), [(0.0, "no stop"), (-1.0, "wrong side"), (50.0, "liquidation")]
)
def test_invalid_stop(world: World, distance: float, words: str) -> None:
    refused = world.refusal(distance=distance, atr=0.0)
    assert refused.reason is R.INVALID_STOP
    assert words in refused.detail


def test_signal_without_a_stop_gets_the_planned_one(world: World) -> None:
    plan = world.plan(distance=0.0, atr=2.0)
    assert plan.stop_price == 97.6
    assert plan.signal.exits.stop_distance == pytest.approx(2.4)


def test_no_risk_left_when_the_cap_leaves_less_than_half_the_floor(world: World) -> None:
    world.enter(distance=2.0)
    world.enter(ETH, side=SHORT, distance=0.2)
    refused = world.refusal(SOL, side=LONG, distance=0.4)
    assert refused.reason is R.NO_RISK_LEFT
    assert "half of min_r_pct_floor 0.25" in refused.detail
    assert "of max_portfolio_r_pct 1.5" in refused.detail  # not even the plain cap leaves enough


def test_no_risk_left_names_the_effective_cap_when_only_that_is_used_up(world: World) -> None:
    world.enter(distance=2.0)
    refused = world.refusal(ETH, side=LONG, distance=0.4)
    assert refused.reason is R.NO_RISK_LEFT
    assert "effective cap 0.7500" in refused.detail


def test_no_risk_left_when_rounding_leaves_less_than_half_the_floor() -> None:
    world = World(equity=1_000.0, instrument_rules={BTC: rules(size_digits=0, step=1.0, min_quantity=1.0)})
    world.step()
    refused = world.refusal(distance=1.0, confidence=0.5, asked={"daily_volatility": 0.2})
    assert refused.reason is R.NO_RISK_LEFT
    assert "rounding to the step" in refused.detail


def test_cost_too_high(world: World) -> None:
    refused = world.refusal(distance=0.2)
    assert refused.reason is R.COST_TOO_HIGH
    assert "> max_cost_r 0.35" in refused.detail
    assert isinstance(world.decide(world.signal(distance=0.35, style=EntryStyle.POST_ONLY)), TradePlan)


def test_bar_without_volume_costs_too_much(world: World) -> None:
    world.step(volume=0.0)
    assert world.refusal().reason is R.COST_TOO_HIGH


def test_funding_to_be_paid_counts_in_the_cost_gate(world: World) -> None:
    world.step(funding=(Funding(BTC, world.ts, 0.003),))
    assert "funding 0.9" in world.refusal(time_stop_bars=None, time_stop_settlements=3).detail
    assert isinstance(world.decide(world.signal(side=SHORT, time_stop_settlements=3)), TradePlan)


def test_small_account_is_below_the_venue_s_minimum() -> None:
    world = World({BTC: 60_000.0}, equity=20.0).step()
    refused = world.refusal(distance=3_000.0)
    assert refused.reason is R.BELOW_MINIMUM
    assert "min_notional_usd 2" in refused.detail


def test_first_refusal_wins_over_everything_later(world: World) -> None:
    bad = world.signal(distance=math.nan)
    everything = {"flags": frozenset({"tool_error", "reconciling"}), "desk": HALTED, "warm": False}
    assert reason_of(world.decide(bad, **everything)) is R.TOOL_ERROR
    everything["flags"] = frozenset({"reconciling"})
    assert reason_of(world.decide(bad, **everything)) is R.INVALID_INPUT
    good = world.signal()
    assert reason_of(world.decide(good, **everything)) is R.RECONCILING
    everything["flags"] = frozenset()
    assert reason_of(world.decide(good, **everything)) is R.KILL_SWITCH


def test_refusal_reserves_nothing(world: World) -> None:
    world.refusal(distance=0.2)
    assert world.desk.books.reservations == {}


def test_no_control_means_no_refusal(world: World) -> None:
    assert first_refusal(None, ()) is None  # type: ignore[arg-type]


def test_signal_is_untouched_by_the_desk(world: World) -> None:
    signal = world.signal()
    answer = world.decide(signal)
    assert isinstance(answer, TradePlan)
    assert answer.signal is signal
    assert isinstance(signal, Signal)
    assert world.ts - signal.ts_event < MINUTE_NS
