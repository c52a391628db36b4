"""`crupto config`: values with their source, errors with file, key, found, expected and remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Crupto


def test_show_names_the_source_of_every_value(
    crupto: Crupto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "governance.yaml").write_text("max_daily_loss_pct: 1.5\n")
    monkeypatch.setenv("VIRTUAL_EQUITY", "500")
    settings = crupto("config", "show", "--config", tmp_path, "--json").data["settings"]
    path = tmp_path / "governance.yaml"
    assert settings["governance.max_daily_loss_pct"] == {"value": "1.5", "source": f"file:{path}"}
    assert settings["governance.leverage_cap"]["source"] == "default"
    assert settings["runtime.virtual.equity"]["source"] == "env:VIRTUAL_EQUITY"


def test_show_never_prints_a_secret(crupto: Crupto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINGX_API_KEY", "not-a-real-key")  # pragma: allowlist secret
    monkeypatch.setenv("BINGX_API_SECRET", "not-a-real-key")  # pragma: allowlist secret
    outcome = crupto("config", "show")
    assert outcome.code == 0
    assert "not-a-real-key" not in outcome.out + outcome.err


def test_check_accepts_the_built_in_files(crupto: Crupto) -> None:
    outcome = crupto("config", "check", "--json")
    assert outcome.code == 0
    assert outcome.data["ok"] is True
    assert len(outcome.data["governance_hash"]) == 64


def test_unknown_key_is_named_with_its_file(crupto: Crupto, tmp_path: Path) -> None:
    (tmp_path / "governance.yaml").write_text("max_dayly_loss_pct: 1.5\n")
    outcome = crupto("config", "check", "--config", tmp_path, "--json")
    assert outcome.code == 2
    assert "governance.yaml" in outcome.data["message"]
    assert "max_dayly_loss_pct" in outcome.data["message"] + outcome.data["found"]
    assert "max_daily_loss_pct" in outcome.data["expected"] + outcome.data["remedy"]


def test_a_limit_out_of_range_is_refused(crupto: Crupto, tmp_path: Path) -> None:
    (tmp_path / "governance.yaml").write_text("leverage_cap: 50\n")
    outcome = crupto("config", "check", "--config", tmp_path)
    assert outcome.code == 2
    assert "leverage_cap" in outcome.err
    assert "found:    50" in outcome.err


def test_all_wrong_settings_are_told_at_once(crupto: Crupto, tmp_path: Path) -> None:
    (tmp_path / "governance.yaml").write_text("leverage_cap: 50\nmax_slices: 0\n")
    outcome = crupto("config", "check", "--config", tmp_path)
    assert outcome.code == 2
    assert "leverage_cap" in outcome.err
    assert "max_slices" in outcome.err


def test_a_missing_folder_is_bad_usage(crupto: Crupto, tmp_path: Path) -> None:
    outcome = crupto("config", "check", "--config", tmp_path / "nothing")
    assert outcome.code == 2
    assert "is no folder" in outcome.err
    assert "remedy:" in outcome.err


def test_mode_live_is_refused_with_exit_4(crupto: Crupto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODE", "live")
    outcome = crupto("config", "check")
    assert outcome.code == 4
    assert "paper only" in outcome.err


def test_schema_prints_one_or_all(crupto: Crupto) -> None:
    assert "governance" in crupto("config", "schema", "--json").data
    one = crupto("config", "schema", "governance")
    assert json.loads(one.out)["properties"]["leverage_cap"]


def test_schema_of_an_unknown_name_lists_the_names(crupto: Crupto) -> None:
    outcome = crupto("config", "schema", "govern")
    assert outcome.code == 2
    assert "governance, enable_map" in outcome.err


def test_schema_writes_files(crupto: Crupto, tmp_path: Path) -> None:
    outcome = crupto("config", "schema", "--out", tmp_path / "schemas", "--json")
    assert outcome.code == 0
    for file in outcome.data["files"]:
        assert json.loads(Path(file).read_text())["type"] == "object"


def test_schema_into_a_file_as_folder_says_so(crupto: Crupto, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = crupto("config", "schema", "--out", tmp_path / "file" / "schemas")
    assert outcome.code == 2
    assert "cannot be opened" in outcome.err
