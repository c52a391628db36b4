"""The desk trades real history: import, backtest and verification through the command line, then the figures.

Every run must verify, every strategy whose data is there must trade and leave by each of its exits, and the
summary must say what the tables say.  `soak` runs the whole windows at both equities.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crupto_nautilus.reports.run_folder import RunFolder
from risk.vocabulary import RefusalReason
from tests.acceptance.conftest import RUNS, RealRuns, crupto

pytestmark = pytest.mark.data

COINS = {"spot": {"BTC", "ETH", "SOL", "BNB", "XRP"}}
COINS["perps"] = COINS["spot"] | {"ADA", "DOGE", "LINK", "LTC", "TRX"}

STRATEGIES = {
    "spot": {"breakout_4h", "volatility_expansion_15m", "range_reversion_5m"},
    "perps": {"breakout_4h", "funding_reversion"},
}

# How positions of a strategy must have been left; whole windows are long enough for the rarer ways too.
EXITS = {
    "spot": {
        "breakout_4h": {"stop", "target_2"},
        "volatility_expansion_15m": {"stop", "time_stop"},
        "range_reversion_5m": {"stop", "target_1", "time_stop"},
    },
    "perps": {
        "breakout_4h": {"stop", "target_2"},
        "funding_reversion": {"stop", "time_stop", "basis_reverted"},
    },
}
LONG_RUN_EXITS = {
    "spot": {"volatility_expansion_15m": {"trail"}, "range_reversion_5m": {"kill_switch"}},
    "perps": {"breakout_4h": {"time_stop", "kill_switch"}},
}

REFUSALS = {
    "spot": {"REGIME_OFF", "COOLDOWN", "ALREADY_OPEN", "COST_TOO_HIGH", "NO_RISK_LEFT", "OPPOSING_POSITION"},
    "perps": {"REGIME_OFF", "COOLDOWN", "NO_RISK_LEFT", "CORRELATED"},
}

SHORT = ("spot-300", "spot-10000-short", "perps-300-short", "perps-10000-short")
SOAK = ("spot-10000", "perps-300", "perps-10000")
EACH_RUN = pytest.mark.parametrize(
    "name", [*SHORT, *(pytest.param(name, marks=pytest.mark.soak) for name in SOAK)]
)


@pytest.fixture
def kind(name: str) -> str:
    return RUNS[name][0]


@pytest.fixture
def folder(real_runs: RealRuns, name: str) -> RunFolder:
    return real_runs.run(name)


@EACH_RUN
def test_the_run_verifies_through_the_command_line(folder: RunFolder) -> None:
    found = crupto("report", folder.path, "--verify")
    assert found["ok"]
    assert len(found["checks"]) >= 15
    assert all(check["ok"] for check in found["checks"])
    assert (folder.path / "report.html").stat().st_size > 10_000


@EACH_RUN
def test_every_strategy_that_has_its_data_trades(folder: RunFolder, kind: str) -> None:
    summary = folder.read_json("summary.json")
    trading = {name for name, row in summary["strategies"].items() if row["trades"]}
    assert trading == STRATEGIES[kind]
    assert {name.removesuffix("USDT-PERP.BINANCE") for name in summary["instruments"]} == COINS[kind]
    assert all(row["trades"] for row in summary["instruments"].values())


@EACH_RUN
def test_positions_are_left_by_each_exit(folder: RunFolder, name: str, kind: str) -> None:
    exits = folder.read_json("summary.json")["exits"]
    whole = not name.endswith("short")
    for strategy, wanted in EXITS[kind].items():
        extra = LONG_RUN_EXITS[kind].get(strategy, set()) if whole else set()
        assert wanted | extra <= set(exits[strategy]), strategy
        assert sum(row["trades"] for row in exits[strategy].values()) == len(
            folder.table("trades").query("strategy == @strategy")
        )


@EACH_RUN
def test_half_targets_move_the_stop_to_break_even(folder: RunFolder) -> None:
    fills, trades = folder.table("fills"), folder.table("trades")
    halved = set(fills.loc[fills["role"] == "target_1", "trace_id"])
    breakouts = trades[(trades["strategy"] == "breakout_4h") & trades["trace_id"].isin(halved)]
    after = breakouts[breakouts["exit_reason"] == "stop"]
    assert len(after) >= 1
    # Half at 1R, the rest at what the whole entry cost: such a trade wins before funding.
    assert (after["net_usd"] - after["funding_usd"] > 0).all()


@EACH_RUN
def test_books_agree_with_the_account_and_the_figures_are_sane(folder: RunFolder) -> None:
    summary, fills, equity = folder.read_json("summary.json"), folder.table("fills"), folder.table("equity")
    assert summary["equity_start"] == folder.facts.starting_equity
    assert summary["equity_end"] == equity["equity"].iloc[-1]
    assert summary["fees_usd"] == pytest.approx(fills["fee"].sum())
    assert summary["slippage_usd"] == pytest.approx(fills["slippage_usd"].sum())
    assert summary["turnover_usd"] == pytest.approx((fills["quantity"] * fills["price"]).sum())
    parts = summary["closed"]["net_usd"] + summary["open_usd"]
    assert summary["pnl_usd"] == pytest.approx(parts, abs=1e-6)
    assert -100 < summary["max_drawdown_pct"] < 0
    assert 0 < summary["win_rate_pct"] < 100
    assert summary["worst_r"] < summary["mean_r"] < summary["best_r"] < 20
    assert summary["signals"] == summary["approved"] + summary["refused"] == len(folder.table("signals"))
    assert summary["bars_processed"] == sum(i.bars or 0 for i in folder.facts.instruments)


@EACH_RUN
def test_each_fill_is_charged_rate_times_notional_and_its_priced_slippage(folder: RunFolder) -> None:
    fills = folder.table("fills")
    notional = fills["quantity"] * fills["price"]
    rate = np.where(fills["maker"], 0.0002, 0.0005)
    assert (fills["fee"] - notional * rate).abs().max() <= 1e-8
    assert (fills.loc[fills["maker"], "slippage_usd"] == 0).all()
    trades = folder.table("trades")
    # Where one bar passed entry and stop, slippage holds the way from its close back to the stop as well.
    overrun = fills["trace_id"].isin(trades.loc[trades["exit_reason"] == "stop_passed", "trace_id"])
    bps = (10_000 * fills["slippage_usd"] / notional)[~fills["maker"] & ~overrun]
    assert bps.min() > 1.0  # latency and half a spread at least
    assert bps.max() <= 100.0
    assert bps.median() < 15.0
    limit_roles = fills["role"].isin(["target_1", "target_2"])
    assert fills.loc[limit_roles, "maker"].all()
    assert not fills.loc[fills["role"].isin(["stop", "exit"]), "maker"].any()


@EACH_RUN
def test_every_refusal_has_a_reason_of_the_enum_and_its_numbers(
    folder: RunFolder, name: str, kind: str
) -> None:
    summary, decisions = folder.read_json("summary.json"), folder.table("decisions")
    reasons = set(summary["refused_by_reason"])
    assert reasons <= set(RefusalReason)
    assert "TOOL_ERROR" not in reasons
    assert "INVALID_INPUT" not in reasons
    if not name.endswith("short"):
        assert REFUSALS[kind] <= reasons
    refused = decisions[~decisions["approved"]]
    assert (refused["reason"] != "").all()
    numbered = refused[refused["reason"].isin(["COST_TOO_HIGH", "DAILY_LOCK", "KILL_SWITCH", "NET_EXPOSURE"])]
    assert numbered["detail"].str.contains(r"\d").all()
    assert (decisions.loc[decisions["approved"], "reason"] == "").all()


@EACH_RUN
def test_funding_is_booked_where_it_exists_and_its_coverage_is_printed(
    folder: RunFolder, real_runs: RealRuns, kind: str
) -> None:
    summary, paid = folder.read_json("summary.json"), folder.table("funding")
    assert summary["funding_usd"] == pytest.approx(paid["amount_usd"].sum(), abs=1e-9)
    covered = {i.instrument: i.funding_coverage_pct for i in folder.facts.instruments}
    if kind == "spot":
        assert len(paid) == 0
        assert summary["funding_coverage_pct"] == 0.0
        return
    assert summary["funding_usd"] != 0.0
    have = {name for name, share in covered.items() if share}
    assert have <= {f"{coin}USDT-PERP.BINANCE" for coin in ("BTC", "ETH", "SOL", "BNB")}
    assert covered["BTCUSDT-PERP.BINANCE"] > 99.9  # the settlement of the last midnight is not in the file
    assert 0 < summary["funding_coverage_pct"] < 100
    assert set(paid["instrument"]) <= have
    rates = _settled(real_runs, have)
    expected = -paid["side"] * paid["quantity"] * paid["price"] * paid["rate"]
    assert (paid["amount_usd"] - expected).abs().max() <= 1e-8
    for row in paid.itertuples():
        assert rates[row.instrument].loc[row.ts_event] == row.rate


@EACH_RUN
def test_each_settlement_of_a_held_position_is_booked_exactly_once(
    folder: RunFolder, real_runs: RealRuns, kind: str
) -> None:
    if kind == "spot":
        assert len(folder.table("funding")) == 0
        return
    paid, trades = folder.table("funding"), folder.table("trades")
    rates = _settled(real_runs, {i.instrument for i in folder.facts.instruments if i.funding_present})
    expected = []
    for trade in trades[trades["instrument"].isin(list(rates))].itertuples():
        stamps = rates[trade.instrument].index
        # A fill at the moment of a settlement may lie on either side of it; strictly inside it is booked.
        inside = stamps[(stamps > trade.ts_open) & (stamps < trade.ts_event)]
        expected += [(trade.trace_id, ts) for ts in inside]
    booked = list(zip(paid["trace_id"], paid["ts_event"], strict=True))
    assert len(set(booked)) == len(booked)
    assert set(expected) <= set(booked)
    bounds = {t.trace_id: (t.ts_open, t.ts_event) for t in trades.itertuples()}
    for trace, ts in set(booked) - set(expected):
        assert trace not in bounds or ts in bounds[trace]


def _settled(real_runs: RealRuns, instruments: set[str]) -> dict[str, pd.Series]:
    """Return settled rates by whole minute, read from the raw files."""
    rates = {}
    for name in sorted(instruments):
        frame = pd.read_parquet(real_runs.market / "funding" / f"{name}.funding_8h.parquet")
        column = next(c for c in frame.columns if c != "ts_utc")
        minute = 60_000_000_000
        stamps = (frame["ts_utc"] + minute // 2) // minute * minute
        rates[name] = pd.Series(frame[column].to_numpy(), index=stamps.to_numpy())
    return rates


def test_risk_of_300_and_of_10000_dollars_is_the_same_share(real_runs: RealRuns) -> None:
    small, large = real_runs.run("perps-300-short"), real_runs.run("perps-10000-short")
    for folder in (small, large):
        approved = folder.table("decisions").query("approved")
        assert approved["risk_pct"].between(0.0, 1.1).all()
        assert approved["risk_pct"].max() > 0.5
        # The stop, hit at its price, costs what was planned: no trade of a bar-driven run loses much more.
        stopped = folder.table("trades").query("exit_reason == 'stop'")
        assert stopped["r"].min() > -1.5


def test_a_second_import_of_the_same_files_writes_nothing(real_runs: RealRuns) -> None:
    catalog = real_runs.catalog("spot")
    again = crupto("catalog", "import", real_runs.market / "spot_5m", "--as-perp", "--catalog", catalog)
    assert again["written"] == 0
