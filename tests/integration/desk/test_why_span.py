"""`crupto why --start --end` on a run of the sample market: what each strategy was waiting for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from catalog.sample import FINE_START_NS, write_sample
from catalog.store import Catalog
from crupto_nautilus.cli.main import run
from crupto_nautilus.config import load_config
from crupto_nautilus.desk.backtest import run_backtest
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.reports.run_folder import RunFolder
from risk.vocabulary import DAY_NS

BTC = "BTC-USDT.SAMPLE"
DAY = ("--start", "2025-01-15", "--end", "2025-01-16")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    base = tmp_path_factory.mktemp("why")
    market = write_sample(base / "market").path
    options = BacktestOptions(
        catalog=market, config=load_config(env={}), out=base / "runs", run_id="r", equity=10_000.0,
        start_ns=FINE_START_NS + 8 * DAY_NS, end_ns=FINE_START_NS + 12 * DAY_NS,
    )  # fmt: skip
    return RunFolder(run_backtest(options))


def why(folder: RunFolder, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["why", str(folder.path), *arguments, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert isinstance(data, dict)
    return data


def test_the_span_names_the_condition_that_failed_and_by_how_much(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    data = why(folder, capsys, "--symbol", "BTC", *DAY)
    spans = {span["strategy"]: span for span in data["waiting"]}
    assert set(spans) == set(folder.facts.strategies)
    span = spans["breakout_4h"]
    assert span["bars"] == 6  # 4h bars of a day
    above = next(one for one in span["conditions"] if one["name"].startswith("close above"))
    # The miss is that of the bars themselves: highest high of the 20 bars before, less the close.
    bars = Catalog(Path(folder.facts.catalog)).bars(BTC, 240, None, data["end"])
    misses = {
        int(bars.ts_event[k]): max(bars.high[k - 20 : k]) - bars.close[k]
        for k in range(20, len(bars.close))
        if bars.ts_event[k] > data["start"]
    }
    unmet = {ts: miss for ts, miss in misses.items() if miss >= 0}
    assert above["met"] == len(misses) - len(unmet)
    assert above["missing_by"] == pytest.approx(min(unmet.values()))
    assert misses[above["nearest_ns"]] == pytest.approx(above["missing_by"])


def test_the_span_counts_what_was_refused_with_the_settings_of_the_run(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    data = why(folder, capsys, *DAY)
    decisions = folder.table("decisions")
    inside = decisions[(decisions["ts_event"] > data["start"]) & (decisions["ts_event"] <= data["end"])]
    assert data["signals"] == len(inside) > 0
    assert {row["reason"]: row["count"] for row in data["refused"]} == dict(
        inside[~inside["approved"]]["reason"].value_counts()
    )
    shown = {row["reason"]: row["settings"] for row in data["refused"]}
    assert any(text for text in shown.values())
    if "COOLDOWN" in shown:
        assert "cooldown_bars 3" in shown["COOLDOWN"]


def test_a_span_outside_the_run_and_two_questions_at_once_are_bad_usage(folder: RunFolder) -> None:
    assert run(["why", str(folder.path), "--start", "2020-01-01", "--end", "2020-01-02"]) == 2
    assert run(["why", str(folder.path), "--symbol", "BTC", "--at", "2025-01-15", *DAY]) == 2


def test_the_text_names_strategies_and_refusals(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["why", str(folder.path), "--symbol", "BTC", *DAY]) == 0
    text = capsys.readouterr().out
    assert "breakout_4h on BTC-USDT.SAMPLE" in text
    assert "missing by" in text
    assert "the regime allowed" in text
