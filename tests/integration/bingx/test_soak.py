"""The whole desk on the fake exchange under random faults: ten minutes here, a day with `make soak`."""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from strategies.registry import REGISTRY
from tests.fakes.bingx import threaded
from tests.fakes.bingx.minutes import MINUTE_MS
from tests.fakes.bingx.settings import TEST_KEY, TEST_SECRET
from tests.fakes.bingx.sources import Waves
from tests.fakes.bingx_audit import audit
from tests.fakes.bingx_soak import START_MS, Soak, settings, soak
from tests.fakes.pulse_rule import SPEC, Pulse


@pytest.fixture(autouse=True)
def _pulse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(REGISTRY, SPEC.name, SPEC)
    yield
    Pulse.last_ns = 2**62
    gc.collect()  # a node that is still referred to keeps the next from being built


def check(out: Soak, at_least: int) -> None:
    """Audit a soak and print what was survived."""
    found = audit(out)
    counts = {name: out.faults[name] for name in sorted(out.faults)}
    funding = out.folder.read_json("summary.json")["venue_funding"]
    taken = (out.folder.table("decisions")["reason"] == "INSTRUMENT_TAKEN").sum()
    print(f"\nfunding {funding}; {taken} entries refused as another strategy was there; ", end="")
    print(f"balances differ by {found.balance_difference:+.6f} USDT")
    print(
        f"{found.intents} order intents, {found.venue_orders} orders at the venue, {found.fills} fills; "
        f"{sum(counts.values())} faults survived:\n{json.dumps(counts, indent=1)}"
    )
    assert found.doubled == found.missing == found.foreign == found.overfilled == []
    assert found.stale == []
    assert found.foreign_changes == []
    assert found.fills_differ == []
    assert found.positions_differ == []
    assert found.funding_differs == []
    assert abs(found.balance_difference) <= 0.01
    assert found.unexplained == {}
    assert found.netted == []
    assert out.folder.facts.netted
    assert found.intents >= at_least
    assert out.books["positions"]  # it ends with an open position and its stop
    assert [o for o in out.books["orders"] if o["status"] == "NEW" and o["type"] == "STOP_MARKET"]


def keys_in(folder: Path) -> list[str]:
    """Return the files of a folder that hold the key or the secret."""
    words = (TEST_KEY.encode(), TEST_SECRET.encode())
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(word in path.read_bytes() for word in words)
    ]


def test_ten_minutes_of_the_whole_desk_under_faults_leave_every_book_equal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # What is entered last is held over a settlement of funding two minutes before the end.
    exchange = replace(settings(speed=40.0), start_ms=START_MS + (480 - 17) * MINUTE_MS)
    with threaded.running(exchange, Waves(3)) as venue:
        out = soak(venue, tmp_path, minutes=18, seed=3)
    told = capfd.readouterr()
    assert TEST_KEY not in told.out + told.err
    assert TEST_SECRET not in told.out + told.err
    assert keys_in(tmp_path) == []
    assert sum(out.faults.values()) >= 10
    check(out, at_least=4)
    paid = out.folder.read_json("summary.json")["venue_funding"]
    assert paid["settlements"] >= 1
    assert paid["desk_usd"] != 0.0


@pytest.mark.soak
def test_a_day_of_the_whole_desk_under_faults_leaves_every_book_equal(tmp_path: Path) -> None:
    hours = float(os.environ.get("CRUPTO_SOAK_HOURS", "24"))
    seed = int(os.environ.get("CRUPTO_SOAK_SEED", "11"))
    with threaded.running(settings(speed=60.0), Waves(seed)) as venue:
        out = soak(venue, tmp_path, minutes=round(hours * 60), seed=seed)
    check(out, at_least=round(20 * hours))
