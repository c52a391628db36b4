"""A run that is killed again and again ends as the one that was left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crupto_nautilus.cli.main import run
from crupto_nautilus.journal.database import default_url
from crupto_nautilus.journal.journal import Journal
from crupto_nautilus.journal.retention import archived_rows
from crupto_nautilus.journal.run_archive import FOLDER
from crupto_nautilus.reports.run_folder import RunFolder
from risk.vocabulary import DAY_NS, HOUR_NS
from tests.fakes.messages import one_of_each
from tests.fakes.restarts import differences, fresh, market_of, process

STRIKES = (
    (26, "KILL"),  # an entry rests, two positions are open
    (40, "TERM"),  # half of one position is taken, another trails, one is entered in slices
    (100, "KILL"),  # the day is locked
    (60, "TERM"),  # an operator halted the desk
    (40, "KILL"),  # flat, halted again
)
"""Marks of the feed that each session handles before it gets its signal."""
ANCIENT = "ancient"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return market_of(tmp_path_factory.mktemp("restart") / "market")


@pytest.fixture(scope="module")
def undisturbed(market: Path) -> Path:
    folder = fresh(market, market.parent / "undisturbed")
    done = process(folder)
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "run"


@pytest.fixture(scope="module")
def struck(market: Path) -> Path:
    """Play a run that is struck five times and then left alone."""
    folder = fresh(market, market.parent / "struck")
    for k, (marks, signal) in enumerate(STRIKES):
        done = process(folder, "--at", marks, "--signal", signal, *(["--resume"] if k else []))
        assert done.returncode == (-9 if signal == "KILL" else 0), done.stderr
    with Journal(default_url(folder / "runs")) as journal:  # a run that ended long ago, for the daily job
        journal.start_run({"run_id": ANCIENT, "start_ns": 1, "wall_end_ns": 2})
        for k in range(1, 4):
            journal.write(ANCIENT, k * DAY_NS, one_of_each(k * DAY_NS))
        journal.finish_run(ANCIENT, "completed", 2)
    done = process(folder, "--resume", "--watched")
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "run"


def test_the_scenario_meets_every_state_that_a_restart_can_meet(undisturbed: Path) -> None:
    folder = RunFolder(undisturbed)
    assert {"KILL_SWITCH", "DAILY_LOCK", "OPERATOR_HALT"} >= set(folder.table("states")["reason"]) - {""}
    assert {"DAILY_LOCK", "OPERATOR_HALT"} <= set(folder.table("states")["reason"])
    assert {"target_1", "target_2", "stop", "exit"} <= set(folder.table("fills")["role"])
    assert {"expired"} <= set(folder.table("entries")["reason"])
    assert folder.table("decisions")["n_children"].max() == 5
    assert len(folder.table("funding")) == 1


def test_five_restarts_change_no_signal_decision_order_fill_trade_equity_or_state(
    undisturbed: Path, struck: Path
) -> None:
    assert differences(undisturbed, struck) == []


def test_the_folder_of_a_resumed_run_verifies_and_says_that_it_was_resumed(struck: Path) -> None:
    assert run(["report", str(struck), "--verify"]) == 0
    alarms = RunFolder(struck).table("alarms")
    assert list(alarms["kind"]) == ["resumed"] * len(STRIKES)


def test_the_journal_holds_each_event_of_a_resumed_run_once(struck: Path) -> None:
    folder = RunFolder(struck)
    with Journal(default_url(struck.parent)) as journal:
        record = next(one for one in journal.runs() if one.run_id == "run")
        assert record.exit_reason == "completed"
        for table in ("signals", "decisions", "orders", "fills", "trades"):
            rows = journal.read(table, "run")
            assert len(rows) == len(folder.table(table)) > 0
            assert len({row["seq"] for row in rows}) == len(rows)


def test_page_and_status_of_a_resumed_run_hold_the_totals_of_all_sessions(struck: Path) -> None:
    folder = RunFolder(struck)
    shown = json.loads((struck.parents[1] / "watched.json").read_text())
    signals, decisions, trades = (folder.table(name) for name in ("signals", "decisions", "trades"))
    assert len(signals) == len(decisions) > 10
    by_name = {row["strategy"]: row for row in shown["run"]["strategies"]}
    assert {name: row["signals"] for name, row in by_name.items()} == dict(signals["strategy"].value_counts())
    assert sum(row["approved"] for row in by_name.values()) == decisions["approved"].sum()
    for name, closed in trades.groupby("strategy"):
        row = by_name[str(name)]
        assert (row["trades"], row["wins"]) == (len(closed), (closed["net_usd"] > 0).sum())
        assert row["net_usd"] == pytest.approx(closed["net_usd"].sum())
    refused = decisions[~decisions["approved"]]
    last_day = refused[refused["ts_event"] // HOUR_NS > (shown["run"]["desk_ts"] - DAY_NS) // HOUR_NS]
    counted = {row["reason"]: row["count"] for row in shown["run"]["refusals"]}
    assert counted == dict(last_day["reason"].value_counts())
    assert shown["run"]["trades"][-1]["ts_event"] == trades["ts_event"].iloc[::-1].head(12).iloc[-1]
    assert shown["run"]["equity"]["ts"][0] == folder.table("equity")["ts_event"].iloc[0]
    assert len(shown["run"]["alarms"]) == len(STRIKES)
    status = shown["status"]
    assert (status["signals"], status["approved"]) == (len(signals), decisions["approved"].sum())
    assert (status["trades"], status["wins"]) == (len(trades), (trades["net_usd"] > 0).sum())
    assert status["alarms"] == len(STRIKES)
    assert status["page"].startswith("http://127.0.0.1:")
    assert len(status["decisions"]) == len(decisions)


def test_the_daily_job_archives_an_old_run_inside_a_run_and_takes_nothing_of_it(struck: Path) -> None:
    shown = json.loads((struck.parents[1] / "watched.json").read_text())
    held = archived_rows(struck.parent / FOLDER, ANCIENT)
    assert shown["archived"] == sum(held.values()) > 30
    with Journal(default_url(struck.parent)) as journal:
        assert all(journal.read(table, ANCIENT) == [] for table in ("signals", "decisions", "events"))
    assert any(
        f"rows of ended runs to {FOLDER}/ ({ANCIENT})" in note for note in RunFolder(struck).facts.notes
    )
