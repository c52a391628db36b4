"""The book as a whole: portfolio cap, gross and net exposure, correlated positions, safe mode."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from risk.vocabulary import LONG, SHORT
from strategies.rule import Setup
from tests.fakes.scenario import BO, Scenario, ScenarioRun, scripted, wish
from tests.fakes.scenario_market import Past, Tape

ALIKE = {"*": Past(seed=1)}
CORRELATED, SAFE_MODE, GROSS, NET = "CORRELATED", "SAFE_MODE", "GROSS_EXPOSURE", "NET_EXPOSURE"


def book(
    folder: Path,
    script: dict[tuple[str, int], Setup],
    past: Mapping[str, Past] | None = None,
    bars: int = 9,
    **limits: Any,
) -> ScenarioRun:
    """Play a script on coins that stand still."""
    coins = sorted({coin for coin, _ in script})
    tapes = {coin: Tape().hold(bars) for coin in coins}
    return Scenario(tapes, [scripted(BO, script)], past=past or {}, governance=limits).play(folder)


def used_pct(row: Mapping[str, Any]) -> float:
    return float(row["open_risk_pct"] + row["reserved_risk_pct"])


# --- portfolio cap ----------------------------------------------------------------------------------------


def test_the_portfolio_cap_shrinks_the_trade_that_would_pass_it(tmp_path: Path) -> None:
    run = book(tmp_path, {("SOL", 2): wish(LONG), ("BNB", 4): wish(SHORT)})
    row = run.decision("BNB", 4)
    assert "max_portfolio_r_pct 1.5" in row["clamps"]
    assert row["risk_pct"] < 0.8
    assert 1.499 < used_pct(row) <= 1.5


def test_two_signals_of_one_instant_share_the_room(tmp_path: Path) -> None:
    run = book(tmp_path, {("BNB", 2): wish(LONG), ("SOL", 2): wish(SHORT), ("XRP", 2): wish(LONG)})
    assert run.risk_pct("BNB", 2) == pytest.approx(0.8, abs=3e-4)
    assert run.decision("BNB", 2)["reserved_risk_pct"] == pytest.approx(run.risk_pct("BNB", 2))
    assert run.risk_pct("SOL", 2) == pytest.approx(0.7, abs=3e-4)  # the first is reserved
    assert used_pct(run.decision("SOL", 2)) <= 1.5
    assert run.reason("XRP", 2) == "NO_RISK_LEFT"


# --- exposure ---------------------------------------------------------------------------------------------


def test_gross_exposure_shrinks_a_trade_and_refuses_the_next(tmp_path: Path) -> None:
    script = {("SOL", 2): wish(LONG), ("BNB", 4): wish(SHORT), ("LTC", 6): wish(LONG)}
    run = book(tmp_path, script, max_gross_exposure_pct=100.0, max_portfolio_r_pct=3.0)
    first, second = run.decision("SOL", 2), run.decision("BNB", 4)
    assert first["gross_pct"] == pytest.approx(68.94, abs=0.01)
    assert "max_gross_exposure_pct 100" in second["clamps"]
    assert 99.9 < second["gross_pct"] <= 100.0
    assert run.reason("LTC", 6) == GROSS


def test_net_exposure_shrinks_one_side_and_leaves_the_other_free(tmp_path: Path) -> None:
    tight = wish(LONG, 0.5)  # a notional of 1.23 x equity
    script = {("SOL", 2): tight, ("BNB", 4): tight, ("ETH", 6): tight, ("XRP", 7): wish(SHORT)}
    run = book(tmp_path, script, max_portfolio_r_pct=3.0)
    second, third, other_side = run.decision("BNB", 4), run.decision("ETH", 6), run.decision("XRP", 7)
    assert "max_net_exposure_pct 150" in second["clamps"]
    assert 149.9 < second["net_pct"] <= 150.0
    assert third["reason"] == NET
    assert other_side["approved"]
    assert other_side["net_pct"] < 100.0
    assert other_side["gross_pct"] == pytest.approx(150.0 + 68.9, abs=0.3)


# --- correlated positions ---------------------------------------------------------------------------------


def test_a_third_position_of_the_same_kind_is_refused_and_a_hedge_is_not(tmp_path: Path) -> None:
    script = {("SOL", 2): wish(LONG), ("BNB", 3): wish(LONG), ("LTC", 4): wish(LONG), ("ETH", 5): wish(SHORT)}
    run = book(tmp_path, script, ALIKE, per_trade_r_pct_base=0.3)
    assert run.reason("LTC", 4) == CORRELATED
    assert "long BNB-USDT.TEST" in run.decision("LTC", 4)["detail"]
    assert "long SOL-USDT.TEST" in run.decision("LTC", 4)["detail"]
    assert run.decision("ETH", 5)["approved"]


def test_positions_that_have_nothing_in_common_are_not_counted(tmp_path: Path) -> None:
    script = {("SOL", 2): wish(LONG), ("BNB", 3): wish(LONG), ("LTC", 4): wish(LONG)}
    run = book(tmp_path, script, per_trade_r_pct_base=0.3)
    assert all(run.decision(coin, k)["approved"] for coin, k in script)
    assert not run.rows("safe_mode")


def test_an_unknown_correlation_counts_as_one_on_one_side_and_as_none_on_the_other(
    tmp_path: Path,
) -> None:
    still = {"*": Past(size=0.0)}  # prices that never moved have no correlation
    script = {("SOL", 2): wish(LONG), ("BNB", 3): wish(LONG), ("LTC", 4): wish(SHORT)}
    run = book(tmp_path, script, still, per_trade_r_pct_base=0.3)
    on, *_ = run.rows("safe_mode")
    assert (run.bar(on.ts_event), on.active, on.largest) == (3, True, 1.0)
    assert run.decision("LTC", 4)["effective_cap_pct"] == on.effective_cap_pct == 0.75
    assert all(set(row.pair) == {"SOL-USDT.TEST", "BNB-USDT.TEST"} for row in run.rows("safe_mode"))


# --- safe mode --------------------------------------------------------------------------------------------


def test_safe_mode_reduces_the_cap_by_the_correlation(tmp_path: Path) -> None:
    past = {"SOL": Past(seed=1), "BNB": Past(seed=2, of=1, rho=0.70)}
    run = book(tmp_path, {("SOL", 2): wish(LONG), ("BNB", 4): wish(LONG)}, past)
    on = run.rows("safe_mode")[0]
    assert (run.bar(on.ts_event), on.active, on.pair) == (4, True, ("SOL-USDT.TEST", "BNB-USDT.TEST"))
    assert 0.65 < on.largest < 0.825
    cap = 1.5 * (1.0 - (on.largest - 0.65) / 0.35)
    assert on.effective_cap_pct == pytest.approx(cap)
    row = run.decision("BNB", 4)
    assert f"effective cap {cap:.4f}" in row["clamps"]
    assert cap - 2e-3 < used_pct(row) <= cap


def test_safe_mode_changes_with_each_position_and_ends_with_the_last_pair(tmp_path: Path) -> None:
    past = {"SOL": Past(seed=1), "BNB": Past(seed=2, of=1, rho=0.74), "LTC": Past(seed=1)}
    script = {
        ("SOL", 2): wish(LONG, time_stop_bars=8),
        ("BNB", 3): wish(LONG, time_stop_bars=3),
        ("LTC", 5): wish(LONG, time_stop_bars=3),
    }
    run = book(tmp_path, script, past, bars=12, per_trade_r_pct_base=0.25, max_high_corr_positions=3)
    rows = run.rows("safe_mode")
    assert [(run.bar(row.ts_event), row.active) for row in rows] == [
        (3, True),
        (5, True),
        (5, True),
        (8, False),
    ]
    first, refreshed, whole, off = rows
    assert 0.65 < first.largest < 0.825
    assert refreshed.largest == pytest.approx(first.largest, abs=0.01)  # measured again after half an hour
    assert (whole.largest, whole.pair) == (1.0, ("SOL-USDT.TEST", "LTC-USDT.TEST"))
    assert whole.effective_cap_pct == 0.75  # never below half
    assert (off.effective_cap_pct, run.rows("equity")[-1].effective_cap_pct) == (1.5, 1.5)


def test_safe_mode_ends_when_the_correlation_falls_without_any_trade(tmp_path: Path) -> None:
    # Alike until the start; then one coin swings in even bars and the other in odd ones.
    swings = {"SOL": Tape().hold(4), "BNB": Tape().hold(4)}
    for k in range(26):
        swings["SOL"].to(100.1 if k % 4 < 2 else 99.9)
        swings["BNB"].to(100.1 if (k + 1) % 4 < 2 else 99.9)
    script = {("SOL", 2): wish(LONG), ("BNB", 3): wish(LONG)}
    limits = {"per_trade_r_pct_base": 0.3, "correlation_window_bars": 20}
    run = Scenario(swings, [scripted(BO, script)], past=ALIKE, governance=limits).play(tmp_path)
    on, *_, off = run.rows("safe_mode")
    assert (run.bar(on.ts_event), on.active) == (3, True)
    assert on.largest > 0.99
    assert not off.active
    assert off.largest < 0.65
    assert not run.rows("fills", ts_event=off.ts_event)
    assert run.bar(off.ts_event) % 2 == run.bar(on.ts_event) % 2  # refreshed each 1,800 s of desk time
    assert len(run.desk.risk_desk.books.positions) == 2


def test_safe_mode_block_refuses_the_second_of_a_pair_and_lets_a_hedge_pass(tmp_path: Path) -> None:
    script = {("SOL", 2): wish(LONG), ("BNB", 3): wish(LONG), ("LTC", 4): wish(SHORT)}
    run = book(tmp_path, script, ALIKE, safe_mode_action="block")
    assert run.reason("BNB", 3) == SAFE_MODE
    assert run.risk_pct("LTC", 4) == pytest.approx(1.5 - used_pct(run.decision("SOL", 2)), abs=0.06)
    assert not run.rows("safe_mode")
