"""The desk on an exchange that it knows only through ccxt: sandbox paper, verified books, parity."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crupto_nautilus.reports.verify import verify_run
from strategies.registry import REGISTRY
from tests.fakes.bingx.minutes import MINUTE_MS
from tests.fakes.bingx.sources import Waves
from tests.fakes.bingx_soak import START_MS, settings
from tests.fakes.bybit import node
from tests.fakes.pulse_rule import SPEC, Pulse
from tests.fakes.recorded_paper import paper_options, played_and_replayed

NAMES = ("BTCUSDT-PERP.BYBIT", "ETHUSDT-PERP.BYBIT")
SPEED = 150.0
SETTLEMENT_MS = START_MS + 480 * MINUTE_MS


@pytest.fixture(autouse=True)
def _pulse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(REGISTRY, SPEC.name, SPEC)
    yield
    Pulse.last_ns = 2**62
    gc.collect()  # a node that is still referred to keeps the next from being built


def test_a_run_on_bybit_verifies_and_its_replay_is_identical(tmp_path: Path) -> None:
    Pulse.last_ns = (SETTLEMENT_MS - 2 * MINUTE_MS) * 10**6  # the last entry is held over the settlement
    exchange = replace(settings(speed=SPEED), start_ms=SETTLEMENT_MS - 14 * MINUTE_MS, book_push_ms=5_000)
    with node.running(exchange, Waves(3)) as bybit:
        data = bybit.call(node.data_of)
        options = paper_options(tmp_path, "ccxt:bybit", data, NAMES, 17, "pulse_1m")
        folder, found = played_and_replayed(options, bybit.fake.clock, SPEED)
    assert found.same, found
    assert list(verify_run(folder).violations) == []
    # A proof about nothing would be none.
    assert int((folder.table("entries")["filled"] > 0).sum()) >= 4
    assert len(folder.table("trades")) >= 2
    assert set(folder.table("funding")["instrument"]) == set(NAMES)
    feed = folder.read_json("summary.json")["feed"]
    assert feed["quotes"] > 0
    assert feed["refused"] == 0
