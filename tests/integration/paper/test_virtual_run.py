"""Virtual trading in the sandbox: the tag on everything, risk and percentages of the virtual equity."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from crupto_nautilus.reports.run_folder import RunFolder

EQUITY, VIRTUAL = 10_000.0, 500.0


@pytest.fixture(scope="module")
def virtual_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    runs = tmp_path_factory.mktemp("virtual")
    command = [
        sys.executable, "-m", "crupto_nautilus.cli", "paper", "--profile", "vst", "--duration", "8h",
        "--use-mock-feed", "--until", "2025-01-16", "--equity", str(EQUITY), "--out", str(runs),
        "--run-id", "v",
    ]  # fmt: skip
    env = {"VIRTUAL_EQUITY": str(VIRTUAL), "PATH": "/usr/bin:/bin", "HOME": str(runs)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    return RunFolder(runs / "v")


def test_orders_fills_and_trades_carry_the_virtual_asset(virtual_run: RunFolder) -> None:
    for table in ("orders", "fills", "trades"):
        frame = virtual_run.table(table)
        assert len(frame), table
        assert set(frame["virtual_asset"]) == {"VST"}, table


def test_risk_is_measured_on_the_virtual_balance(virtual_run: RunFolder) -> None:
    approved = virtual_run.table("decisions").query("approved")
    assert len(approved)
    # Per trade at most 1.1 % of the virtual equity, which the run's own profit moves a little.
    assert (approved["risk_usd"] <= 0.011 * 1.2 * VIRTUAL).all()
    assert (approved["risk_equity"] < 1.2 * VIRTUAL).all()
    assert (approved["equity"] > 0.9 * EQUITY).all()


def test_percentages_of_the_report_are_of_the_virtual_equity(virtual_run: RunFolder) -> None:
    summary = virtual_run.read_json("summary.json")
    assert (summary["equity_start"], summary["venue_equity_start"]) == (VIRTUAL, EQUITY)
    assert summary["pnl_pct"] == pytest.approx(100.0 * summary["pnl_usd"] / VIRTUAL)
    equity = virtual_run.table("equity")["equity"]
    assert summary["pnl_usd"] == pytest.approx(equity.iloc[-1] - EQUITY)
    curve = [VIRTUAL, *(equity - EQUITY + VIRTUAL)]
    peak, worst = curve[0], 0.0
    for value in curve:
        peak = max(peak, value)
        worst = min(worst, 100.0 * (value / peak - 1.0))
    assert worst < -0.5
    assert summary["max_drawdown_pct"] == pytest.approx(worst)


def test_virtual_summary_counts_what_the_tables_hold(virtual_run: RunFolder) -> None:
    page = (virtual_run.path / "virtual_summary.md").read_text()
    orders, trades = virtual_run.table("orders"), virtual_run.table("trades")
    assert f"{(orders['action'] == 'submit').sum()} orders sent" in page
    assert f"| closed trades | {len(trades)} |" in page
    assert re.search(rf"\| virtual equity \| {VIRTUAL:.2f} to \d", page)
    states = virtual_run.table("states")
    for reason in set(states["reason"]) - {""}:
        assert reason in page
    assert "## Limits touched" in page
