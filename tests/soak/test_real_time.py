"""Real hours: the desk on a replay at speed 1, by the clock on the wall, from start to its own end.

The market is replayed minute by minute as it would come; `make soak` runs one hour, `make soak-24h` a day.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crupto_nautilus.cli.main import run as crupto
from crupto_nautilus.reports.run_folder import RunFolder
from tests.soak.market import START_NS, soak_catalog

pytestmark = pytest.mark.soak


def real_time(folder: Path, hours: int) -> RunFolder:
    """Run the desk for so many hours and return its run, checked."""
    soak_catalog(folder / "catalog", 4, hours + 1)
    start = f"{START_NS // 10**9}"
    done = subprocess.run(
        [
            sys.executable, "-m", "crupto_nautilus.cli", "paper", "--feed", "replay", "--speed", "1",
            "--duration", f"{hours}h", "--catalog", str(folder / "catalog"), "--equity", "10000",
            "--start", _iso(int(start)), "--out", str(folder / "runs"), "--run-id", "real",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "ERROR" not in done.stderr
    run = RunFolder(folder / "runs" / "real")
    summary = run.read_json("summary.json")
    print(
        f"\n{hours} h real time: exit reason {run.facts.exit_reason}, {run.facts.bars_processed} bars, "
        f"{summary['trades']} trades, latency {summary['latency']}"
    )
    assert run.facts.exit_reason.startswith("duration")
    assert abs(run.facts.bars_processed - 4 * hours * 60) <= 8
    assert crupto(["report", str(run.path), "--verify"]) == 0
    assert (
        crupto(["parity", "real", "--catalog", str(folder / "catalog"), "--runs", str(run.path.parent)]) == 0
    )
    return run


def _iso(seconds: int) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def test_one_real_hour(tmp_path: Path) -> None:
    real_time(tmp_path, 1)


@pytest.mark.day_long
def test_one_real_day(tmp_path: Path) -> None:
    real_time(tmp_path, 24)
