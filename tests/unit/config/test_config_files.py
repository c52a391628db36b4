"""The configuration's files: what is taken, and what is refused with which words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from crupto_nautilus.config import DeskConfig, load_config
from crupto_nautilus.config.load import DEFAULTS, FILES
from crupto_nautilus.errors import ConfigError, EnvironmentProblem, ExitCode, UsageError
from risk.settings import RiskSettings

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a file into a configuration folder and returns the folder."""

    def put(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return put


def load(folder: Path | None = None) -> DeskConfig:
    return load_config(folder, env={})


def refused(folder: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(folder)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


def test_shipped_governance_file_says_every_limit_and_its_default() -> None:
    text = yaml.safe_load((DEFAULTS / "governance.yaml").read_text(encoding="utf-8"))
    assert text == RiskSettings().model_dump()


def test_defaults_load_and_every_key_says_default() -> None:
    config = load()
    assert config.governance == RiskSettings()
    assert set(config.provenance.values()) == {"default"}
    assert config.provenance["governance.leverage_cap"] == "default"


def test_file_in_config_folder_replaces_the_whole_default_file(write: Write) -> None:
    folder = write("governance.yaml", "max_daily_loss_pct: 1.2\n")
    config = load(folder)
    assert config.governance.max_daily_loss_pct == 1.2
    assert config.provenance["governance.max_daily_loss_pct"] == f"file:{folder / 'governance.yaml'}"
    assert config.provenance["governance.leverage_cap"] == "default"
    assert config.provenance["symbols.defaults.backfill_bars"] == "default"


def test_unknown_key_names_file_key_and_closest_known_key(write: Write) -> None:
    folder = write("governance.yaml", "max_dayly_loss_pct: 1.8\n")
    error = refused(folder)
    assert str(folder / "governance.yaml") in error.message
    assert "max_dayly_loss_pct" in error.message
    assert error.expected == "max_daily_loss_pct"
    assert error.remedy == "rename it to max_daily_loss_pct"


def test_unknown_key_with_no_relative_lists_what_is_known(write: Write) -> None:
    error = refused(write("symbols.yaml", "defaults: {zebra: 1}\n"))
    assert "symbols.yaml: defaults.zebra: unknown key" in error.message
    assert "poll_interval_seconds" in error.expected
    assert error.remedy == "remove it"


def test_unknown_key_inside_a_symbol_is_found_by_its_dotted_key(write: Write) -> None:
    error = refused(write("symbols.yaml", "symbols: {BTC: {max_spred_pct: 0.1}}\n"))
    assert "symbols.BTC.max_spred_pct" in error.message
    assert error.expected == "max_spread_pct"


@pytest.mark.parametrize(
    ("text", "key", "found", "expected"),
    [
        ("leverage_cap: 0", "leverage_cap", "0", "a number > 0 and <= 10"),
        ("leverage_cap: 10.5", "leverage_cap", "10.5", "a number > 0 and <= 10"),
        ("max_daily_loss_pct: 10", "max_daily_loss_pct", "10", "a number > 0 and < 10"),
        ("cooling_period_minutes: -1", "cooling_period_minutes", "-1", "a whole number >= 0 and <= 360"),
        ('leverage_cap: "3"', "leverage_cap", "'3' (text)", "a number > 0 and <= 10"),
        ("leverage_cap: true", "leverage_cap", "true (yes or no)", "a number > 0 and <= 10"),
        ("leverage_cap: null", "leverage_cap", "null", "a number > 0 and <= 10"),
        ("leverage_cap: [3]", "leverage_cap", "a list of 1", "a number > 0 and <= 10"),
        ("leverage_cap: {a: 3}", "leverage_cap", "a mapping", "a number > 0 and <= 10"),
        ("max_slices: 2.5", "max_slices", "2.5", "a whole number >= 1 and <= 20"),
        ("shrink_to_fit: 1", "shrink_to_fit", "1", "true or false"),
        ("safe_mode_action: stop", "safe_mode_action", "'stop' (text)", "one of 'reduce' or 'block'"),
    ],
)
def test_wrong_value_says_found_and_expected(
    write: Write, text: str, key: str, found: str, expected: str
) -> None:
    error = refused(write("governance.yaml", text + "\n"))
    assert f"governance.yaml: {key}: wrong value" in error.message
    assert error.found.startswith(found)
    assert error.expected == expected


@pytest.mark.parametrize("text", [".nan", ".inf", "-.inf"])
def test_nan_and_infinity_are_refused(write: Write, text: str) -> None:
    error = refused(write("governance.yaml", f"leverage_cap: {text}\n"))
    assert error.expected == "a finite number"


def test_limits_that_contradict_each_other_are_refused(write: Write) -> None:
    error = refused(write("governance.yaml", "per_trade_r_pct_base: 1.0\nmax_per_trade_r_pct: 0.9\n"))
    assert "max_per_trade_r_pct was 0.9" in error.message
    assert error.expected == "at least per_trade_r_pct_base (1.0)"


def test_every_problem_of_a_file_is_reported_at_once(write: Write) -> None:
    error = refused(write("governance.yaml", "leverage_cap: 99\nmax_slices: 0\nfoo: 1\n"))
    assert [problem.where.split(": ")[1] for problem in error.problems] == [
        "leverage_cap",
        "max_slices",
        "foo",
    ]
    assert "max_slices" in str(error)
    payload = error.to_json()
    assert payload["exit_code"] == 2
    assert isinstance(payload["problems"], list)
    assert len(payload["problems"]) == 3


def test_key_written_twice_is_refused_with_both_lines(write: Write) -> None:
    error = refused(write("governance.yaml", "leverage_cap: 2\nmax_slices: 3\nleverage_cap: 3\n"))
    assert "line 3" in error.message
    assert "'leverage_cap' is written twice" in error.message
    assert error.found == "lines 1 and 3"


def test_key_written_twice_deep_inside_is_refused(write: Write) -> None:
    error = refused(write("symbols.yaml", "symbols:\n  BTC: {}\n  ETH: {}\n  BTC: {}\n"))
    assert error.found == "lines 2 and 4"


def test_key_that_yaml_reads_as_a_number_is_refused(write: Write) -> None:
    error = refused(write("symbols.yaml", "symbols:\n  1: {}\n"))
    assert "key 1 is not text" in error.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no settings"),
        ("- 1\n- 2\n", "holds no settings"),
        ("just words\n", "holds no settings"),
        ("a: [1, 2\n", "not valid YAML"),
        ("a: 1\n\tb: 2\n", "not valid YAML"),
        ("leverage_cap: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
    ],
)
def test_file_that_is_no_settings_is_refused(write: Write, text: str, message: str) -> None:
    assert message in refused(write("governance.yaml", text)).message


def test_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "governance.yaml").write_bytes(b"leverage_cap: \xff\n")
    error = refused(tmp_path)
    assert "the file is not text" in error.message


def test_date_stays_text(write: Write) -> None:
    text = "as_of: 2026-01-02\ninstruments: {}\n"
    assert load(write("instruments.yaml", text)).instruments.as_of == "2026-01-02"


def test_config_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder") as caught:
        load(tmp_path / "nothing")
    assert caught.value.found == "nothing"
    assert "governance.yaml" in caught.value.expected


def test_config_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "governance.yaml"
    path.write_text("leverage_cap: 1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="is no folder"):
        load(path)


def test_config_folder_without_a_known_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no configuration file"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "near"), [("goverance.yaml", "governance.yaml"), ("governance.yml", "governance.yaml")]
)
def test_misspelled_file_name_is_refused_not_ignored(write: Write, name: str, near: str) -> None:
    with pytest.raises(UsageError, match="not a file this desk reads") as caught:
        load(write(name, "leverage_cap: 1\n"))
    assert caught.value.remedy == f"rename it to {near}"


def test_folder_in_place_of_a_file_is_an_environment_problem(tmp_path: Path) -> None:
    (tmp_path / "governance.yaml").mkdir()
    with pytest.raises(EnvironmentProblem, match="cannot be read"):
        load(tmp_path)


def test_other_files_in_the_folder_do_not_matter(write: Write) -> None:
    write("notes.txt", "hello")
    assert load(write("governance.yaml", "leverage_cap: 2.0\n")).governance.leverage_cap == 2.0


def test_governance_cannot_be_assigned() -> None:
    config = load()
    with pytest.raises(ValueError, match="frozen"):
        config.governance.leverage_cap = 10.0  # type: ignore[misc]
    with pytest.raises(AttributeError):
        config.governance = RiskSettings(leverage_cap=10.0)  # type: ignore[misc]
    with pytest.raises(TypeError):
        config.provenance["governance.leverage_cap"] = "file:elsewhere"  # type: ignore[index]


def test_hashes_follow_values_not_where_they_come_from(write: Write) -> None:
    shipped = load()
    same = load(write("governance.yaml", "leverage_cap: 3\n"))
    assert (same.config_hash, same.governance_hash) == (shipped.config_hash, shipped.governance_hash)


def test_governance_hash_changes_with_a_limit_only(write: Write) -> None:
    shipped = load()
    other_symbols = load(write("symbols.yaml", "symbols: {BTC: {}}\n"))
    assert other_symbols.governance_hash == shipped.governance_hash
    assert other_symbols.config_hash != shipped.config_hash
    other_limit = load(write("governance.yaml", "leverage_cap: 2.9\n"))
    assert other_limit.governance_hash != shipped.governance_hash


@pytest.mark.parametrize("name", list(FILES))
def test_a_file_that_only_repeats_the_default_changes_no_value(write: Write, name: str) -> None:
    text = (DEFAULTS / f"{name}.yaml").read_text(encoding="utf-8")
    assert load(write(f"{name}.yaml", text)).config_hash == load().config_hash
