"""Runs of versions that knew no liquidations are read as they are; other missing columns are refused."""

from __future__ import annotations

import json
from collections.abc import Callable

import pyarrow.parquet as pq
import pytest

from crupto_nautilus.reports.build import build_report
from crupto_nautilus.reports.errors import RunFolderError
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.schema import TABLES
from crupto_nautilus.reports.verify import verify_run

Copy = Callable[[], RunFolder]


def without_column(folder: RunFolder, table: str, column: str) -> None:
    """Rewrite a table as a version without the column wrote it, its hash included."""
    path = folder.path / f"{table}.parquet"
    pq.write_table(pq.read_table(path).drop_columns([column]), path)
    run = json.loads((folder.path / "run.json").read_text())
    run["tables"][table]["sha256"] = folder.sha256(table)
    (folder.path / "run.json").write_text(json.dumps(run))


@pytest.fixture
def older(copy_run: Copy) -> RunFolder:
    folder = copy_run()
    build_report(folder.path)
    for table in ("fills", "trades"):
        without_column(folder, table, "liquidation_usd")
    run = json.loads((folder.path / "run.json").read_text())
    for instrument in run["instruments"]:
        del instrument["maintenance_margin"]
    (folder.path / "run.json").write_text(json.dumps(run))
    summary = json.loads((folder.path / "summary.json").read_text())
    for part in (summary, summary["closed"]):
        del part["liquidation_usd"]
    del summary["liquidations"]
    (folder.path / "summary.json").write_text(json.dumps(summary))
    return RunFolder(folder.path)


def test_an_older_run_reads_as_one_without_liquidations(older: RunFolder) -> None:
    for table in ("fills", "trades"):
        assert list(older.table(table).columns) == TABLES[table].names
        assert (older.table(table)["liquidation_usd"] == 0.0).all()


def test_an_older_run_verifies_and_says_what_cannot_be_checked(older: RunFolder) -> None:
    report = verify_run(older)
    assert report.violations == ()
    (note, *_) = report.check("liquidations").notes
    assert "older than liquidations" in note


def test_the_report_of_an_older_run_can_be_rebuilt(older: RunFolder) -> None:
    assert build_report(older.path).is_file()
    assert json.loads((older.path / "summary.json").read_text())["liquidations"] == []


def test_a_column_that_was_always_there_is_missed(copy_run: Copy) -> None:
    folder = copy_run()
    without_column(folder, "fills", "slippage_usd")
    with pytest.raises(RunFolderError, match="slippage_usd"):
        RunFolder(folder.path).table("fills")
