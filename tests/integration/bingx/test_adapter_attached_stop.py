"""The stop that the venue places with an entry is ours, whatever becomes of it before we have seen it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nautilus_trader.live import LiveExecutionEngineConfig

from adapters.bingx.factories import engine_config
from tests.fakes.bingx import threaded
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Script as Bars
from tests.fakes.bingx_node import execution_settings
from tests.fakes.bingx_scenario import BUY, SELL, Outcome, Trader, play

Steps = Iterator[Callable[[], Any]]
IN, STOP = "64000.0", "63000.0"


def _names(out: Outcome) -> dict[str, str]:
    """Return which client order id the adapter knows each order of the venue by."""
    journal = out.execution.journal
    return {str(o["orderId"]): journal._by_venue.get(str(o["orderId"]), "") for o in out.orders}


@pytest.mark.parametrize("stream_tells", [True, False])
def test_a_stop_that_fires_before_it_was_seen_closes_the_engines_position(stream_tells: bool) -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.protected("entry", "stop", "0.2", IN, STOP)
            yield t.is_("entry", "Accepted")
            venue.do("stream", data=stream_tells)

            def through(fake: Any) -> None:
                fake.venue.trade("BTC-USDT", "64000", "5")
                fake.venue.trade("BTC-USDT", "62900", "50")

            venue.call(through)
            yield t.closed("stop")

        out = play(venue, script, execution_settings(venue, "BTC-USDT", reconcile_s=0.5))
    assert out.position == 0
    assert out.trader.size() == 0
    assert out.trader.told("stop")[-1] == "Filled"
    assert [o["type"] for o in out.orders] == [
        "LIMIT",
        "STOP_MARKET",
        "MARKET",
    ]
    assert len(out.trader.fills("stop")) == len([f for f in out.fills if f["side"] == "sell"])
    assert not [p for p in out.execution.problems if "not one of ours" in p]


def test_a_stop_that_ended_with_its_position_while_nobody_could_look_is_known_as_ours() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.protected("entry", "stop", "0.2", IN, STOP)
            yield t.is_("entry", "Accepted")
            venue.do("frame_fault", kind="drop", scope="private", times=100)
            venue.do("rest_fault", name="http_500", path="/trade/openOrders", times=4)
            venue.do("trade", symbol="BTC-USDT", price="64000", quantity="5")
            yield t.closed("entry")
            t.market("out", SELL, "0.2", reduce=True)
            yield lambda: t.closed("out")() and t.closed("stop")()

        out = play(venue, script, execution_settings(venue, "BTC-USDT", reconcile_s=0.2))
    assert out.position == 0
    assert list(_names(out).values()) == ["entry", "stop", "out"]
    assert not [p for p in out.execution.problems if "not one of ours" in p]


@pytest.mark.parametrize(
    ("interval_ms", "last"),
    [(20, "Rejected"), (engine_config().inflight_check_interval_ms, "Accepted")],
    ids=["the engine's timer", "ours"],
)
def test_a_stop_waits_for_its_entry_longer_than_the_engine_waits_for_an_answer(
    interval_ms: int, last: str
) -> None:
    impatient = LiveExecutionEngineConfig(
        reconciliation_startup_delay_secs=0.5,
        inflight_check_interval_ms=interval_ms,
        inflight_check_threshold_ms=40,
        inflight_check_retries=1,
    )
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.protected("entry", "stop", "0.2", IN, STOP)
            yield t.is_("entry", "Accepted")
            since = time.monotonic()
            yield lambda: time.monotonic() > since + 0.6
            venue.do("trade", symbol="BTC-USDT", price="64000", quantity="5")
            yield t.is_("stop", "Accepted", "Rejected")

        out = play(venue, script, execution_settings(venue, "BTC-USDT"), engine=impatient)
    assert out.trader.told("stop")[-1] == last


def test_the_dead_mans_switch_is_off_while_an_entry_rests_that_carries_its_stop() -> None:
    with threaded.running(Settings(speed=20.0), Bars()) as venue:

        def armed() -> bool:
            return venue.call(lambda fake: fake.venue.cancel_all_at_ms) is not None

        def script(t: Trader) -> Steps:
            t.limit("bare", BUY, "0.1", "60000.0")
            yield lambda: t.is_("bare", "Accepted")() and armed()
            t.protected("entry", "stop", "0.2", IN, STOP)
            yield t.is_("entry", "Accepted")
            assert not armed()
            rounds = venue.fake.clock.now_ms()
            yield lambda: venue.fake.clock.now_ms() > rounds + 3_000
            assert not armed()

        out = play(venue, script, execution_settings(venue, "BTC-USDT", dead_man_seconds=10))
        venue.do("trade", symbol="BTC-USDT", price="64000", quantity="5")  # nobody is there any more
        venue.do("advance", seconds=60.0)
        after = venue.do("books")["orders"]
    assert out.position == 0  # the node ended while the entry rested
    assert [o["type"] for o in after if o["status"] == "NEW" and o["stopPrice"]] == ["STOP_MARKET"]
