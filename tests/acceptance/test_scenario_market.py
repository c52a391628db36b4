"""What the market must be like for an entry: quotes, liquidity, slippage, fresh bars, costs, the venue's
minimum; each limit just kept and just passed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from risk.vocabulary import LONG, SHORT, EntryStyle
from strategies.rule import Setup
from tests.fakes.scenario import BO, VE, Scenario, ScenarioRun, scripted, wish
from tests.fakes.scenario_market import Past, Tape

STILL = {"*": Past(size=0.0)}  # 24 hours at 100: 96 bars x 5,000 coins = 48,000,000 USDT


def one(folder: Path, setup: Setup, bar: int = 2, tape: Tape | None = None, **changes: object) -> ScenarioRun:
    """Play one signal of breakout_4h in SOL."""
    rules = scripted(BO, {("SOL", bar): setup})
    return Scenario({"SOL": tape or Tape().hold(bar + 2)}, [rules], **changes).play(folder)  # type: ignore[arg-type]


# --- quotes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("half", "reason"), [(0.0749, ""), (0.0751, "SPREAD_TOO_WIDE")])
def test_a_spread_is_allowed_up_to_its_limit(half: float, reason: str, tmp_path: Path) -> None:
    run = one(tmp_path, wish(LONG, 2.0), quotes={"SOL": {2: (100.0 - half, 100.0 + half)}})
    row = run.decision("SOL", 2)
    assert row["reason"] == reason
    if not reason:  # half the quoted spread, 1 bp of latency, 10 bps x sqrt(notional / bar volume)
        expected = 100 * half + 1.0 + 10.0 * (row["notional_usd"] / 500_000) ** 0.5
        assert row["expected_slippage_bps"] == pytest.approx(expected, abs=1e-3)


def test_quotes_older_than_a_bar_do_not_count(tmp_path: Path) -> None:
    wide = (99.85, 100.15)
    fresh = one(tmp_path / "fresh", wish(LONG, 4.0), quotes={"SOL": {1: wide}})
    old = one(tmp_path / "old", wish(LONG, 4.0), bar=3, quotes={"SOL": {1: wide}})
    assert fresh.reason("SOL", 2) == "SPREAD_TOO_WIDE"
    assert old.reason("SOL", 3) == ""


def test_a_refusal_by_execution_gives_the_reserved_risk_back_in_the_same_instant(tmp_path: Path) -> None:
    script = {("BNB", 2): wish(LONG, 2.0), ("SOL", 2): wish(SHORT, 2.0)}
    tapes = {"BNB": Tape().hold(4), "SOL": Tape().hold(4)}
    quotes = {"BNB": {2: (99.9, 100.1)}}
    run = Scenario(tapes, [scripted(BO, script)], quotes=quotes).play(tmp_path)
    assert run.reason("BNB", 2) == "SPREAD_TOO_WIDE"
    row = run.decision("SOL", 2)
    assert row["reserved_risk_pct"] == pytest.approx(row["risk_pct"])
    assert row["risk_pct"] == pytest.approx(0.8, abs=1e-3)


# --- liquidity and slippage -------------------------------------------------------------------------------


@pytest.mark.parametrize(("minimum", "reason"), [(48_000_000, ""), (48_000_001, "ILLIQUID")])
def test_the_volume_of_24_hours_must_reach_its_minimum(minimum: float, reason: str, tmp_path: Path) -> None:
    run = one(tmp_path, wish(LONG), past=STILL, symbols={"min_liquidity_usd": minimum})
    assert run.reason("SOL", 2) == reason


def test_a_bar_too_thin_for_the_smallest_order_is_illiquid(tmp_path: Path) -> None:
    run = one(tmp_path, wish(LONG, 10.0), tape=Tape(volume=0.9).hold(4))
    assert run.reason("SOL", 2) == "ILLIQUID"
    assert "max_bar_volume_fraction 0.02 of bar volume 0.9" in run.decision("SOL", 2)["detail"]


@pytest.mark.parametrize(("volume", "reason"), [(12.0, ""), (8.0, "SLIPPAGE_TOO_HIGH")])
def test_slippage_grows_with_the_share_of_the_bar_and_is_limited(
    volume: float, reason: str, tmp_path: Path
) -> None:
    limits = {"max_bar_volume_fraction": 1.0}
    run = one(tmp_path, wish(LONG, 5.0), tape=Tape(volume=volume).hold(6), governance=limits)
    row = run.decision("SOL", 2)
    assert row["reason"] == reason
    if reason:
        assert "> max_slippage_bps 15" in row["detail"]
    else:
        impact = 10.0 * (row["notional_usd"] / (100 * volume)) ** 0.5
        assert row["expected_slippage_bps"] == pytest.approx(0.75 + 1.0 + impact, abs=1e-6)
        assert row["expected_slippage_bps"] > 12.0


# --- fresh data and warm-up -------------------------------------------------------------------------------


@pytest.mark.parametrize(("last", "reason"), [(13, ""), (12, "STALE_DATA")])
def test_the_newest_bar_may_be_three_of_its_lengths_old(last: int, reason: str, tmp_path: Path) -> None:
    # The 4h bar closes at bar 16 with what there was of it, while another coin keeps the clock going.
    tapes = {"SOL": Tape().hold(last).silent(16 - last).hold(1), "BNB": Tape().hold(17)}
    run = Scenario(tapes, [scripted(BO, {("SOL", 16): wish(LONG)}, minutes=240)]).play(tmp_path)
    assert run.reason("SOL", 16) == reason


def test_signals_wait_for_the_751st_hour(tmp_path: Path) -> None:
    script = {("SOL", 3): wish(LONG), ("SOL", 4): wish(LONG)}
    past = {"SOL": Past(hours=750)}
    run = Scenario({"SOL": Tape().hold(6)}, [scripted(BO, script)], past=past).play(tmp_path)
    assert run.reasons("SOL", 3, 4) == ["NOT_WARM", ""]
    assert [bar for bar, _ in run.labels("SOL")] == [4]


# --- costs ------------------------------------------------------------------------------------------------


def test_the_cost_gate_is_inclusive(tmp_path: Path) -> None:
    free = one(tmp_path / "free", wish(LONG, 0.5))
    cost = free.decision("SOL", 2)["cost_r"]
    assert 0.25 < cost < 0.35
    at_limit = one(tmp_path / "at", wish(LONG, 0.5), governance={"max_cost_r": cost})
    above = one(tmp_path / "above", wish(LONG, 0.5), governance={"max_cost_r": cost - 1e-9})
    assert at_limit.reason("SOL", 2) == ""
    assert above.reason("SOL", 2) == "COST_TOO_HIGH"
    assert f"costs {cost:.3f} R" in above.decision("SOL", 2)["detail"]


def test_a_resting_entry_passes_where_a_market_entry_costs_too_much(tmp_path: Path) -> None:
    market = one(tmp_path / "market", wish(LONG, 0.4))
    resting = one(tmp_path / "resting", wish(LONG, 0.4, style=EntryStyle.POST_ONLY))
    assert market.reason("SOL", 2) == "COST_TOO_HIGH"
    assert resting.reason("SOL", 2) == ""
    row = resting.decision("SOL", 2)
    # 2 bps maker + 5 bps taker + slippage of the exit, over a stop of 40 bps
    assert row["cost_r"] == pytest.approx(0.25, abs=0.02)
    assert row["expected_slippage_bps"] == 0.0


@pytest.mark.parametrize(("side", "reason"), [(LONG, "COST_TOO_HIGH"), (SHORT, "")])
def test_expected_funding_is_a_cost_to_who_pays_it_only(side: int, reason: str, tmp_path: Path) -> None:
    setup = wish(side, time_stop_settlements=3)
    run = one(tmp_path, setup, funding={"SOL": {0: 0.001}})
    assert run.reason("SOL", 2) == reason
    if reason:
        assert "funding 0.3)" in run.decision("SOL", 2)["detail"]  # 3 x 0.1 % of 100


# --- the venue and the stop -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coin", "price", "distance", "equity", "reason"),
    [
        ("BTC", 60_000.0, 1_800.0, 20.0, "BELOW_MINIMUM"),  # 0.16 USDT of risk: 0.00008 coins of 0.0001
        ("BTC", 60_000.0, 600.0, 20.0, ""),
        ("SOL", 100.0, 10.0, 20.0, "BELOW_MINIMUM"),  # 1.5 USDT of the 2 the venue wants
        ("SOL", 100.0, 5.0, 20.0, ""),
    ],
)
def test_what_the_venue_does_not_take_is_not_rounded_up(
    coin: str, price: float, distance: float, equity: float, reason: str, tmp_path: Path
) -> None:
    setup = wish(LONG, distance, atr=0.02 * price)
    tapes = {coin: Tape(price).hold(4)}
    run = Scenario(tapes, [scripted(BO, {(coin, 2): setup})], equity=equity).play(tmp_path)
    row = run.decision(coin, 2)
    assert row["reason"] == reason
    if not reason:
        assert row["risk_pct"] <= 0.8
        assert row["quantity"] * price >= 2.0


@pytest.mark.parametrize(
    ("side", "distance", "words"),
    [
        (LONG, -1.0, "on the wrong side"),
        (SHORT, -1.0, "on the wrong side"),
        (LONG, 34.0, "beyond the liquidation price"),
        (SHORT, 34.0, "beyond the liquidation price"),
        (LONG, 100.0, "<= 0"),
    ],
)
def test_a_stop_that_cannot_protect_is_refused(
    side: int, distance: float, words: str, tmp_path: Path
) -> None:
    run = one(tmp_path, wish(side, distance))
    assert run.reason("SOL", 2) == "INVALID_STOP"
    assert words in run.decision("SOL", 2)["detail"]


def test_a_signal_without_a_stop_gets_the_planned_one(tmp_path: Path) -> None:
    tape = Tape().hold(3).to(104.0, 106.0).hold(2)
    run = one(tmp_path, wish(LONG, 0.0, atr=2.0), tape=tape)
    assert run.decision("SOL", 2)["stop_price"] == 97.6  # 1.2 ATR
    assert run.steps("SOL", "stop")[0][3] == 97.6
    trade = run.trade("SOL")
    assert (trade.exit_reason, trade.exit_price) == ("target_1", 105.0)  # 2.5 ATR, all of it


# --- another strategy on the same coin --------------------------------------------------------------------


def test_a_pending_entry_opposes_too_and_the_same_side_may_be_shared(tmp_path: Path) -> None:
    resting = wish(LONG, style=EntryStyle.POST_ONLY)
    rules = [
        scripted(BO, {("SOL", 2): resting}),
        scripted(VE, {("SOL", 2): wish(SHORT), ("SOL", 4): wish(LONG)}),
    ]
    tape = Tape().hold(2).to(99.9).hold(4)
    run = Scenario({"SOL": tape}, rules, governance={"per_trade_r_pct_base": 0.4}).play(tmp_path)
    assert run.reason("SOL", 2, VE) == "OPPOSING_POSITION"
    row = run.decision("SOL", 4, VE)
    assert row["effective_cap_pct"] == 0.75  # the same coin twice is a correlation of 1
    assert 0.745 < row["open_risk_pct"] + row["reserved_risk_pct"] <= 0.75
    assert len(run.desk.risk_desk.books.positions) == 2
