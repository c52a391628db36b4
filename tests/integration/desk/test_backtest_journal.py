"""A backtest goes into the journal when it has succeeded, and only then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crupto_nautilus.cli.main import run
from crupto_nautilus.journal.database import default_url
from crupto_nautilus.journal.journal import Journal
from crupto_nautilus.reports.run_folder import RunFolder


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("journal") / "sample"
    assert run(["catalog", "sample", "--catalog", str(folder)]) == 0
    return folder


def bounds(sample: Path) -> tuple[str, ...]:
    """Return ten days inside the fine part of the sample market."""
    from datetime import UTC, datetime, timedelta

    from catalog.sample import FINE_START_NS

    start = datetime.fromtimestamp(FINE_START_NS // 10**9, UTC) + timedelta(days=2)
    return "--start", f"{start:%Y-%m-%d}", "--end", f"{start + timedelta(days=10):%Y-%m-%d}"


def test_signals_fills_trades_and_equity_of_a_run_are_in_the_journal(sample: Path, tmp_path: Path) -> None:
    arguments = ["backtest", "--catalog", str(sample), *bounds(sample), "--out", str(tmp_path)]
    assert run([*arguments, "--run-id", "kept", "--equity", "10000"]) == 0
    folder = RunFolder(tmp_path / "kept")
    with Journal(default_url(tmp_path)) as journal:
        record = journal.runs()[0]
        assert (record.run_id, record.exit_reason) == ("kept", "completed")
        for table, name in (
            ("signals", "signals"),
            ("decisions", "decisions"),
            ("orders", "orders"),
            ("fills", "fills"),
            ("trades", "trades"),
            ("equity_snapshots", "equity"),
        ):
            rows = journal.read(table, "kept")
            assert len(rows) == len(folder.table(name)) > 0
        net = sum(row["net_usd"] for row in journal.read("trades", "kept"))
    assert net == pytest.approx(folder.table("trades")["net_usd"].sum())


def test_a_run_without_the_journal_leaves_none(sample: Path, tmp_path: Path) -> None:
    arguments = ["backtest", "--catalog", str(sample), *bounds(sample), "--out", str(tmp_path)]
    assert run([*arguments, "--no-journal", "--symbols", "BTC"]) == 0
    assert not (tmp_path / "journal.db").exists()


def test_a_run_id_that_the_journal_holds_already_is_an_error_with_a_remedy(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    arguments = ["backtest", "--catalog", str(sample), *bounds(sample), "--out", str(tmp_path)]
    again = [*arguments, "--run-id", "twice", "--symbols", "BTC"]
    assert run(again) == 0
    shutil.rmtree(tmp_path / "twice")
    capsys.readouterr()
    assert run([*again, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)
    assert "already in the journal" in json.dumps(error)
