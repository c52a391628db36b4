"""The summary of a run: parts that must add up, and a run in which nothing happened."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from crupto_nautilus.reports.benchmark import benchmark_columns, buy_and_hold
from crupto_nautilus.reports.ledger import Ledger, rebuild
from crupto_nautilus.reports.metrics import exit_kinds, summarise
from crupto_nautilus.reports.run_folder import RunFolder
from risk.vocabulary import DAY_NS, HOUR_NS, Fill, FundingPaid
from tests.fakes.runs import make_run
from tests.fakes.tiny_desk import TinyDesk


@pytest.fixture(scope="module")
def summary(made_run: RunFolder) -> dict:
    return summarise(made_run)


def test_gross_minus_costs_plus_open_is_the_change_of_equity(summary: dict) -> None:
    closed = summary["closed"]
    costs = closed["fees_usd"] + closed["slippage_usd"]
    net = closed["gross_usd"] - costs + closed["funding_usd"] + closed["liquidation_usd"]
    assert net == pytest.approx(closed["net_usd"], abs=1e-6)
    assert net + summary["open_usd"] == pytest.approx(summary["pnl_usd"], abs=1e-6)


@pytest.mark.parametrize("group", ["strategies", "instruments"])
def test_groups_add_up_to_the_whole(summary: dict, group: str) -> None:
    rows = summary[group].values()
    for name in ("trades", "signals", "approved", "refused"):
        assert sum(row[name] for row in rows) == summary[name]
    for name in ("gross_usd", "fees_usd", "net_usd"):
        assert sum(row[name] for row in rows) == pytest.approx(summary["closed"][name])


def test_exits_of_a_strategy_add_up_and_market_exits_carry_their_reason(summary: dict) -> None:
    for name, kinds in summary["exits"].items():
        assert sum(row["trades"] for row in kinds.values()) == summary["strategies"][name]["trades"]
    kinds = {kind for rows in summary["exits"].values() for kind in rows}
    assert {"stop", "target_2", "time_stop", "kill_switch"} <= kinds
    assert "exit" not in kinds


def test_refusals_are_counted_by_reason(summary: dict, made_run: RunFolder) -> None:
    assert sum(summary["refused_by_reason"].values()) == summary["refused"]
    assert summary["signals"] == summary["approved"] + summary["refused"] == len(made_run.table("signals"))


def test_regime_shares_fill_the_window(summary: dict) -> None:
    for shares in summary["regimes"].values():
        assert sum(shares.values()) == pytest.approx(100.0)


def test_months_compound_to_the_result(summary: dict) -> None:
    whole = np.prod([1 + value / 100 for value in summary["monthly_pct"].values()])
    assert 100 * (whole - 1) == pytest.approx(summary["pnl_pct"])


def test_coverage_counts_missing_settlements(summary: dict) -> None:
    # Two instruments have all 48 of 16 days, one has 48 of 78.
    assert summary["funding_coverage_pct"] == pytest.approx(100 * 144 / 174)
    assert summary["instruments"]["SOLUSDT-PERP.BINANCE"]["funding_coverage_pct"] == pytest.approx(
        100 * 48 / 78
    )


def test_summary_is_plain_json(summary: dict) -> None:
    assert json.loads(json.dumps(summary, allow_nan=False))["trades"] == summary["trades"]


def test_run_in_which_nothing_happened_has_nulls_and_no_zeros_for_what_is_not_defined(tmp_path: Path) -> None:
    found = summarise(make_run(tmp_path, desk=TinyDesk(days=3, signal_rate=0.0)))
    undefined = ("sharpe", "sortino", "profit_factor", "win_rate_pct", "mean_r", "avg_win_r")
    assert [found[name] for name in undefined] == [None] * len(undefined)
    assert (found["pnl_usd"], found["trades"], found["exposure_pct"]) == (0.0, 0, 0.0)
    assert found["verdict"]["code"] == "no_trades"


def test_run_without_costs_is_not_comparable(made_run: RunFolder, tmp_path: Path) -> None:
    found = summarise(make_run(tmp_path, desk=TinyDesk(days=12), costs="off"))
    assert not found["comparable"]
    assert found["verdict"]["code"] in ("not_comparable", "too_few")


def test_rebuilt_trades_are_those_of_the_desk(made_run: RunFolder) -> None:
    trades = made_run.table("trades")
    closed = rebuild(made_run).closed
    assert len(closed) == len(trades) == len(exit_kinds(made_run))
    assert sum(p.net_usd for p in closed) == pytest.approx(trades["net_usd"].sum(), abs=1e-6)


def _fill(role: str, side: int, quantity: float, price: float) -> Fill:
    return Fill(1, 1, "t", "s", "i", "c", role, side, quantity, price, 0.1, 0.0, False)


def test_ledger_averages_slices_and_realises_the_part_that_is_closed() -> None:
    ledger = Ledger(100.0, {"i": 1.0})
    for fill in (_fill("entry", 1, 1, 10.0), _fill("entry", 1, 3, 12.0), _fill("target_1", -1, 2, 14.0)):
        ledger.apply_fill(fill)
    (position,) = ledger.open.values()
    assert (position.quantity, position.average_price) == (2.0, 11.5)
    assert ledger.balance == pytest.approx(100 + 5.0 - 0.3)


def test_ledger_keeps_what_cannot_be_booked() -> None:
    ledger = Ledger(100.0, {"i": 1.0})
    ledger.apply_fill(_fill("stop", -1, 1, 10.0))
    ledger.apply_fill(_fill("entry", 1, 1, 10.0))
    ledger.apply_fill(_fill("stop", -1, 2, 10.0))
    ledger.apply_fill(_fill("entry", -1, 1, 10.0))
    ledger.apply_funding(FundingPaid(1, "t", "s", "i", 1, 1.0, 10.0, 0.01, 0.1))
    ledger.apply_funding(FundingPaid(1, "other", "s", "i", 1, 1.0, 10.0, 0.01, -0.1))
    assert len(ledger.problems) == 5


def test_ledger_takes_a_row_of_the_venue_s_account_as_it_is_and_knows_a_late_one() -> None:
    ledger = Ledger(100.0, {"i": 1.0})
    nan = math.nan
    ledger.apply_fill(_fill("entry", 1, 2, 10.0))
    ledger.apply_funding(FundingPaid(1, "t", "s", "i", 1, 2.0, nan, nan, -0.5, HOUR_NS))
    assert next(iter(ledger.open.values())).funding_usd == -0.5
    ledger.apply_fill(_fill("stop", -1, 2, 10.0))
    before = ledger.balance
    ledger.apply_funding(FundingPaid(3, "t", "s", "i", 1, 2.0, nan, nan, -0.25, HOUR_NS))
    assert (ledger.balance, ledger.late_funding_usd) == (before - 0.25, -0.25)
    assert ledger.problems == []
    ledger.apply_funding(FundingPaid(3, "unheard", "s", "i", 1, 2.0, nan, nan, -0.25, HOUR_NS))
    assert ledger.problems == ["unheard: funding without a position"]


def test_benchmark_keeps_first_and_last_close_and_sums_funding_between() -> None:
    ts = np.arange(1, 24 * 800 + 1) * HOUR_NS
    close = np.linspace(100, 200, len(ts))
    funding_ts = np.array([8, 16]) * HOUR_NS
    rows = benchmark_columns("i", ts, close, 0, 800 * DAY_NS, funding=(funding_ts, np.array([0.001, -0.002])))
    assert (rows["close"][0], rows["close"][-1]) == (100.0, 200.0)
    assert len(rows["close"]) == 801  # the first bar and each day's last
    assert sum(rows["funding_per_coin"]) == pytest.approx(0.001 * close[7] - 0.002 * close[15])


def test_benchmark_without_funding_or_bars_says_so() -> None:
    ts = np.array([HOUR_NS, 2 * HOUR_NS])
    rows = benchmark_columns("i", ts, np.array([1.0, 2.0]), 0, DAY_NS)
    assert rows["funding_per_coin"] == [None, None]
    nothing = benchmark_columns("i", ts[:0], np.array([]), 0, DAY_NS, funding=(ts, np.array([0.1, 0.1])))
    assert len(nothing["close"]) == 0


def test_buy_and_hold_is_equal_weights_with_fees_and_funding(made_run: RunFolder, summary: dict) -> None:
    hold = buy_and_hold(made_run)
    assert hold is not None
    frame = made_run.table("benchmark")
    expected = 0.0
    for facts in made_run.facts.instruments:
        rows = frame[frame["instrument"] == facts.instrument]
        first, last = rows["close"].iloc[0], rows["close"].iloc[-1]
        quantity = 100.0 / first
        expected += quantity * (last - first - facts.taker_fee * (first + last))
        expected -= quantity * rows["funding_per_coin"].sum()
    assert hold.equity[-1] == pytest.approx(300 + expected)
    assert summary["benchmark"]["buy_and_hold"]["pnl_usd"] == pytest.approx(expected)
    assert summary["benchmark"]["no_trade"]["pnl_usd"] == 0.0


def test_buy_and_hold_falls_back_to_first_and_last_close_of_the_record(tmp_path: Path) -> None:
    from tests.fakes.runs import tamper

    folder = tamper(make_run(tmp_path, desk=TinyDesk(days=3)), "benchmark", lambda frame: frame.iloc[:0])
    hold = buy_and_hold(folder)
    assert hold is not None
    assert hold.funding_usd is None
    assert len(hold.without_funding) == 3
