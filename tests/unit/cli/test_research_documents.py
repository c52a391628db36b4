"""`crupto research schema`, `check`, `propose` and `lookahead`: what they print and how they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from catalog.schema import Kind
from catalog.store import Catalog
from crupto_nautilus.cli.main import run
from research.dsl import parse_document
from research.dsl.builtin import builtin_text
from risk.vocabulary import HOUR_NS
from tests.fakes.research import document, traded_history

NAME = "BTC-USDT.TEST"
PEEKING = """
import pandas as pd
class Peek:
    minutes = 60
    def compute(self, table):
        return pd.DataFrame({"enter_long": (table.close.shift(-1) > table.close).astype(int)})
"""


@pytest.fixture(scope="module")
def catalog_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("research") / "catalog"
    bars = traded_history(1500, 3).bars
    columns = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
    Catalog.create(folder).add(Kind.OHLCV, NAME, 60, {"ts_utc": bars.ts_event - HOUR_NS, **columns})
    return folder


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, object]:
    assert run(["research", *arguments, "--json"]) == code
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_schema_is_printed_and_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = said(capsys, "schema")
    assert made["additionalProperties"] is False
    assert run(["research", "schema", "--out", str(tmp_path / "s" / "document.json")]) == 0
    assert json.loads((tmp_path / "s" / "document.json").read_text()) == made


def test_check_tells_what_a_document_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(builtin_text("breakout_4h"))
    made = said(capsys, "check", str(file))
    assert made["document_hash"] == parse_document(file.read_text()).document_hash
    assert made["entry_long"] == "((close > highest(lag(high,1),20)) and (adx(14) >= 20.0osc))"
    file.write_text("version: 1")
    assert said(capsys, "check", str(file), code=2)["error"] == "DocumentError"
    assert said(capsys, "check", str(tmp_path / "none"), code=3)["error"] == "EnvironmentProblem"


def test_proposals_are_reproducible_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ("propose", "--count", "3", "--seed", "5", "--timeframes", "1h,4h")
    one, two = said(capsys, *arguments), said(capsys, *arguments, "--out", str(tmp_path))
    assert one["documents"] == two["documents"]
    assert len([parse_document(file.read_text()) for file in tmp_path.iterdir()]) == 3
    assert said(capsys, "propose", "--timeframes", "2h", code=2)["error"] == "UsageError"


def test_lookahead_passes_a_document_and_fails_a_class_that_peeks(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, catalog_dir: Path
) -> None:
    where = ("--catalog", str(catalog_dir), "--symbol", "BTC")
    file = tmp_path / "plain.json"
    file.write_text(document().canonical_json())
    made = said(capsys, "lookahead", str(file), *where)
    assert (made["ok"], made["leaks"]) == (True, [])
    peeking = tmp_path / "peek.py"
    peeking.write_text(PEEKING)
    found = said(capsys, "lookahead", f"{peeking}:Peek", *where, code=1)
    assert found["ok"] is False
    assert "enter_long" in json.dumps(found["leaks"])
    assert said(capsys, "lookahead", "nothing", *where, code=2)["error"] == "ResearchError"
