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


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return market_of(tmp_path_factory.mktemp("matrix") / "market")


@pytest.fixture(scope="module")
def undisturbed(market: Path) -> Path:
    folder = fresh(market, market.parent / "undisturbed")
    assert process(folder).returncode == 0
    return folder / "runs" / "run"


@pytest.mark.parametrize(("marks", "signal"), moments())
def test_a_run_struck_at_a_random_moment_ends_as_the_one_that_was_not(
    market: Path, undisturbed: Path, marks: int, signal: str
) -> None:
    folder = fresh(market, market.parent / f"{signal}-{marks}")
    struck = process(folder, "--at", marks, "--signal", signal)
    assert struck.returncode == (-9 if signal == "KILL" else 0), struck.stderr
    resumed = process(folder, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert differences(undisturbed, folder / "runs" / "run") == []
