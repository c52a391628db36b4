"""Every reason to refuse a signal, each in a run in which it fires: real engine, agents, risk and record.

The table below is complete: the test runs over the enum, so a reason without a scenario fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from risk.vocabulary import LONG, SHORT, RefusalReason
from strategies.rule import Setup
from tests.fakes.scenario import BO, VE, Scenario, break_tool, scripted, wish
from tests.fakes.scenario_market import Past, Tape, at, instrument

CASES: dict[RefusalReason, Callable[[], Case]] = {}


@dataclass(frozen=True)
class Case:
    """A run, the signal in it that is refused, and words of the refusal with its figures."""

    scenario: Scenario
    bar: int
    words: str
    coin: str = "SOL"
    strategy: str = BO


def shows(reason: RefusalReason) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    """Enter a case into the table."""

    def enter(make: Callable[[], Case]) -> Callable[[], Case]:
        assert reason not in CASES
        CASES[reason] = make
        return make

    return enter


def quiet(script: dict[int, Setup], tape: Tape | None = None, **changes: object) -> Scenario:
    """Return a run on one coin, at 100 and standing still unless told otherwise."""
    rules = scripted(BO, {("SOL", k): setup for k, setup in script.items()})
    return Scenario({"SOL": tape or Tape().hold(8)}, [rules], **changes)  # type: ignore[arg-type]


def three_coins(script: dict[tuple[str, int], Setup], **changes: object) -> Scenario:
    """Return a run on three coins that stand still."""
    tapes = {coin: Tape().hold(8) for coin in ("SOL", "BNB", "LTC")}
    return Scenario(tapes, [scripted(BO, script)], **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", list(RefusalReason))
def test_each_reason_refuses_a_signal_in_a_run(reason: RefusalReason, tmp_path: Path) -> None:
    case = CASES[reason]()
    run = case.scenario.play(tmp_path)
    row = run.decision(case.coin, case.bar, case.strategy)
    assert (row["reason"], row["approved"]) == (reason, False), row["detail"]
    assert case.words in row["detail"]
    trace = f"{case.strategy}/{instrument(case.coin)}/{at(case.bar)}"
    assert not run.rows("orders", trace_id=trace)
    assert trace not in run.desk.risk_desk.books.reservations
    written = run.folder.table("decisions").set_index("trace_id").loc[trace]
    assert (written["reason"], written["quantity"]) == (reason, 0.0)
    assert run.desk.monitor.counters[f"Refused.{reason}"] == len(run.rows("decisions", reason=reason))


def test_the_same_signal_is_approved_where_nothing_speaks_against_it(tmp_path: Path) -> None:
    run = quiet({2: wish(LONG)}).play(tmp_path)
    row = run.decision("SOL", 2)
    assert row["approved"]
    assert row["risk_pct"] == pytest.approx(0.8, abs=1e-3)
    # 80 USDT over what a coin loses: 1.00 to the stop, 0.10 fees, and twice the slippage of 8,000 USDT,
    # which is half the spread of 1.5 bps + 1 bp of latency + 10 bps x sqrt(8,000 / 500,000).
    slippage = 100.0 * (0.75 + 1.0 + 10.0 * (8_000 / 500_000) ** 0.5) / 10_000
    assert row["quantity"] == math.floor(100 * 80.0 / (1.0 + 0.10 + 2 * slippage)) / 100


# --- the desk ---------------------------------------------------------------------------------------------


@shows(RefusalReason.TOOL_ERROR)
def a_tool_raises() -> Case:
    scenario = quiet({2: wish(LONG)}, cues={1: break_tool("plan_stops")})
    return Case(scenario, 2, "plan_stops: RuntimeError: planned")


@shows(RefusalReason.INVALID_INPUT)
def a_figure_is_not_a_number() -> Case:
    return Case(quiet({2: wish(LONG, confidence=float("nan"))}), 2, "confidence was nan")


@shows(RefusalReason.RECONCILING)
def something_at_the_venue_is_unexplained() -> Case:
    scenario = quiet({2: wish(LONG)}, cues={1: lambda desk: desk.flags.add("reconciling:unknown order x1")})
    return Case(scenario, 2, "unknown order x1")


@shows(RefusalReason.KILL_SWITCH)
def the_market_gaps_three_percent_through_a_stop() -> Case:
    tape = Tape().hold(3).gap(97.0).hold(4)
    scenario = quiet({2: wish(LONG, 0.5), 6: wish(LONG)}, tape)
    return Case(scenario, 6, "% <= -kill_switch_drawdown_72h 3.5")


@shows(RefusalReason.OPERATOR_HALT)
def an_operator_halts_the_desk() -> Case:
    scenario = quiet(
        {2: wish(LONG)}, cues={1: lambda desk: desk.brain.halt("venue maintenance", flatten=False)}
    )
    return Case(scenario, 2, "venue maintenance")


@shows(RefusalReason.DAILY_LOCK)
def the_market_gaps_two_percent_through_a_stop() -> Case:
    tape = Tape().hold(3).gap(98.3).hold(4)
    scenario = quiet({2: wish(LONG, 0.5), 6: wish(LONG)}, tape)
    return Case(scenario, 6, "% <= -max_daily_loss_pct 1.8")


@shows(RefusalReason.COOLING)
def entries_rest_after_an_unlock() -> Case:
    cues = {
        1: lambda desk: desk.brain.halt("maintenance", flatten=False),
        2: lambda desk: desk.brain.unlock("maintenance is over"),
    }
    return Case(quiet({5: wish(LONG)}, cues=cues), 5, "900 s left of cooling_period_minutes 60")


@shows(RefusalReason.STRATEGY_DISABLED)
def an_operator_switched_the_strategy_off() -> Case:
    return Case(quiet({2: wish(LONG)}, enable_map={"disabled": [BO]}), 2, "disabled in the enable map")


# --- the data ---------------------------------------------------------------------------------------------


@shows(RefusalReason.STALE_DATA)
def the_feed_of_one_coin_fell_silent() -> Case:
    tapes = {"SOL": Tape().hold(1).silent(15), "BNB": Tape().hold(16)}
    scenario = Scenario(tapes, [scripted(BO, {("SOL", 16): wish(LONG)}, minutes=240)])
    return Case(scenario, 16, "newest bar is 225 min old, limit stale_bars 3 x 15 min")


@shows(RefusalReason.NOT_WARM)
def the_history_is_too_short_for_a_regime() -> Case:
    return Case(quiet({2: wish(LONG)}, past={"SOL": Past(hours=100)}), 2, "regime unknown")


# --- selection --------------------------------------------------------------------------------------------


@shows(RefusalReason.REGIME_OFF)
def a_breakout_in_a_quiet_range() -> Case:
    scenario = quiet({2: wish(LONG)}, everything_allowed=False)
    return Case(scenario, 2, "does not allow breakout_4h in range_lowvol")


@shows(RefusalReason.DIRECTION_OFF)
def a_short_breakout_in_a_rising_trend() -> Case:
    scenario = quiet({2: wish(SHORT)}, everything_allowed=False, past={"SOL": Past("up")})
    return Case(scenario, 2, "breakout_4h in trend_up allows long, signal is short")


@shows(RefusalReason.RESTED)
def the_score_is_below_its_minimum() -> Case:
    # Without trades the score is a return minus volatility: nowhere near 1.  It rests 12 bars from the start.
    return Case(quiet({2: wish(LONG)}, enable_map={"min_score": 1.0}), 2, "165 min left")


@shows(RefusalReason.COOLDOWN)
def two_bars_after_an_entry() -> Case:
    return Case(quiet({2: wish(LONG), 4: wish(LONG)}), 4, "15 min left")


# --- the trade --------------------------------------------------------------------------------------------


@shows(RefusalReason.ALREADY_OPEN)
def the_cooldown_is_over_but_the_position_is_there() -> Case:
    return Case(quiet({2: wish(LONG), 6: wish(LONG)}), 6, "breakout_4h is long SOL-USDT.TEST already")


@shows(RefusalReason.OPPOSING_POSITION)
def another_strategy_holds_the_other_side() -> Case:
    rules = [scripted(BO, {("SOL", 2): wish(LONG)}), scripted(VE, {("SOL", 3): wish(SHORT)})]
    scenario = Scenario({"SOL": Tape().hold(5)}, rules)
    return Case(scenario, 3, "breakout_4h is long SOL-USDT.TEST", strategy=VE)


@shows(RefusalReason.INSTRUMENT_TAKEN)
def another_strategy_is_on_the_same_side_of_a_netted_account() -> Case:
    rules = [scripted(BO, {("SOL", 2): wish(LONG)}), scripted(VE, {("SOL", 3): wish(LONG)})]
    scenario = Scenario({"SOL": Tape().hold(5)}, rules, netted=True)
    return Case(
        scenario, 3, "breakout_4h is long SOL-USDT.TEST, or about to be, and the account", strategy=VE
    )


@shows(RefusalReason.INVALID_STOP)
def a_stop_above_the_price_of_a_long() -> Case:
    return Case(quiet({2: wish(LONG, -1.0)}), 2, "stop 101 is on the wrong side of 100 for a long")


@shows(RefusalReason.NO_RISK_LEFT)
def two_positions_use_the_whole_risk() -> Case:
    script = {("SOL", 2): wish(LONG), ("BNB", 3): wish(SHORT), ("LTC", 4): wish(LONG)}
    return Case(three_coins(script), 4, "< half of min_r_pct_floor 0.25", coin="LTC")


@shows(RefusalReason.COST_TOO_HIGH)
def a_stop_of_twenty_basis_points() -> Case:
    return Case(quiet({2: wish(LONG, 0.2)}), 2, "R > max_cost_r 0.35")


@shows(RefusalReason.BELOW_MINIMUM)
def twenty_dollars_do_not_buy_a_step_of_bitcoin() -> Case:
    setup = wish(LONG, 1_800.0, atr=1_200.0)
    scenario = Scenario({"BTC": Tape(60_000.0).hold(3)}, [scripted(BO, {("BTC", 2): setup})], equity=20.0)
    return Case(scenario, 2, "minimum 0.0001 (min_quantity 0.0001, step 0.0001", coin="BTC")


@shows(RefusalReason.PER_TRADE_CAP)
def confidence_asks_for_more_than_a_trade_may_risk() -> Case:
    scenario = quiet({2: wish(LONG, confidence=1.5)}, governance={"shrink_to_fit": False})
    return Case(scenario, 2, "risk 1.2000 % > max_per_trade_r_pct 1.1")


@shows(RefusalReason.PORTFOLIO_CAP)
def a_second_trade_does_not_fit_under_the_cap() -> Case:
    script = {("SOL", 2): wish(LONG), ("BNB", 3): wish(SHORT)}
    return Case(three_coins(script, governance={"shrink_to_fit": False}), 3, "max_portfolio_r_pct 1.5", "BNB")


@shows(RefusalReason.GROSS_EXPOSURE)
def a_notional_above_the_gross_limit() -> Case:
    limits = {"shrink_to_fit": False, "max_gross_exposure_pct": 60}
    return Case(quiet({2: wish(LONG)}, governance=limits), 2, "> max_gross_exposure_pct 60")


@shows(RefusalReason.NET_EXPOSURE)
def a_notional_above_the_net_limit() -> Case:
    limits = {"shrink_to_fit": False, "max_net_exposure_pct": 60}
    return Case(quiet({2: wish(LONG)}, governance=limits), 2, "> max_net_exposure_pct 60")


@shows(RefusalReason.CORRELATED)
def a_third_position_of_the_same_kind() -> Case:
    script = {("SOL", 2): wish(LONG), ("BNB", 3): wish(LONG), ("LTC", 4): wish(LONG)}
    scenario = three_coins(script, past={"*": Past(seed=1)}, governance={"per_trade_r_pct_base": 0.3})
    return Case(scenario, 4, "2 >= max_high_corr_positions 2", coin="LTC")


@shows(RefusalReason.SAFE_MODE)
def safe_mode_blocks() -> Case:
    script = {("SOL", 2): wish(LONG), ("BNB", 3): wish(LONG)}
    scenario = three_coins(script, past={"*": Past(seed=1)}, governance={"safe_mode_action": "block"})
    return Case(scenario, 3, "1.000 >= max_abs_correlation 0.65 and safe_mode_action is block", coin="BNB")


# --- the ticket -------------------------------------------------------------------------------------------


@shows(RefusalReason.SPREAD_TOO_WIDE)
def quotes_are_twenty_basis_points_apart() -> Case:
    scenario = quiet({2: wish(LONG, 2.0)}, quotes={"SOL": {2: (99.9, 100.1)}})
    return Case(scenario, 2, "spread 0.2000 % > max_spread_pct 0.15")


@shows(RefusalReason.ILLIQUID)
def a_day_of_trading_below_the_minimum() -> Case:
    scenario = quiet({2: wish(LONG)}, symbols={"min_liquidity_usd": 1e9})
    return Case(scenario, 2, "USDT < min_liquidity_usd 1e+09")


@shows(RefusalReason.SLIPPAGE_TOO_HIGH)
def half_the_spread_alone_reaches_the_limit() -> Case:
    scenario = quiet({2: wish(LONG, 2.0)}, symbols={"default_spread_bps": 30})
    return Case(scenario, 2, "bps of")
