"""`crupto doctor` and `crupto db info`."""

from __future__ import annotations

from pathlib import Path

import pytest

from crupto_nautilus.journal.journal import Journal
from tests.fakes.markets import from_closes, write_catalog
from tests.unit.cli.conftest import Crupto


def test_doctor_finds_what_is_needed_and_leaves_nothing(crupto: Crupto, tmp_path: Path) -> None:
    runs = tmp_path / "a" / "runs"
    outcome = crupto("doctor", "--runs", runs, "--json")
    assert outcome.code == 0
    found = {row["what"]: row for row in outcome.data["findings"]}
    assert found["python 3.13"]["ok"] is True
    assert found["package nautilus_trader == 2.0.0rc7"]["ok"] is True
    assert found[f"writable folder {runs}"]["ok"] is True
    assert not (tmp_path / "a").exists()
    assert "everything that is needed is here" in crupto("doctor", "--runs", runs).out


def test_doctor_names_another_version_of_the_engine(crupto: Crupto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crupto_nautilus.cli.doctor.installed", lambda _: "9.9")
    outcome = crupto("doctor")
    assert outcome.code == 3
    assert "MISSING" in outcome.out
    assert "make sync" in outcome.out


def test_doctor_names_a_package_that_is_not_installed(
    crupto: Crupto, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.metadata import PackageNotFoundError

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("crupto_nautilus.cli.doctor.installed", missing)
    assert "not installed" in crupto("doctor").out


def test_doctor_says_when_the_disk_is_nearly_full(crupto: Crupto, monkeypatch: pytest.MonkeyPatch) -> None:
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(100, 99, 1))
    outcome = crupto("doctor")
    assert outcome.code == 3
    assert "remove old runs" in outcome.out


def test_doctor_says_when_runs_cannot_be_written(crupto: Crupto, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = crupto("doctor", "--runs", tmp_path / "file" / "runs")
    assert outcome.code == 3
    assert "--out" in outcome.out


def test_doctor_looks_at_a_catalog(crupto: Crupto, tmp_path: Path) -> None:
    write_catalog(tmp_path / "c", {"BTCUSDT-PERP.BINANCE": from_closes([1.0, 2.0])}, 60)
    assert "1 instruments" in crupto("doctor", "--catalog", tmp_path / "c").out
    missing = crupto("doctor", "--catalog", tmp_path / "nothing")
    assert missing.code == 3
    assert "crupto catalog sample" in missing.out


def test_db_info_counts_the_rows_of_a_journal(crupto: Crupto, tmp_path: Path) -> None:
    with Journal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
        journal.migrate()
        journal.start_run({"run_id": "one", "start_ns": 1, "mode": "backtest"})
    outcome = crupto("db", "info", "--runs", tmp_path, "--json")
    assert outcome.code == 0
    assert outcome.data["rows"]["runs"] == 1
    assert outcome.data["schema_version"] == outcome.data["newest_version"]
    assert "schema version" in crupto("db", "info", "--runs", tmp_path).out


def test_db_info_without_a_journal_makes_none(crupto: Crupto, tmp_path: Path) -> None:
    outcome = crupto("db", "info", "--runs", tmp_path)
    assert outcome.code == 2
    assert "there is no journal" in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["mysql://host/db", "nonsense", "sqlite://"])
def test_db_info_of_another_kind_of_url_says_what_is_expected(crupto: Crupto, url: str) -> None:
    outcome = crupto("db", "info", "--url", url)
    assert outcome.code == 2
    assert "postgresql://" in outcome.err


def test_db_info_of_a_server_that_does_not_answer_is_an_environment_problem(crupto: Crupto) -> None:
    outcome = crupto("db", "info", "--url", "postgresql://nobody@127.0.0.1:1/none")
    assert outcome.code == 3
    assert "CRUPTO_DB_URL" in outcome.err


@pytest.mark.postgres
def test_db_info_reads_postgresql(crupto: Crupto, postgres_url: str) -> None:
    with Journal(postgres_url) as journal:
        journal.migrate()
    outcome = crupto("db", "info", "--url", postgres_url, "--json")
    assert outcome.code == 0
    assert outcome.data["bytes"] > 0
