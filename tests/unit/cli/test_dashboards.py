"""`crupto dashboards` and the retention commands of `crupto db`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crupto_nautilus.cli.main import run
from crupto_nautilus.journal import Journal, default_url
from dashboards import expressions
from risk.vocabulary import DAY_NS
from tests.fakes.messages import one_of_each
from tests.fakes.runs import make_run


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    return dict(json.loads(capsys.readouterr().out))


def test_check_holds_for_what_is_committed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dashboards", "check", "--json"]) == 0
    checks = said(capsys)["checks"]
    assert {row["state"] for row in checks} <= {"ok", "skipped"}  # type: ignore[attr-defined]


def test_check_finds_a_board_that_was_edited_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in expressions.BOARDS.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text().replace("crupto_equity_usdt", "crupto_equity_eur"))
    monkeypatch.setattr(expressions, "BOARDS", tmp_path)
    assert run(["dashboards", "check", "--json"]) == 1
    states = {row["check"]: row["state"] for row in said(capsys)["checks"]}  # type: ignore[attr-defined]
    assert states["boards are what the code builds"] == "failed"


def test_check_says_that_a_server_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dashboards", "check", "--prometheus", "http://127.0.0.1:9"]) == 1
    assert "does not answer" in capsys.readouterr().out


def test_serve_shows_a_finished_run_and_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from crupto_nautilus.reports.build import build_report

    folder = make_run(tmp_path)
    build_report(folder.path)
    arguments = [
        "dashboards",
        "serve",
        "sample",
        "--runs",
        str(tmp_path),
        "--port",
        "0",
        "--max-seconds",
        "0.1",
    ]
    assert run([*arguments, "--json"]) == 0
    assert str(said(capsys)["url"]).startswith("http://127.0.0.1:")


def test_serve_on_another_address_needs_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from crupto_nautilus.reports.build import build_report

    monkeypatch.delenv("CRUPTO_DASHBOARD_TOKEN", raising=False)
    build_report(make_run(tmp_path).path)
    assert run(["dashboards", "serve", "sample", "--runs", str(tmp_path), "--bind", "0.0.0.0"]) == 3
    assert "token" in capsys.readouterr().err


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder of runs whose journal holds a run that ended long ago."""
    with Journal(default_url(tmp_path)) as journal:
        journal.migrate()
        journal.start_run({"run_id": "old", "start_ns": 1, "wall_end_ns": DAY_NS})
        journal.write("old", 1, one_of_each(1))
        journal.finish_run("old", "completed", 1)
    return tmp_path


def test_archive_moves_old_rows_and_says_how_many(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "archive", "--runs", str(runs), "--dry-run", "--json"]) == 0
    told = said(capsys)
    assert run(["db", "archive", "--runs", str(runs), "--json"]) == 0
    done = said(capsys)
    assert told["rows"] == done["rows"] != 0
    assert (runs / "archive/old/manifest.json").is_file()
    assert run(["db", "archive", "--runs", str(runs), "--json"]) == 0
    assert said(capsys)["rows"] == 0


def test_prune_keeps_a_copy_unless_told_not_to(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "prune", "--runs", str(runs), "--keep-runs", "0", "--dry-run", "--json"]) == 0
    assert said(capsys)["runs"] == ["old"]
    assert run(["db", "prune", "--runs", str(runs), "--keep-runs", "0", "--json"]) == 0
    assert (runs / "archive/pruned/old/decisions.parquet").is_file()
    with Journal(default_url(runs)) as journal:
        assert journal.runs() == ()


def test_a_journal_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("archive", "prune"):
        assert run(["db", command, "--runs", str(tmp_path)]) == 2
        assert "there is no journal" in capsys.readouterr().err
