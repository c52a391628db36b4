"""What a trade may risk: bonus, losing streak, volatility, confidence, leverage; each where it bites."""

from __future__ import annotations

from pathlib import Path

import pytest

from risk.vocabulary import LONG, SHORT
from tests.fakes.scenario import BO, Scenario, ScenarioRun, scripted, wish
from tests.fakes.scenario_market import Past, Tape, instrument

STEP_PCT = 2e-4  # 0.01 coins of 1.16 USDT risk, percent of 10,000


def near(value: float, below: float = STEP_PCT) -> object:
    """Match a risk that was rounded down to a step."""
    return pytest.approx(value - below / 2, abs=below / 2 + 1e-9)


def winning(bars: int) -> Tape:
    """Return a market that jumps from 100 to 101.2 at bar 4."""
    return Tape().hold(3).to(101.2).hold(bars - 4)


def falling(at_bar: int, bars: int) -> Tape:
    """Return a market that falls from 100 to 98.9 at a bar."""
    return Tape().hold(at_bar - 1).to(98.9).hold(bars - at_bar)


# --- bonus ------------------------------------------------------------------------------------------------


def good_day(folder: Path, **limits: float) -> ScenarioRun:
    """Win 0.6 % in SOL at bar 4, then enter BNB that day, LTC on the next."""
    script = {
        ("SOL", 2): wish(LONG, targets_r=(1.0,)),
        ("BNB", 6): wish(LONG, time_stop_bars=4),
        ("LTC", 97): wish(LONG),
    }
    tapes = {"SOL": winning(98), "BNB": Tape().hold(98), "LTC": Tape().hold(98)}
    return Scenario(tapes, [scripted(BO, script)], governance=limits).play(folder)


def test_a_good_day_adds_the_bonus_until_the_day_is_over(tmp_path: Path) -> None:
    run = good_day(tmp_path)
    assert run.trade("SOL").net_usd > 50.0
    assert run.risk_pct("SOL", 2) == near(0.8)
    assert run.risk_pct("BNB", 6) == near(1.1)
    assert run.risk_pct("LTC", 97) == near(0.8)


def test_the_threshold_of_the_bonus_is_inclusive(tmp_path: Path) -> None:
    free = good_day(tmp_path / "free")
    (gain,) = {p.daily_pnl_pct for p in free.rows("equity") if free.bar(p.ts_event) == 5}
    at_threshold = good_day(tmp_path / "at", risk_bonus_threshold_pct=gain)
    below = good_day(tmp_path / "below", risk_bonus_threshold_pct=gain + 1e-9)
    assert at_threshold.risk_pct("BNB", 6) == near(1.1)
    assert below.risk_pct("BNB", 6) == near(0.8)


def test_the_bonus_never_lifts_a_trade_above_its_limit(tmp_path: Path) -> None:
    run = good_day(tmp_path, max_per_trade_r_pct=0.9)
    assert run.risk_pct("BNB", 6) == near(0.9)


# --- losing streak ----------------------------------------------------------------------------------------


def streak(folder: Path, **limits: float) -> ScenarioRun:
    """Lose in SOL, BNB and LTC at half size, win in ETH the next day, and enter SOL again."""
    half = wish(LONG, confidence=0.5)
    script = {
        ("SOL", 2): half,
        ("BNB", 5): half,
        ("LTC", 8): half,
        ("ETH", 97): wish(LONG, targets_r=(0.5,)),
        ("SOL", 101): wish(LONG, atr=1.978),
    }
    tapes = {
        "SOL": falling(4, 102),
        "BNB": falling(7, 102),
        "LTC": falling(10, 102),
        "ETH": Tape().hold(98).to(100.6).hold(3),
    }
    return Scenario(tapes, [scripted(BO, script)], governance=limits).play(folder)


def test_each_loss_after_the_first_takes_a_tenth_across_coins_and_days_until_a_win(tmp_path: Path) -> None:
    run = streak(tmp_path)
    assert [t.exit_reason for t in run.rows("trades")] == ["stop", "stop", "stop", "target_2"]
    assert run.risk_pct("SOL", 2) == near(0.4)
    assert run.risk_pct("BNB", 5) == near(0.4)  # one loss is no streak
    assert run.risk_pct("LTC", 8) == near(0.4 * 0.9)
    assert run.risk_pct("ETH", 97) == near(0.8 * 0.8)  # the next day
    assert run.risk_pct("SOL", 101) == near(0.8)


def test_a_streak_takes_at_most_half(tmp_path: Path) -> None:
    run = streak(tmp_path, losing_streak_step=0.4)
    assert run.risk_pct("LTC", 8) == near(0.4 * 0.6)
    assert run.risk_pct("ETH", 97) == near(0.8 * 0.5)


# --- volatility -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "reduced"), [(0.001, False), (0.012, True)])
def test_volatility_of_the_instrument_reduces_the_risk(size: float, reduced: bool, tmp_path: Path) -> None:
    seen: list[float] = []
    run = Scenario(
        {"SOL": Tape().hold(4)},
        [scripted(BO, {("SOL", 2): wish(LONG)})],
        past={"SOL": Past(size=size)},
        cues={2: lambda desk: seen.append(desk.classifiers[instrument("SOL")].daily_volatility or 0.0)},
    ).play(tmp_path)
    (volatility,) = seen
    assert (volatility > 0.04) is reduced
    factor = 1.0 - min(0.5, 0.2 * max(0.0, volatility - 0.04) / 0.04)
    assert run.risk_pct("SOL", 2) == near(0.8 * factor)


def test_volatility_takes_at_most_half_and_the_floor_holds(tmp_path: Path) -> None:
    half = wish(LONG, confidence=0.5)
    script = {("SOL", 2): half, ("BNB", 5): half, ("LTC", 8): wish(LONG), ("ETH", 9): wish(LONG)}
    tapes = {"SOL": falling(4, 10), "BNB": falling(7, 10), "LTC": Tape().hold(10), "ETH": Tape().hold(10)}
    run = Scenario(
        tapes,
        [scripted(BO, script)],
        past={"LTC": Past(size=0.05), "ETH": Past()},
        governance={"losing_streak_step": 0.5},
    ).play(tmp_path)
    assert run.risk_pct("LTC", 8) == near(0.25)  # 0.8 x 0.5 x 0.5 is below the floor
    assert run.risk_pct("ETH", 9) == near(0.8 * 0.5)


# --- size -------------------------------------------------------------------------------------------------


def test_confidence_and_atr_scale_the_risk_up_to_the_limit_of_one_trade(tmp_path: Path) -> None:
    script = {
        ("SOL", 2): wish(SHORT, confidence=1.5),  # 1.2
        ("BNB", 2): wish(LONG, confidence=0.6, atr=4.0),  # 0.8 x 0.6 x 0.7, at least 0.5
        ("LTC", 2): wish(LONG, confidence=0.9, atr=0.5),  # 0.8 x 0.9 x 1.2
    }
    tapes = {coin: Tape().hold(4) for coin in ("SOL", "BNB", "LTC")}
    run = Scenario(tapes, [scripted(BO, script)], governance={"max_portfolio_r_pct": 3.0}).play(tmp_path)
    assert run.risk_pct("SOL", 2) == near(1.1)
    assert "max_per_trade_r_pct" in run.decision("SOL", 2)["clamps"]
    assert run.risk_pct("BNB", 2) == near(0.4)
    assert run.risk_pct("LTC", 2) == near(0.864)


def test_leverage_caps_the_notional(tmp_path: Path) -> None:
    script = {("SOL", 2): wish(LONG, 0.5)}
    run = Scenario({"SOL": Tape().hold(4)}, [scripted(BO, script)], governance={"leverage_cap": 1.0}).play(
        tmp_path
    )
    row = run.decision("SOL", 2)
    assert 9_980.0 < row["notional_usd"] <= 10_000.0
    assert "leverage_cap" in row["clamps"]
    assert row["risk_pct"] < 0.7


def test_virtual_equity_is_what_risk_is_measured_on(tmp_path: Path) -> None:
    env = {"USE_VIRTUAL_TRADING": "true", "VIRTUAL_ASSET": "VST", "VIRTUAL_EQUITY": "300"}
    script = {("SOL", 2): wish(LONG, targets_r=(1.0,))}
    run = Scenario({"SOL": winning(6)}, [scripted(BO, script)], env=env).play(tmp_path)
    row = run.decision("SOL", 2)
    assert row["risk_equity"] == 300.0
    assert row["equity"] == 10_000.0
    assert row["risk_usd"] == near(2.4, below=0.012)
    assert run.trade("SOL").virtual_asset == "VST"
    assert run.desk.risk_desk.risk_equity == pytest.approx(300.0 + run.trade("SOL").net_usd)


def test_a_quantity_is_rounded_down_to_a_step_and_books_what_it_really_risks(tmp_path: Path) -> None:
    setup = wish(LONG, 600.0, atr=1_200.0)
    script = {("BTC", 2): setup}
    run = Scenario({"BTC": Tape(60_000.0).hold(4)}, [scripted(BO, script)], equity=300.0).play(tmp_path)
    row = run.decision("BTC", 2)
    wanted = 2.4 / (row["risk_usd"] / row["quantity"])
    assert row["quantity"] == 0.0035
    assert 0.0035 < wanted < 0.0036
    assert row["risk_pct"] == pytest.approx(0.8 * 0.0035 / wanted)
