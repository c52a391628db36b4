"""A run that is killed again and again ends as the one that was left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from crupto_nautilus.cli.main import run
from crupto_nautilus.journal.database import default_url
from crupto_nautilus.journal.journal import Journal
from crupto_nautilus.reports.run_folder import RunFolder
from tests.fakes.restarts import differences, fresh, market_of, process

STRIKES = (
    (26, "KILL"),  # an entry rests, two positions are open
    (40, "TERM"),  # half of one position is taken, another trails, one is entered in slices
    (100, "KILL"),  # the day is locked
    (60, "TERM"),  # an operator halted the desk
    (40, "KILL"),  # flat, halted again
)
"""Marks of the feed that each session handles before it gets its signal."""


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
    done = process(folder, "--resume")
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
