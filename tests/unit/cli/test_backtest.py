"""`crupto backtest` and `crupto demo`: what they print and write, and what they refuse before they run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.markets import START_NS, from_closes, write_catalog
from tests.unit.cli.conftest import Crupto

BTC = "BTCUSDT-PERP.BINANCE"


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a catalog: 900 hours of a quiet wave, then a steady rise that a breakout follows."""
    folder = tmp_path_factory.mktemp("catalog")
    wave = 100.0 + np.cumsum(np.random.default_rng(5).normal(0.0, 0.3, 900))
    closes = np.concatenate([wave, wave[-1] + np.arange(1.0, 200.0) * 0.8])
    write_catalog(folder, {BTC: from_closes(closes.tolist(), wick=0.2, volume=1e6)}, 60)
    return folder


def test_a_run_prints_its_tables_and_writes_its_folder(crupto: Crupto, held: Path, tmp_path: Path) -> None:
    arguments = (
        "--symbols",
        "BTC",
        "--start",
        "2024-02-05",
        "--equity",
        "10000",
        "--strategies",
        "breakout_4h",
    )
    outcome = crupto(
        "backtest", "--catalog", held, *arguments, "--out", tmp_path, "--run-id", "one", "--json"
    )
    assert outcome.code == 0, outcome.out
    folder = tmp_path / "one"
    assert outcome.data["path"] == str(folder)
    assert outcome.data["summary"]["signals"] > 0
    run = json.loads((folder / "run.json").read_text())
    assert run["starting_equity"] == 10000.0
    assert run["strategies"] == ["breakout_4h"]
    assert run["start_ns"] >= START_NS
    assert (folder / "report.html").is_file()
    text = crupto("report", folder).out
    assert "verdict:" in text
    assert "note:" in text
    listed = crupto("runs", "--runs", tmp_path, "--json").data["runs"]
    assert [row["run_id"] for row in listed] == ["one"]
    again = crupto("backtest", "--catalog", held, *arguments, "--out", tmp_path, "--run-id", "one")
    assert again.code == 2
    assert "exists already" in again.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--symbols", "PEPE"), BTC),
        (("--strategies", "breakout"), "breakout_4h, volatility_expansion_15m"),
        (("--strategies", ","), "is empty"),
        (("--start", "2024-13-01"), "2023-01-31"),
        (("--end", "soon"), "2023-01-31"),
        (("--start", "2024-02-01", "--end", "2024-01-15"), "swap the two"),
        (("--start", "2030-01-01", "--end", "2030-02-01"), "bars"),
        (("--equity", "0"), "--equity"),
        (("--equity", "nan"), "--equity"),
        (("--base", "7m"), "1m 5m 15m 1h 4h"),
        (("--costs", "some"), "on"),
        (("--config", "nothing-here"), "is no folder"),
        (("--run-id", "../one"), "run id"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_written(
    crupto: Crupto, held: Path, tmp_path: Path, arguments: tuple[str, ...], word: str
) -> None:
    out = tmp_path / "runs"
    outcome = crupto("backtest", "--catalog", held, "--out", out, *arguments)
    assert outcome.code == 2, outcome.err
    assert word in outcome.err
    assert not out.exists() or not [path for path in out.iterdir() if path.name != "journal.db"]


def test_an_unknown_key_in_governance_stops_the_run(crupto: Crupto, held: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "governance.yaml").write_text("max_loss: 3\n")
    outcome = crupto("backtest", "--catalog", held, "--config", config, "--out", tmp_path / "runs")
    assert outcome.code == 2
    assert "governance.yaml" in outcome.err
    assert "max_loss" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_a_missing_catalog_names_the_command_that_makes_one(crupto: Crupto, tmp_path: Path) -> None:
    outcome = crupto("backtest", "--catalog", tmp_path / "nothing", "--out", tmp_path / "runs")
    assert outcome.code == 2
    assert "crupto catalog sample" in outcome.err


def test_mode_live_stops_a_backtest_too(
    crupto: Crupto, held: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODE", "live")
    outcome = crupto("backtest", "--catalog", held, "--out", tmp_path / "runs")
    assert outcome.code == 4


def test_a_torn_file_of_the_catalog_is_a_failed_check(crupto: Crupto, tmp_path: Path) -> None:
    write_catalog(tmp_path / "c", {BTC: from_closes([100.0 + i % 9 for i in range(1200)], wick=0.3)}, 60)
    part = next((tmp_path / "c" / "raw").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:200])
    outcome = crupto("backtest", "--catalog", tmp_path / "c", "--out", tmp_path / "runs")
    assert outcome.code == 1
    assert part.name in outcome.err
    assert not list((tmp_path / "runs").glob("*/run.json"))


def test_a_strategy_without_its_bars_is_named(crupto: Crupto, held: Path, tmp_path: Path) -> None:
    outcome = crupto("backtest", "--catalog", held, "--start", "2024-02-05", "--out", tmp_path)
    assert outcome.code == 0, outcome.err
    assert "range_reversion_5m had no bars to work on: it needs 5m, the finest are 1h" in outcome.out
    assert "breakout_4h had no bars" not in outcome.out


@pytest.mark.parametrize(("label", "replaced"), [("synthetic", True), ("real", False)])
def test_the_demo_replaces_the_sample_of_an_older_version_and_never_real_data(
    tmp_path: Path, label: str, replaced: bool
) -> None:
    from catalog.errors import CatalogError
    from catalog.sample import START_NS as FIRST
    from catalog.store import Catalog
    from crupto_nautilus.cli.demo import sample_market

    old = {"BTC-USDT.SAMPLE": from_closes([1.0, 2.0, 3.0])}
    write_catalog(tmp_path / "s", old, 60, start_ns=FIRST, label=label)
    if replaced:
        sample_market(tmp_path / "s")
        assert len(Catalog(tmp_path / "s").instruments()) > 1
    else:
        with pytest.raises(CatalogError):
            sample_market(tmp_path / "s")
        assert Catalog(tmp_path / "s").instruments() == ("BTC-USDT.SAMPLE",)
