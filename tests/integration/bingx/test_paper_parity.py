"""Paper on BingX's data with sandbox execution; the replay of its recording decides and fills the same."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.verify import verify_run
from strategies.registry import REGISTRY
from tests.fakes.bingx import threaded
from tests.fakes.bingx.minutes import MINUTE_MS
from tests.fakes.bingx.sources import Waves
from tests.fakes.bingx_soak import START_MS, SYMBOLS, settings
from tests.fakes.pulse_rule import SPEC, Pulse
from tests.fakes.recorded_paper import bingx_data, hurried, on_own_thread, paper_options, played_and_replayed

SETTLEMENT_MS = START_MS + 480 * MINUTE_MS


@pytest.fixture(autouse=True)
def _pulse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(REGISTRY, SPEC.name, SPEC)
    yield
    Pulse.last_ns = 2**62
    gc.collect()  # a node that is still referred to keeps the next from being built


def prove(tmp: Path, speed: float, minutes: int) -> RunFolder:
    """Run, replay what was recorded through the backtest, and compare row by row."""
    exchange = replace(settings(speed), start_ms=SETTLEMENT_MS - 14 * MINUTE_MS, book_push_ms=5_000)
    with threaded.running(exchange, Waves(3)) as venue:
        names = tuple(f"{symbol}.BINGX" for symbol in SYMBOLS)
        options = paper_options(
            tmp, "bingx", bingx_data(venue), names, minutes, "pulse_1m", "range_reversion_5m"
        )
        with hurried(venue.fake.clock, speed, lambda: bool(venue.fake.stream.connections)):
            folder, found = on_own_thread(lambda: played_and_replayed(options))
    assert found.same, found
    assert list(verify_run(folder).violations) == []
    assert folder.facts.bars_processed == 2 * minutes
    return folder


def test_replay_of_a_recorded_run_on_bingx_is_identical(tmp_path: Path) -> None:
    Pulse.last_ns = (SETTLEMENT_MS - 2 * MINUTE_MS) * 10**6  # the last entry is held over the settlement
    folder = prove(tmp_path, speed=50.0, minutes=17)
    # A proof about nothing would be none.
    assert int((folder.table("entries")["filled"] > 0).sum()) >= 4
    assert len(folder.table("trades")) >= 2
    assert set(folder.table("funding")["instrument"]) == {"BTC-USDT.BINGX", "ETH-USDT.BINGX"}


@pytest.mark.soak
def test_replay_of_nine_hours_on_bingx_is_identical(tmp_path: Path) -> None:
    folder = prove(tmp_path, speed=60.0, minutes=540)
    assert int((folder.table("entries")["filled"] > 0).sum()) >= 60
