"""Twenty runs struck at twenty random moments, by kill and by signal: each ends as the one that was not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fakes.paper_scenario import BARS
from tests.fakes.restarts import differences, fresh, market_of, process

pytestmark = pytest.mark.soak

MOMENTS = 20
SEED = 20


def moments() -> list[tuple[int, str]]:
    """Return (marks of the feed handled, signal), spread over the run, at random within their part of it."""
    draw = random.Random(SEED)
    part = (2 * BARS - 4) / MOMENTS  # two marks a bar
    return [(2 + int(part * (k + draw.random())), "TERM" if k % 4 == 3 else "KILL") for k in range(MOMENTS)]


def test_twenty_runs_struck_at_random_moments_end_as_the_one_that_was_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    market = market_of(tmp_path / "market")
    undisturbed = fresh(market, tmp_path / "undisturbed")
    assert process(undisturbed).returncode == 0
    failed = []
    for marks, signal in moments():
        folder = fresh(market, tmp_path / f"{signal}-{marks}")
        struck = process(folder, "--at", marks, "--signal", signal)
        resumed = process(folder, "--resume")
        codes = (struck.returncode, resumed.returncode)
        found = (
            differences(undisturbed / "runs" / "run", folder / "runs" / "run")
            if codes == (-9 if signal == "KILL" else 0, 0)
            else [f"exit codes {codes}: {resumed.stderr[-400:]}"]
        )
        with capsys.disabled():
            print(f"{signal} at mark {marks}: {found or 'same'}", flush=True)
        if found:
            failed.append((marks, signal))
    with capsys.disabled():
        print(f"{MOMENTS - len(failed)} of {MOMENTS} resumed runs equal the undisturbed one")
    assert failed == []
