"""A feed that is not healthy at the start: the run fails in time, with its reason, whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from unittest.mock import patch

import pytest

from crupto_nautilus.desk import paper
from risk.vocabulary import Bar
from tests.fakes.live_feed import Arrival
from tests.fakes.live_runs import LiveCase, LiveRun, on_time, run_all

CHECK_S = 1.0
CONNECT_S = 3


async def refuse() -> None:
    raise ConnectionRefusedError("connection refused")


async def hang() -> None:
    await asyncio.Event().wait()


async def block() -> None:
    time.sleep(1_000)


def nothing(_bars: Mapping[str, list[Bar]], _case: LiveCase) -> Iterable[Arrival]:
    return ()


def only_btc(bars: Mapping[str, list[Bar]], _case: LiveCase) -> Iterable[Arrival]:
    return [a for a in on_time(bars)[:4] if isinstance(a.what, Bar) and a.what.instrument.startswith("BTC")]


def breaking(bars: Mapping[str, list[Bar]], _case: LiveCase) -> Iterable[Arrival]:
    def lost() -> None:
        raise OSError("no route to host")

    return (Arrival(on_time(bars)[0].at_ns, lost) for _ in range(1_000_000))


CASES = {
    "refuses": LiveCase("refuses", nothing, connecting=refuse),
    "hangs": LiveCase("hangs", nothing, connecting=hang),
    "blocks": LiveCase("blocks", nothing, connecting=block),
    "silent": LiveCase("silent", nothing, endless=True),
    "half silent": LiveCase("half silent", only_btc, endless=True),
    "breaks": LiveCase("breaks", breaking, give_up_s=1e12),
    "healthy": LiveCase("healthy", lambda bars, _: on_time(bars), end_bar=6),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LiveRun]:
    for case in CASES.values():
        case.check_s = CHECK_S
    with patch.object(paper, "CONNECT_TIMEOUT_S", CONNECT_S):
        return run_all(CASES.values(), tmp_path_factory.mktemp("check"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("refuses", "not connected"),
        ("hangs", "not connected"),
        ("blocks", "the node does not stop: the process is ended"),
        ("silent", "nothing heard of BTC-USDT.TEST, ETH-USDT.TEST"),
        ("half silent", "nothing heard of ETH-USDT.TEST"),
        ("breaks", "OSError: no route to host"),
    ],
)
def test_the_start_fails_with_the_reason(runs: dict[str, LiveRun], name: str, reason: str) -> None:
    run = runs[name]
    assert run.exit_code == 3
    assert "the feed is not healthy after 1 s" in run.error
    assert reason in run.error
    assert run.exit_reason == ""  # there is no run folder of a run that did not begin


def test_a_healthy_feed_passes_the_check(runs: dict[str, LiveRun]) -> None:
    assert (runs["healthy"].error, runs["healthy"].exit_reason) == ("", "completed")
