"""A feed that is not healthy at the start: the run fails in time, with its reason, whatever happens."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.live_runs import small_market


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_market(tmp_path_factory.mktemp("check") / "catalog")


def start(market: Path, folder: Path, behaviour: str) -> tuple[int, str, float]:
    """Start a paper run on a venue of that behaviour; return exit code, stderr and wall seconds."""
    case = {"catalog": str(market), "out": str(folder), "behaviour": behaviour, "check_s": 2.0}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "tests.fakes.live_runs", json.dumps(case)],
        cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stderr, time.monotonic() - began


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("refuses", "not connected"),
        ("hangs", "not connected"),
        ("blocks", "the node does not stop"),
        ("silent", "nothing heard of BTC-USDT.TEST, ETH-USDT.TEST"),
        ("half silent", "nothing heard of ETH-USDT.TEST"),
        ("raises", "OSError: no route to host"),
    ],
)
def test_the_start_fails_in_time_with_the_reason(
    market: Path, tmp_path: Path, behaviour: str, reason: str
) -> None:
    code, said, wall_s = start(market, tmp_path, behaviour)
    assert code == 3, said
    assert "the feed is not healthy after 2 s" in said
    assert reason in said
    assert wall_s < 30.0
    assert not list(tmp_path.glob("*/run.json"))
