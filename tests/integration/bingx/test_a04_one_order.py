"""A4, A5, A6: one intent is one order, whatever happens to its request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fakes.bingx import threaded
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Script as Bars
from tests.fakes.bingx_node import execution_settings
from tests.fakes.bingx_scenario import BUY, SELL, Outcome, Trader, play

Steps = Iterator[Callable[[], Any]]
POST = {"path": "/trade/order", "method": "POST"}


def named_orders(out: Outcome) -> list[tuple[str, str]]:
    """Return (type, client id) of the venue's orders, oldest first."""
    return [(o["type"], o["clientOrderId"]) for o in out.orders]


@pytest.mark.parametrize("fault", ["drop_after", "truncate", "hang", "null_data"])
def test_a4_executed_order_whose_answer_is_lost_is_found_and_not_sent_again(fault: str) -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            venue.do("rest_fault", name=fault, seconds=6.0, **POST)
            t.market("entry", BUY, "0.01")
            yield t.closed("entry")
            t.market("exit", SELL, "0.01", reduce=True)
            yield lambda: t.closed("exit")() and t.size() == 0

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert named_orders(out) == [("MARKET", "entry"), ("MARKET", "exit")]
    assert out.trader.told("entry").count("Filled") == 1


@pytest.mark.parametrize("fault", ["drop_before", "hang_before", "http_504", "busy"])
def test_a4_entry_that_was_not_executed_is_given_up_and_leaves_no_order(fault: str) -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            venue.do("rest_fault", name=fault, seconds=6.0, **POST)
            t.market("entry", BUY, "0.01")
            yield t.is_("entry", "Rejected")

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert (out.orders, out.position) == ([], 0)


@pytest.mark.parametrize("fault", ["drop_before", "hang_before", "http_504", "busy", "rate_109429"])
def test_a4_exit_that_was_not_executed_is_sent_again_under_the_same_id(fault: str) -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.market("entry", BUY, "0.01")
            yield t.closed("entry")
            venue.do("rest_fault", name=fault, seconds=6.0, **POST)
            t.market("exit", SELL, "0.01", reduce=True)
            yield lambda: t.closed("exit")() and t.size() == 0

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert named_orders(out) == [("MARKET", "entry"), ("MARKET", "exit")]
    assert out.position == 0


@pytest.mark.parametrize("fault", ["drop_after", "drop_before"])
def test_a4_stop_is_there_once_although_stops_have_no_client_id(fault: str) -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.market("entry", BUY, "0.01")
            yield t.closed("entry")
            venue.do("rest_fault", name=fault, **POST)
            t.stop("stop", SELL, "0.01", "64000.0")
            yield t.is_("stop", "Accepted")
            venue.do("trade", symbol="BTC-USDT", price="63999", quantity="5")
            yield lambda: t.closed("stop")() and t.size() == 0

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    stops = [o for o in out.orders if o["type"] == "STOP_MARKET"]
    assert len(stops) == 1
    assert stops[0]["reduceOnly"] is True
    assert stops[0]["clientOrderId"] == ""


def test_a5_duplicate_client_id_is_looked_up_and_counts_as_submitted() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            # The same order has reached the venue before: a resend after a crash.
            asked = {"symbol": "BTC-USDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01"}
            asked |= {"price": "60000", "positionSide": "BOTH", "clientOrderID": "twice"}
            venue.call(lambda fake: fake.venue.place(asked))
            t.limit("twice", BUY, "0.01", "60000.0")
            yield t.is_("twice", "Accepted", "Rejected")
            t.cancel("twice")
            yield t.closed("twice")

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert named_orders(out) == [("LIMIT", "twice")]
    assert out.trader.told("twice")[-1] == "Canceled"


@pytest.mark.parametrize("fault", ["", "drop_after"])
def test_a6_cancel_that_loses_against_a_fill_ends_as_filled(fault: str) -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.limit("race", BUY, "0.01", "64000.0")
            yield t.is_("race", "Accepted")
            venue.do("stream", delay_s=0.4)  # the fill is on its way while we cancel
            if fault:
                venue.do("rest_fault", name=fault, path="/trade/order", method="DELETE")
            venue.do("trade", symbol="BTC-USDT", price="63999", quantity="5")
            t.cancel("race")
            yield t.closed("race")
            yield lambda: abs(t.size() - 0.01) < 1e-9

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert "Canceled" not in out.trader.told("race")
    assert out.trader.told("race").count("Filled") == 1
    assert out.position == pytest.approx(0.01)


def test_a6_cancel_that_wins_after_a_part_filled_keeps_the_part() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.limit("race", BUY, "0.5", "64000.0")
            yield t.is_("race", "Accepted")
            venue.do("stream", delay_s=0.4)
            venue.do("trade", symbol="BTC-USDT", price="64000", quantity="0.2")
            t.cancel("race")
            yield t.closed("race")
            yield lambda: abs(t.size() - 0.2) < 1e-9

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert out.trader.told("race")[-1] == "Canceled"
    assert out.position == pytest.approx(0.2)
