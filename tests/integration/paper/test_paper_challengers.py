"""Challengers beside a paper run, and a canary in a run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.sample import write_sample
from crupto_nautilus.cli.main import run
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.verify import run_hash, verify_run
from research.dsl import parse_document
from tests.fakes.proven import promoted

SPAN = ("--start", "2025-01-08", "--end", "2025-01-14", "--equity", "10000")
BOTH = "[long, short]"
DOCUMENT = Path(__file__).parents[3] / "research" / "dsl" / "builtin" / "expansion_15m.yaml"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("challengers") / "market").path


def crupto(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own: a process can hold one live node."""
    env = {"PATH": os.environ["PATH"], "PROMETHEUS_PORT": "0"} | variables
    command = [sys.executable, "-m", "crupto_nautilus.cli", *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def challenger_file(folder: Path, *entries: str) -> str:
    shutil.copy(DOCUMENT, folder / "doc.yaml")
    path = folder / "challengers.yaml"
    path.write_text("challengers:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries))
    return str(path)


def document(regimes: str, hash_of: str = "", more: str = "") -> str:
    stated = hash_of or parse_document(DOCUMENT.read_text()).document_hash
    return f"id: doc, document: doc.yaml, document_hash: '{stated}', regimes: {regimes}{more}"


def test_shadows_of_a_live_node_trade_as_in_a_backtest_and_leave_the_desk_alone(
    market: Path, tmp_path: Path
) -> None:
    regimes = f"{{trend_up: {BOTH}, trend_down: {BOTH}, range_highvol: {BOTH}}}"
    copied = f"id: copy, strategy: volatility_expansion_15m, regimes: {regimes}"
    challengers = challenger_file(tmp_path, copied, document(regimes))
    common = ("--catalog", market, *SPAN, "--out", tmp_path)
    done = crupto("paper", *common, "--run-id", "beside", CHALLENGER_CONFIG=challengers)
    assert done.returncode == 0, done.stderr
    backtest = ("backtest", *common, "--no-journal", "--unlock-after-hours", "0")
    assert run([str(a) for a in (*backtest, "--run-id", "without")]) == 0
    alone = (*backtest, "--run-id", "alone", "--strategies", "volatility_expansion_15m")
    assert run([str(a) for a in alone]) == 0

    beside = RunFolder(tmp_path / "beside")
    assert not [note for note in beside.facts.notes if "challenger" in note]
    assert run_hash(beside) == run_hash(RunFolder(tmp_path / "without"))
    copy = RunFolder(beside.path / "shadow" / "copy")
    assert run_hash(copy) == run_hash(RunFolder(tmp_path / "alone"))
    assert len(copy.table("trades")) >= 3
    doc = RunFolder(beside.path / "shadow" / "doc")
    assert len(doc.table("signals")) > 0
    assert verify_run(copy).ok
    assert verify_run(doc).ok
    assert set(beside.read_json("summary.json")["challengers"]) == {"copy", "doc"}
    assert "doc (unproven)" in (beside.path / "summary.md").read_text()
    assert "copy (unproven)" not in (beside.path / "summary.md").read_text()
    assert (beside.path / "shadow" / "doc.parquet").is_file()


def test_a_document_that_is_not_the_approved_one_is_refused(market: Path, tmp_path: Path) -> None:
    challengers = challenger_file(tmp_path, document("{panic: [long]}", hash_of="0" * 64))
    done = crupto("backtest", "--catalog", market, *SPAN, "--out", tmp_path, CHALLENGER_CONFIG=challengers)
    assert done.returncode == 2, done.stderr
    assert "is not the document that was approved" in done.stderr


def test_a_canary_trades_with_its_share_of_the_risk(market: Path, tmp_path: Path) -> None:
    promoted(tmp_path, parse_document(DOCUMENT.read_text()), "canary-2")
    done = crupto(
        "backtest", "--catalog", market, "--start", "2025-01-08", "--end", "2025-01-24", "--equity", "10000",
        "--out", tmp_path, "--run-id", "canary", "--no-journal", "--config", tmp_path / "config",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = RunFolder(tmp_path / "canary")
    name = parse_document(DOCUMENT.read_text()).name
    assert name in folder.facts.strategies
    approved = folder.table("decisions").query("approved")
    canary = approved[approved["strategy"] == name]
    assert len(canary) >= 1
    # Budget at most 1.1 %, times a multiplier of at most 1.5, times the share.
    assert (canary["risk_pct"] <= 0.25 * 1.1 * 1.5 + 1e-9).all()
    assert all("canary: risk_share 0.25" in json.loads(clamps) for clamps in canary["clamps"])
    assert len(folder.table("fills").query("strategy == @name")) >= 1  # counted in the books
    assert verify_run(folder).ok


def test_a_canary_that_nothing_proves_is_refused(market: Path, tmp_path: Path) -> None:
    entry = document(f"{{trend_up: {BOTH}}}", more=", stage: canary, risk_share: 0.25")
    done = crupto(
        "backtest", "--catalog", market, *SPAN, "--out", tmp_path, "--no-journal",
        CHALLENGER_CONFIG=challenger_file(tmp_path, entry),
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "nothing proves" in done.stderr
