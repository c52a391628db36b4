"""A7, A8, A9, A10, A11: what the user stream does not say is found out; what it says is heard once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.bingx.config import StreamSettings
from tests.fakes.bingx import threaded
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Script as Bars
from tests.fakes.bingx.sources import Waves
from tests.fakes.bingx_node import QUICK, data_settings, execution_settings
from tests.fakes.bingx_scenario import BUY, SELL, Trader, play

Steps = Iterator[Callable[[], Any]]


def test_a7_fill_while_the_socket_is_down_comes_from_the_fill_history() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.limit("rest", BUY, "0.5", "64000.0")
            yield t.is_("rest", "Accepted")
            venue.do("stream", refuse_handshakes=[[503, 0]] * 3)
            venue.do("close_sockets", scope="private", code=None)
            for quantity in ("0.2", "0.3"):
                venue.do("trade", symbol="BTC-USDT", price="64000", quantity=quantity)
            yield t.closed("rest")
            t.market("exit", SELL, "0.5", reduce=True)
            yield lambda: t.closed("exit")() and t.size() == 0

        out = play(venue, script, execution_settings(venue, "BTC-USDT", reconcile_s=600.0))
    assert [str(e.last_qty) for e in out.trader.fills("rest")] == ["0.2000", "0.3000"]
    assert {str(e.trade_id) for e in out.trader.fills("rest")} <= {f["tradeId"] for f in out.fills}
    assert venue.fake.stream_faults.counts["handshake 503"] == 3


def test_a8_sixty_one_minutes_are_one_key_one_socket_and_no_event_twice() -> None:
    settings = Settings(speed=720.0, ping_s=240.0, pong_limit_s=7_200.0)
    with threaded.running(settings, Bars()) as venue:
        start = venue.call(lambda fake: fake.venue.time_ms)

        def script(t: Trader) -> Steps:
            t.market("early", BUY, "0.01")
            yield t.closed("early")
            yield lambda: venue.fake.venue.time_ms - start > 61 * 60_000 and venue.fake.keys.extended >= 3
            t.market("late", SELL, "0.01", reduce=True)
            yield lambda: t.closed("late")() and t.size() == 0

        execution = execution_settings(venue, "BTC-USDT", reconcile_s=3_600.0, dead_man_seconds=0)
        out = play(venue, script, execution, patience_s=30.0)
        counts = venue.do("counts")
    assert counts["listen_keys_made"] == 1
    assert counts["listen_keys_extended"] >= 3
    assert out.execution.user.socket.counters.connects == 1
    for name in ("early", "late"):
        assert out.trader.told(name).count("Filled") == len(out.trader.fills(name)) == 1
    assert out.execution.ledger.repeated_fills == 0


@pytest.mark.parametrize("tell", [True, False], ids=["told", "silently"])
def test_a8_expired_listen_key_is_replaced_and_nothing_is_missed(tell: bool) -> None:
    with threaded.running(Settings(speed=20.0, ping_s=20.0, pong_limit_s=600.0), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.limit("rest", BUY, "0.5", "64000.0")
            yield t.is_("rest", "Accepted")
            venue.do("expire_listen_keys", tell=tell)
            venue.do("trade", symbol="BTC-USDT", price="64000", quantity="5")
            yield t.closed("rest")

        execution = execution_settings(venue, "BTC-USDT", key_renewal_s=40.0, reconcile_s=3_600.0)
        out = play(venue, script, execution)
        made = venue.do("counts")["listen_keys_made"]
    assert made == 2
    assert out.trader.told("rest").count("Filled") == 1


@pytest.mark.parametrize("keeps_id", [False, True], ids=["new order", "same order"])
def test_a9_stop_that_fires_without_an_event_is_found_by_its_position(keeps_id: bool) -> None:
    with threaded.running(Settings(silent_triggers=True, triggered_keeps_id=keeps_id), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.market("entry", BUY, "0.5")
            yield t.closed("entry")
            t.stop("stop", SELL, "0.5", "64000.0")
            yield t.is_("stop", "Accepted")
            venue.do("trade", symbol="BTC-USDT", price="63999", quantity="5")
            yield lambda: t.closed("stop")() and t.size() == 0

        out = play(venue, script, execution_settings(venue, "BTC-USDT", reconcile_s=600.0))
    assert out.trader.told("stop")[-1] == "Filled"
    assert str(out.trader.fills("stop")[0].trade_id) == out.fills[-1]["tradeId"]
    assert out.position == 0


@pytest.mark.parametrize("answer", ["null_data", "empty_object", "truncate", "http_502"])
def test_a10_malformed_positions_never_make_the_position_flat(answer: str) -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.market("entry", BUY, "0.5")
            yield t.closed("entry")
            for path in ("/user/positions", "/trade/openOrders", "/trade/fillHistory"):
                venue.do("rest_fault", name=answer, path=path, times=40)
            venue.do("close_sockets", scope="private", code=None)  # reconciles after it
            calls = venue.fake.call_counts
            before = sum(calls.values())
            yield lambda: sum(calls.values()) > before + 6
            since = time.monotonic()
            yield lambda: time.monotonic() - since > 1.0
            assert t.size() == 0.5

        out = play(venue, script, execution_settings(venue, "BTC-USDT", reconcile_s=1.0))
    assert out.position == 0.5
    assert out.trader.told("entry").count("Filled") == 1
    assert out.execution.problems  # the operator is told that the question stays open


def test_a11_silent_stream_is_noticed_within_the_limit_and_opened_again() -> None:
    limit_s = 1.0
    assert StreamSettings().silence_s * 1.2 <= 15.0  # noticed a fifth of the limit later at most
    with threaded.running(Settings(ping_s=0.2), Bars()) as venue:
        noticed: list[float] = []

        def script(t: Trader) -> Steps:
            t.limit("rest", BUY, "0.5", "64000.0")
            yield t.is_("rest", "Accepted")
            before = venue.fake.stream.handshakes
            venue.do("stream", ping=False, data=False)
            since = time.monotonic()
            venue.do("trade", symbol="BTC-USDT", price="64000", quantity="5")
            yield lambda: venue.fake.stream.handshakes > before + 1  # market data and user stream
            noticed.append(time.monotonic() - since)
            venue.do("stream", ping=True, data=True)
            yield t.closed("rest")

        stream = replace(QUICK, silence_s=limit_s)
        execution = execution_settings(venue, "BTC-USDT", stream=stream, reconcile_s=600.0)
        out = play(venue, script, execution, data_settings(venue, "BTC-USDT", stream=stream))
    assert noticed[0] <= limit_s * 1.2 + 0.5
    assert out.trader.told("rest").count("Filled") == 1


def test_a11_bad_frames_do_not_end_the_stream() -> None:
    with threaded.running(Settings(speed=10.0), Waves(5)) as venue:

        def script(t: Trader) -> Steps:
            for kind in ("bad_gzip", "bad_json", "text", "truncate"):
                venue.do("frame_fault", kind=kind, scope="all", times=3)
            t.market("entry", BUY, "0.5")
            yield t.closed("entry")
            t.market("exit", SELL, "0.5", reduce=True)
            yield lambda: t.closed("exit")() and t.size() == 0

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert sum(venue.fake.stream_faults.counts.values()) == 12
    assert out.position == 0
