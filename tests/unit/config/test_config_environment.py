"""Environment variables: which are taken, which are refused by name, and that no secret is ever shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crupto_nautilus.config import load_config
from crupto_nautilus.errors import ConfigError, ExitCode, SafetyRefusal

KEYS = {"BINGX_API_KEY": "key-2b1f", "BINGX_API_SECRET": "secret-9c4e"}  # pragma: allowlist secret


def test_without_variables_the_desk_trades_on_paper_with_300_virtual_dollars_off() -> None:
    runtime = load_config(env={}).runtime
    assert runtime.mode == "paper"
    assert runtime.run_id is None
    assert (runtime.virtual.enabled, runtime.virtual.asset, runtime.virtual.equity) == (False, "VST", 300.0)
    assert runtime.prometheus_port == 9108
    assert runtime.journal_url() is None


def test_variables_are_taken_and_named_as_the_source() -> None:
    config = load_config(
        env={
            "USE_VIRTUAL_TRADING": "true",
            "VIRTUAL_ASSET": "VST",
            "VIRTUAL_EQUITY": "1500.5",
            "PROMETHEUS_PORT": "0",
            "RUN_ID": "evening-1",
            "MODE": "paper",
        }
    )
    assert config.runtime.virtual.enabled
    assert config.runtime.virtual.equity == 1500.5
    assert config.runtime.prometheus_port == 0
    assert config.runtime.run_id == "evening-1"
    assert config.provenance["runtime.virtual.equity"] == "env:VIRTUAL_EQUITY"
    assert config.provenance["runtime.challenger_config"] == "default"


@pytest.mark.parametrize(
    ("word", "value"),
    [("1", True), ("TRUE", True), ("yes", True), ("On", True), ("0", False), ("no", False), ("OFF", False)],
)
def test_words_for_yes_and_no(word: str, value: bool) -> None:
    assert load_config(env={"USE_VIRTUAL_TRADING": word}).runtime.virtual.enabled is value


def test_empty_variable_counts_as_not_set() -> None:
    config = load_config(env={"RUN_ID": "", "VIRTUAL_EQUITY": "  "})
    assert config.runtime.run_id is None
    assert config.provenance["runtime.virtual.equity"] == "default"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("USE_VIRTUAL_TRADING", "maybe"),
        ("VIRTUAL_ASSET", "v s t"),
        ("VIRTUAL_EQUITY", "0"),
        ("VIRTUAL_EQUITY", "-5"),
        ("VIRTUAL_EQUITY", "nan"),
        ("VIRTUAL_EQUITY", "inf"),
        ("VIRTUAL_EQUITY", "three hundred"),
        ("PROMETHEUS_PORT", "65536"),
        ("PROMETHEUS_PORT", "-1"),
        ("PROMETHEUS_PORT", "90.5"),
        ("CRUPTO_RETENTION_DAYS", "-1"),
        ("CRUPTO_RETENTION_DAYS", "a week"),
        ("RUN_ID", "../escape"),
        ("RUN_ID", ".hidden"),
        ("RUN_ID", "x" * 65),
        ("MODE", "papr"),
        ("CHALLENGER_CONFIG", "no/such/file.yaml"),
        ("CRUPTO_DB_URL", "mysql://u:pw@h/d"),  # pragma: allowlist secret
        ("CRUPTO_DB_URL", "journal.db"),
    ],
)
def test_bad_value_is_refused_with_the_variables_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(env={name: value})
    assert caught.value.exit_code is ExitCode.USAGE
    assert f"environment variable {name}" in caught.value.message
    assert caught.value.expected
    assert caught.value.remedy == f"correct or unset {name}"


def test_mode_live_is_refused_by_a_safety_rule() -> None:
    with pytest.raises(SafetyRefusal) as caught:
        load_config(env={"MODE": "live"})
    assert caught.value.exit_code == 4
    assert caught.value.to_json()["expected"] == "paper"


CHALLENGERS = """
challengers:
  - {strategy: breakout_4h, regimes: {panic: [short]}}
  - {id: new, document: new.yaml, document_hash: %s, regimes: {panic: [long]}}
""" % ("a" * 64)


def test_challenger_config_replaces_the_challengers_of_the_map(tmp_path: Path) -> None:
    path = tmp_path / "challengers.yaml"
    path.write_text(CHALLENGERS, encoding="utf-8")
    config = load_config(env={"CHALLENGER_CONFIG": str(path)})
    assert [c.id for c in config.enable_map.challengers] == ["breakout_4h", "new"]
    assert config.enable_map.challengers[1].document == str(tmp_path / "new.yaml")
    assert config.provenance["enable_map.challengers"] == f"file:{path}"
    moved = tmp_path / "elsewhere" / "other.yaml"
    moved.parent.mkdir()
    moved.write_text(CHALLENGERS, encoding="utf-8")
    assert load_config(env={"CHALLENGER_CONFIG": str(moved)}).config_hash == config.config_hash
    assert load_config(env={}).config_hash != config.config_hash


def test_challenger_config_is_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "challengers.yaml"
    path.write_text("x: 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="unknown key"):
        load_config(env={"CHALLENGER_CONFIG": str(path)})
    path.write_text(CHALLENGERS.replace("breakout_4h", "breakout_5h"), encoding="utf-8")
    with pytest.raises(ConfigError, match="breakout_5h"):
        load_config(env={"CHALLENGER_CONFIG": str(path)})


def test_one_key_without_the_other_is_refused() -> None:
    with pytest.raises(ConfigError, match="BINGX_API_SECRET") as caught:
        load_config(env={"BINGX_API_KEY": KEYS["BINGX_API_KEY"]})
    assert caught.value.found == "BINGX_API_KEY alone"
    with pytest.raises(ConfigError, match="environment variable BINGX_API_KEY"):
        load_config(env={"BINGX_API_SECRET": KEYS["BINGX_API_SECRET"]})


def test_key_with_a_line_break_is_trimmed() -> None:
    config = load_config(env={name: f"{value}\r\n" for name, value in KEYS.items()})
    assert config.runtime.bingx_api_key is not None
    assert config.runtime.bingx_api_key.get_secret_value() == KEYS["BINGX_API_KEY"]


def test_secrets_appear_in_no_text_of_the_configuration() -> None:
    env = KEYS | {"CRUPTO_DB_URL": "postgresql://u:pw-7d21@db/journal"}  # pragma: allowlist secret
    config = load_config(env=env)
    texts = [repr(config), str(config.runtime), json.dumps(config.public()), repr(config.show())]
    for secret in (*KEYS.values(), "pw-7d21"):
        assert not any(secret in text for text in texts)
    assert config.runtime.journal_url() == env["CRUPTO_DB_URL"]


def test_bad_secret_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(env={"CRUPTO_DB_URL": "mysql://u:pw-7d21@h/d"})  # pragma: allowlist secret
    assert "pw-7d21" not in str(caught.value)
    assert "pw-7d21" not in json.dumps(caught.value.to_json())


def test_secrets_ports_and_run_ids_do_not_change_the_config_hash_but_virtual_equity_does() -> None:
    plain = load_config(env={}).config_hash
    named = load_config(env=KEYS | {"RUN_ID": "a", "PROMETHEUS_PORT": "0", "CRUPTO_DB_URL": "sqlite:///j.db"})
    assert named.config_hash == plain
    assert load_config(env={"VIRTUAL_EQUITY": "500"}).config_hash != plain


def test_all_bad_variables_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(env={"VIRTUAL_EQUITY": "x", "PROMETHEUS_PORT": "y"})
    assert len(caught.value.problems) == 2
