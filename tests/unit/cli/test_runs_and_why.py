"""`crupto runs` and `crupto why` on the runs of a tiny simulated desk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crupto_nautilus.cli.chain_decision import stage_of
from crupto_nautilus.cli.options import iso
from crupto_nautilus.reports.run_folder import RunFolder
from tests.fakes.runs import make_run
from tests.unit.cli.conftest import Crupto


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one finished run, one that was killed and one that is damaged."""
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder, "sample")
    (folder / ".killed.partial").mkdir()
    make_run(folder, "damaged")
    (folder / "damaged" / "run.json").write_text("{")
    return folder


@pytest.fixture(scope="module")
def run(runs: Path) -> RunFolder:
    """Return the finished run."""
    return RunFolder(runs / "sample")


def test_runs_lists_finished_killed_and_damaged_ones(crupto: Crupto, runs: Path) -> None:
    listed = {row["run_id"]: row for row in crupto("runs", "--runs", runs, "--json").data["runs"]}
    assert listed["sample"]["exit_reason"] == "completed"
    assert "killed" in listed["killed"]["problem"]
    assert listed["damaged"]["problem"]
    text = crupto("runs", "--runs", runs).out
    assert "sample" in text
    assert "completed" in text


def test_runs_of_a_missing_folder_is_bad_usage(crupto: Crupto, tmp_path: Path) -> None:
    outcome = crupto("runs", "--runs", tmp_path / "nothing")
    assert outcome.code == 2
    assert "crupto demo" in outcome.err


def test_runs_of_an_empty_folder_says_so(crupto: Crupto, tmp_path: Path) -> None:
    outcome = crupto("runs", "--runs", tmp_path)
    assert outcome.code == 0
    assert "holds no runs" in outcome.out


def test_why_without_options_lists_refusals_and_the_latest_traces(crupto: Crupto, runs: Path) -> None:
    data = crupto("why", "sample", "--runs", runs, "--json").data
    assert data["signals"] == data["approved"] + sum(data["refused"].values())
    assert data["latest"]
    text = crupto("why", "sample", "--runs", runs).out
    assert "refused by reason" in text
    assert data["latest"][-1] in text


def test_why_prints_the_whole_chain_of_a_trade(crupto: Crupto, runs: Path, run: RunFolder) -> None:
    trace = run.table("trades")["trace_id"].iloc[0]
    chain = crupto("why", "sample", "--runs", runs, "--trace", trace, "--json").data["chain"]
    names = [step["name"] for step in chain]
    assert names[:9] == [
        *("regime", "mandate", "signal", "desk", "guards", "size", "portfolio", "decision", "ticket"),
    ]  # fmt: skip
    assert names[-2:] == ["exits", "trade"]
    assert {"order", "fill", "entry", "protection"} <= set(names)
    assert names[-1] == "trade"
    guards, size, portfolio = (step["numbers"] for step in chain[4:7])
    assert "limit -1.8, max_daily_loss_pct" in guards["daily_pnl_pct"]
    assert "limit 0.35, max_cost_r" in guards["cost_r"]
    assert "limit 1.1, max_per_trade_r_pct" in size["risk_pct"]
    assert 0.5 <= size["multiplier"] <= 1.5
    assert "limit 150, max_net_exposure_pct" in portfolio["net_pct"]
    times = [step["ts_event"] for step in chain[9:] if step["ts_event"]]
    assert times == sorted(times)
    text = crupto("why", "sample", "--runs", runs, "--trace", trace).out
    assert "closed by" in text
    assert "stop works at" in text


def test_why_prints_why_a_signal_was_refused(crupto: Crupto, runs: Path, run: RunFolder) -> None:
    decisions = run.table("decisions")
    refused = decisions[~decisions["approved"]].iloc[0]
    text = crupto("why", "sample", "--runs", runs, "--trace", refused["trace_id"]).out
    assert f"refused: {refused['reason']}" in text
    assert "risk_pct = 0" not in text  # a refusal has no size, and 0 would read as one
    assert "ticket" not in text


def test_why_tells_the_stage_that_refused_with_its_setting_and_that_later_ones_were_not_reached(
    crupto: Crupto, runs: Path, run: RunFolder
) -> None:
    decisions = run.table("decisions")
    refused = decisions[~decisions["approved"]].drop_duplicates("reason")
    assert len(refused) >= 2
    for row in refused.itertuples():
        chain = crupto("why", "sample", "--runs", runs, "--trace", row.trace_id, "--json").data["chain"]
        texts = {step["name"]: step["text"] for step in chain[4:7]}
        names = list(texts)
        at = names.index(stage_of(str(row.reason)))
        assert texts[names[at]].startswith(f"refused: {row.reason}")
        assert all(texts[name] == "not reached" for name in names[at + 1 :])


@pytest.mark.parametrize(
    ("reason", "stage"),
    [
        ("TOOL_ERROR", "guards"), ("COOLDOWN", "guards"), ("INVALID_STOP", "guards"),
        ("NO_RISK_LEFT", "size"), ("COST_TOO_HIGH", "size"), ("PER_TRADE_CAP", "size"),
        ("PORTFOLIO_CAP", "portfolio"), ("SAFE_MODE", "portfolio"),
        ("SPREAD_TOO_WIDE", "ticket"), ("SLIPPAGE_TOO_HIGH", "ticket"),
    ],
)  # fmt: skip
def test_each_reason_belongs_to_the_stage_whose_check_it_is(reason: str, stage: str) -> None:
    assert stage_of(reason) == stage


def test_why_of_an_unknown_trace_shows_some_that_exist(crupto: Crupto, runs: Path, run: RunFolder) -> None:
    outcome = crupto("why", "sample", "--runs", runs, "--trace", "breakout_4h/NONE/1")
    assert outcome.code == 2
    assert run.table("signals")["trace_id"].iloc[-1] in outcome.err


def test_why_around_a_moment_tells_regime_desk_and_answers(
    crupto: Crupto, runs: Path, run: RunFolder
) -> None:
    decision = run.table("decisions").iloc[-1]
    moment = iso(int(decision["ts_event"]))
    arguments = ["why", "sample", "--runs", runs, "--symbol", decision["instrument"], "--at", moment]
    data = crupto(*arguments, "--json").data
    assert decision["trace_id"] in [row["trace_id"] for row in data["decisions"]]
    assert data["desk"]
    text = crupto(*arguments).out
    assert "regime" in text
    assert decision["trace_id"] in text


def test_why_needs_symbol_and_time_together(crupto: Crupto, runs: Path) -> None:
    outcome = crupto("why", "sample", "--runs", runs, "--symbol", "BTC")
    assert outcome.code == 2
    assert "--at" in outcome.err


def test_why_of_an_unknown_symbol_lists_those_of_the_run(crupto: Crupto, runs: Path) -> None:
    outcome = crupto("why", "sample", "--runs", runs, "--symbol", "PEPE", "--at", "2024-10-05")
    assert outcome.code == 2
    assert "BTCUSDT-PERP.BINANCE" in outcome.err


def test_why_outside_the_window_names_the_window(crupto: Crupto, runs: Path) -> None:
    outcome = crupto("why", "sample", "--runs", runs, "--symbol", "BTC", "--at", "2020-01-01")
    assert outcome.code == 2
    assert "2024-10-04" in outcome.err


def test_why_of_a_bad_date_shows_examples(crupto: Crupto, runs: Path) -> None:
    outcome = crupto("why", "sample", "--runs", runs, "--symbol", "BTC", "--at", "yesterday")
    assert outcome.code == 2
    assert "2023-01-31" in outcome.err


@pytest.mark.parametrize("name", ["nothing", "killed", "damaged"])
def test_why_of_a_run_that_cannot_be_read_says_why(crupto: Crupto, runs: Path, name: str) -> None:
    outcome = crupto("why", name, "--runs", runs)
    assert outcome.code == 2
    assert "remedy:" in outcome.err


def test_why_of_a_damaged_table_names_the_file(crupto: Crupto, runs: Path, tmp_path: Path) -> None:
    make_run(tmp_path, "torn")
    (tmp_path / "torn" / "decisions.parquet").write_bytes(b"PAR1 torn")
    outcome = crupto("why", "torn", "--runs", tmp_path, "--json")
    assert outcome.code == 2
    assert "decisions.parquet" in outcome.data["message"]
    assert json.loads(outcome.out)["remedy"]
