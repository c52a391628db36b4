"""The paper desk in a live node decides exactly as the backtest; a difference is found and named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crupto_nautilus.cli.main import run
from crupto_nautilus.reports.run_folder import RunFolder

WINDOW = ("--start", "2025-06-01", "--end", "2025-06-08")


def crupto(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own: a process can hold one live node."""
    return subprocess.run(
        [sys.executable, "-m", "crupto_nautilus.cli", *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory, market_dir: Path) -> Path:
    folder = tmp_path_factory.mktemp("paper") / "catalog"
    for kind in ("perp_1m", "perp_1h"):
        assert run(["catalog", "import", str(market_dir / kind), "--catalog", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def paper_run(catalog: Path) -> RunFolder:
    runs = catalog.parent / "runs"
    done = crupto(
        "paper", "--catalog", str(catalog), "--symbols", "BTC,ETH,SOL,XRP", *WINDOW,
        "--equity", "10000", "--out", str(runs), "--run-id", "week",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return RunFolder(runs / "week")


def test_a_week_of_one_minute_bars_is_identical_in_the_live_node(
    paper_run: RunFolder, catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["parity", "week", "--catalog", str(catalog), "--runs", str(paper_run.path.parent)]
    assert run(arguments) == 0
    assert "identical" in capsys.readouterr().out
    entries = paper_run.table("entries")
    assert int((entries["filled"] > 0).sum()) >= 10  # a proof about nothing would be none


def test_the_books_of_a_paper_run_verify(paper_run: RunFolder) -> None:
    assert run(["report", str(paper_run.path), "--verify"]) == 0


def test_another_configuration_is_refused(paper_run: RunFolder, catalog: Path, tmp_path: Path) -> None:
    (tmp_path / "governance.yaml").write_text("max_cost_r: 0.30\n")
    arguments = ["parity", "week", "--catalog", str(catalog), "--runs", str(paper_run.path.parent)]
    assert run([*arguments, "--config", str(tmp_path)]) == 2


def test_a_changed_decision_is_found_and_its_cause_named(
    paper_run: RunFolder, catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    runs = tmp_path / "runs"
    shutil.copytree(paper_run.path, runs / "week")
    file = runs / "week" / "decisions.parquet"
    table = pq.read_table(file)
    column = table.column_names.index("quantity")
    changed = table.set_column(column, table.schema.field(column), pc.add(table["quantity"], 0.001))
    pq.write_table(changed, file)
    assert run(["parity", "week", "--catalog", str(catalog), "--runs", str(runs)]) == 1
    assert "first cause: risk-state" in capsys.readouterr().out


def test_a_run_ends_by_itself_after_so_many_instants(catalog: Path, tmp_path: Path) -> None:
    done = crupto(
        "paper", "--catalog", str(catalog), "--symbols", "BTC", *WINDOW, "--max-cycles", "300",
        "--out", str(tmp_path), "--run-id", "short",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = RunFolder(tmp_path / "short")
    assert folder.facts.exit_reason == "max_cycles 300"
    assert folder.facts.bars_processed == 300


def test_an_interrupted_run_writes_what_happened(catalog: Path, tmp_path: Path) -> None:
    import signal
    import time

    command = [
        sys.executable, "-m", "crupto_nautilus.cli", "paper", "--catalog", str(catalog), "--symbols", "BTC",
        *WINDOW, "--speed", "600", "--out", str(tmp_path), "--run-id", "stopped", "--status-every", "1s",
    ]  # fmt: skip
    log = tmp_path / "log"
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        until = time.monotonic() + 90.0
        while "ACTIVE" not in log.read_text() and time.monotonic() < until:
            time.sleep(0.2)
        time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=60)
    assert code == 0, log.read_text()
    folder = RunFolder(tmp_path / "stopped")
    assert folder.facts.exit_reason == "interrupted"
    assert folder.facts.bars_processed > 0
    assert run(["parity", "stopped", "--runs", str(tmp_path)]) == 0
    assert "identical" in (folder.path / "parity.md").read_text()


def test_the_books_of_a_run_that_ended_early_verify_at_where_it_ended(catalog: Path) -> None:
    runs = catalog.parent / "early"
    done = crupto(
        "paper", "--catalog", str(catalog), "--symbols", "BTC,ETH,SOL,XRP", "--start", "2025-06-05T13:50:00",
        "--end", "2025-06-06", "--equity", "10000", "--max-cycles", "61", "--out", str(runs), "--run-id", "e",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(RunFolder(runs / "e").table("fills")) > 0
    assert run(["report", str(runs / "e"), "--verify"]) == 0
