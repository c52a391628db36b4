"""`crupto report`: rebuild, verify, export; and what it answers when a run was tampered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from crupto_nautilus.reports.run_folder import RunFolder
from tests.fakes.runs import make_run, tamper
from tests.unit.cli.conftest import Crupto


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one finished run."""
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder, "sample")
    return folder


def test_rebuild_writes_summary_and_page_and_prints_the_tables(crupto: Crupto, runs: Path) -> None:
    outcome = crupto("report", "sample", "--runs", runs)
    assert outcome.code == 0
    assert (runs / "sample" / "report.html").is_file()
    assert (runs / "sample" / "summary.json").is_file()
    for word in ("equity", "breakout_4h", "BTCUSDT-PERP.BINANCE", "refused because", "verdict:"):
        assert word in outcome.out
    data = crupto("report", runs / "sample", "--json").data
    assert data["summary"]["trades"] > 0
    assert data["report"].endswith("report.html")


def test_verify_of_a_sound_run_is_exit_0(crupto: Crupto, runs: Path) -> None:
    outcome = crupto("report", "sample", "--runs", runs, "--verify", "--json")
    assert outcome.code == 0
    assert outcome.data["ok"] is True
    assert len(outcome.data["hash"]) == 64
    assert "every check holds" in crupto("report", "sample", "--runs", runs, "--verify").out


def test_verify_of_a_forged_run_is_exit_1_and_names_the_violation(crupto: Crupto, tmp_path: Path) -> None:
    folder = make_run(tmp_path, "forged")
    tamper(folder, "trades", lambda frame: frame.assign(net_usd=frame["net_usd"] + 1.0))
    outcome = crupto("report", "forged", "--runs", tmp_path, "--verify")
    assert outcome.code == 1
    assert "BROKEN" in outcome.out
    assert "violation: " in outcome.out
    assert crupto("report", "forged", "--runs", tmp_path, "--verify", "--json").data["ok"] is False


def test_export_writes_a_chain_that_verifies_and_notices_a_change(
    crupto: Crupto, runs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "folder"
    done = crupto("report", "sample", "--runs", runs, "--export", "--out", out, "--json").data
    assert done["rows"] == len(RunFolder(runs / "sample").table("trades"))
    record = Path(done["json"])
    assert crupto("report", record, "--verify", "--head", done["head"]).code == 0
    assert crupto("report", record, "--verify", "--head", "0" * 64).code == 1
    record.write_text(record.read_text().replace('"side": "long"', '"side": "short"', 1))
    changed = crupto("report", record, "--verify")
    assert changed.code == 1
    assert "BROKEN" in changed.out


def test_verify_and_export_together_are_bad_usage(crupto: Crupto, runs: Path) -> None:
    outcome = crupto("report", "sample", "--runs", runs, "--verify", "--export")
    assert outcome.code == 2
    assert "one of them" in outcome.err


def test_an_unknown_run_lists_those_there_are(crupto: Crupto, runs: Path) -> None:
    outcome = crupto("report", "smaple", "--runs", runs)
    assert outcome.code == 2
    assert "sample" in outcome.err


def test_a_file_that_is_no_track_record_is_named(crupto: Crupto, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    outcome = crupto("report", tmp_path / "x.json", "--verify")
    assert outcome.code == 2
    assert "is no track record" in outcome.err


def test_a_corrupt_table_fails_to_rebuild_and_keeps_the_old_summary(crupto: Crupto, tmp_path: Path) -> None:
    make_run(tmp_path, "torn")
    assert crupto("report", "torn", "--runs", tmp_path).code == 0
    before = (tmp_path / "torn" / "summary.json").read_bytes()
    (tmp_path / "torn" / "fills.parquet").write_bytes(b"PAR1")
    outcome = crupto("report", "torn", "--runs", tmp_path)
    assert outcome.code == 2
    assert "fills.parquet" in outcome.err
    assert (tmp_path / "torn" / "summary.json").read_bytes() == before
    assert crupto("report", "torn", "--runs", tmp_path, "--verify").code == 1
