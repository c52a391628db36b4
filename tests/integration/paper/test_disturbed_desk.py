"""What others do to a running desk: its limits, its disk, its account."""

from __future__ import annotations

from pathlib import Path

import pytest

from crupto_nautilus.cli.main import run
from crupto_nautilus.journal.database import default_url
from crupto_nautilus.journal.journal import Journal
from crupto_nautilus.reports.run_folder import RunFolder
from tests.fakes.restarts import differences, fresh, market_of, process


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return market_of(tmp_path_factory.mktemp("disturbed") / "market")


@pytest.fixture(scope="module")
def undisturbed(market: Path) -> Path:
    folder = fresh(market, market.parent / "undisturbed")
    assert process(folder).returncode == 0
    return folder / "runs" / "run"


def test_assigning_a_limit_raises_and_files_and_variables_have_no_effect_on_a_running_desk(
    market: Path, undisturbed: Path
) -> None:
    folder = fresh(market, market.parent / "meddled")
    done = process(folder, "--scenario", "meddled")
    assert done.returncode == 0, done.stderr
    assert (folder / "config" / "governance.yaml").read_text() == "max_daily_loss_pct: 0.01\n"
    assert differences(undisturbed, folder / "runs" / "run") == []


def test_a_resume_with_other_limits_is_refused_until_it_is_accepted_and_then_journalled(
    market: Path,
) -> None:
    folder = fresh(market, market.parent / "limits")
    assert process(folder, "--at", 60).returncode == -9
    limits = folder / "config" / "governance.yaml"
    limits.write_text(limits.read_text().replace("max_daily_loss_pct: 0.8", "max_daily_loss_pct: 0.7"))
    refused = process(folder, "--resume")
    assert refused.returncode == 4
    assert "max_daily_loss_pct 0.8 -> 0.7" in refused.stderr
    assert "--accept-governance-change" in refused.stderr
    accepted = process(folder, "--resume", "--accept", "--max-cycles", 5)
    assert accepted.returncode == 0, accepted.stderr
    with Journal(default_url(folder / "runs")) as journal:
        told = [
            event for event in journal.read_events("run", "alarm") if event["kind"] == "governance_changed"
        ]
    assert len(told) == 1
    assert "max_daily_loss_pct 0.8 -> 0.7" in told[0]["detail"]


def test_entries_pause_while_the_journal_cannot_be_written_and_nothing_is_lost(market: Path) -> None:
    folder = fresh(market, market.parent / "full")
    done = process(folder, "--scenario", "full_disk")
    assert done.returncode == 0, done.stderr
    found = RunFolder(folder / "runs" / "run")
    decisions = found.table("decisions")
    paused = decisions[decisions["reason"] == "TOOL_ERROR"]
    assert len(paused) >= 1
    assert paused["detail"].str.contains("instants wait for the database").all()
    after = decisions[decisions["ts_event"] > paused["ts_event"].max()]
    assert after["approved"].any()
    alarms = found.table("alarms")
    told = list(alarms[alarms["kind"] == "journal"]["detail"])
    assert told[0] == "database is locked"
    assert told[-1] == "the journal is written again"
    fills = found.table("fills")
    meanwhile = fills["ts_event"].between(paused["ts_event"].min(), paused["ts_event"].max())
    assert set(fills[meanwhile]["role"]) == {"stop", "target_2"}  # exits work, entries do not
    with Journal(default_url(folder / "runs")) as journal:
        for table in ("signals", "decisions", "orders", "fills", "trades"):
            assert len(journal.read(table, "run")) == len(found.table(table)) > 0
    assert run(["report", str(found.path), "--verify"]) == 0


def test_a_position_closed_by_somebody_else_is_booked_told_and_halts_its_instrument(tmp_path: Path) -> None:
    done = process(tmp_path, "--scenario", "intruded")
    assert done.returncode == 0, done.stderr
    found = RunFolder(tmp_path / "runs" / "run")
    (trade,) = found.table("trades").itertuples()
    assert (trade.instrument, trade.exit_reason, trade.exit_price) == (
        "SOL-USDT.TEST",
        "foreign_change",
        100.2,
    )
    alarms = found.table("alarms")
    (alarm,) = alarms[alarms["kind"] == "foreign_change"].itertuples()
    assert "the venue 0" in alarm.detail
    assert "booked as closed at the last price 100.2" in alarm.detail
    orders = found.table("orders")
    stop = orders[(orders["instrument"] == "SOL-USDT.TEST") & (orders["role"] == "stop")]
    assert list(stop["action"])[-1] == "canceled"
    decisions = found.table("decisions").set_index("instrument")["reason"]
    assert list(decisions["SOL-USDT.TEST"]) == ["", "RECONCILING"]
    assert decisions["BNB-USDT.TEST"] == ""
