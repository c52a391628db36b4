"""A feed that is not healthy at the start: the run fails in time, with its reason, whatever happens."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from risk.vocabulary import Bar
from tests.fakes.live_feed import Arrival
from tests.fakes.live_runs import Deliver, LiveCase, LiveRun, on_time, run_all

CHECK_S = 1.0
HEARD_CHECK_S = 3.0  # where the node must have connected, which takes a busy machine more than a second
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


def case(name: str, deliver: Deliver = nothing, **more: Any) -> LiveCase:
    return LiveCase(name, deliver, **({"check_s": CHECK_S, "connect_s": CONNECT_S} | more))


CASES = [
    case("refuses", connecting=refuse),
    case("hangs", connecting=hang),
    case("blocks", connecting=block),
    case("silent", endless=True, check_s=HEARD_CHECK_S),
    case("half silent", only_btc, endless=True, check_s=HEARD_CHECK_S),
    case("breaks", breaking, give_up_s=1e12, check_s=HEARD_CHECK_S),
    case("healthy", lambda bars, _: on_time(bars), end_bar=6, check_s=HEARD_CHECK_S),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LiveRun]:
    return run_all("tests.integration.feed.test_feed_check", tmp_path_factory.mktemp("check"))


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
    assert re.match(r"the feed is not healthy after [13] s\n", run.error)
    assert reason in run.error
    assert run.exit_reason == ""  # there is no run folder of a run that did not begin


def test_a_healthy_feed_passes_the_check(runs: dict[str, LiveRun]) -> None:
    assert (runs["healthy"].error, runs["healthy"].exit_reason) == ("", "completed")
