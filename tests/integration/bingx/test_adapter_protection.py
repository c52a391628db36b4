"""Resting entries with a stop attached, stops that move, stops that the market has passed: never naked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from nautilus_trader.model import ClientOrderId, Price

from tests.fakes.bingx import threaded
from tests.fakes.bingx.errors import VenueError
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Script as Bars
from tests.fakes.bingx_node import execution_settings
from tests.fakes.bingx_scenario import BUY, SELL, Outcome, Trader, play

Steps = Iterator[Callable[[], Any]]
OPEN = {"NEW", "PENDING", "PARTIALLY_FILLED"}


def _resting_stops(out: Outcome) -> list[tuple[str, str]]:
    return [(o["origQty"], o["stopPrice"]) for o in out.orders if "STOP" in o["type"] and o["status"] in OPEN]


def test_the_venues_own_stop_of_a_filled_entry_becomes_the_engines_stop() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.protected("entry", "stop", "0.2", "64000.0", "63000.0")
            yield t.is_("entry", "Accepted")
            venue.do("trade", symbol="BTC-USDT", price="64000", quantity="5")
            yield t.is_("stop", "Accepted")

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert out.position == 0.2
    assert _resting_stops(out) == [("0.2000", "63000.0")]
    assert out.execution.keeper.adopted == 1
    assert out.execution.problems == []


def test_a_partial_fill_that_lasts_has_a_stop_and_in_the_end_there_is_one_of_the_whole_size() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.protected("entry", "stop", "0.5", "64000.0", "63000.0")
            yield t.is_("entry", "Accepted")
            venue.do("trade", symbol="BTC-USDT", price="64000", quantity="0.2")
            yield t.is_("stop", "Accepted")
            assert [o["origQty"] for o in venue.do("books")["orders"] if o["type"] == "STOP_MARKET"] == [
                "0.2000"
            ]
            t.cancel("entry")
            yield t.is_("entry", "Canceled")
            yield lambda: not t.cache.order(ClientOrderId("stop")).is_pending_update

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert out.position == 0.2
    assert _resting_stops(out) == [("0.2000", "63000.0")]


def test_an_entry_that_goes_on_filling_is_protected_for_what_it_has() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.protected("entry", "stop", "0.5", "64000.0", "63000.0")
            yield t.is_("entry", "Accepted")
            venue.do("trade", symbol="BTC-USDT", price="64000", quantity="0.2")
            yield t.is_("stop", "Accepted")
            venue.do("trade", symbol="BTC-USDT", price="64000", quantity="0.3")
            yield t.closed("entry")
            yield (
                lambda: (
                    sum(
                        float(o["origQty"])
                        for o in venue.do("books")["orders"]
                        if o["type"] == "STOP_MARKET" and o["status"] in OPEN
                    )
                    == 0.5
                )
            )

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert out.position == 0.5
    assert _resting_stops(out) == [("0.5000", "63000.0")]


def test_an_entry_that_ends_unfilled_takes_its_stop_with_it() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.protected("entry", "stop", "0.2", "64000.0", "63000.0")
            yield t.is_("entry", "Accepted")
            t.cancel("entry")
            yield lambda: t.closed("entry")() and t.closed("stop")()

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert out.position == 0
    assert _resting_stops(out) == []


def test_a_stop_that_the_market_has_passed_already_is_carried_out_at_market() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.market("in", BUY, "0.1")
            yield t.closed("in")
            t.stop("late", SELL, "0.1", "99000.0")  # above the market: due at once
            yield t.closed("late")

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert out.trader.told("late")[-1] == "Filled"
    assert out.position == 0
    assert [o["type"] for o in out.orders] == ["MARKET", "MARKET"]
    assert out.execution.changer.at_market == 1


def test_a_stop_that_was_being_moved_when_its_position_closed_never_meets_the_next_position() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.market("in", BUY, "0.1")
            yield t.closed("in")
            t.stop("stop", SELL, "0.1", "60000.0")
            yield t.is_("stop", "Accepted")
            venue.do("rest_fault", name="drop_before", path="/trade/cancelReplace", method="POST")
            # Above the market: placed again, it would be carried out at market.
            t.modify_order(ClientOrderId("stop"), trigger_price=Price.from_str("99000.0"))
            t.market("out", SELL, "0.1", reduce=True)
            yield t.closed("out")
            t.cancel("stop")
            t.market("next", BUY, "0.1")
            yield lambda: t.closed("next")() and t.closed("stop")()

        out = play(venue, script, execution_settings(venue, "BTC-USDT", order_window_s=0.8))
    assert out.position == 0.1
    assert [o["type"] for o in out.orders] == ["MARKET", "STOP_MARKET", "MARKET", "MARKET"]
    assert out.trader.told("stop")[-2:] == ["ModifyRejected", "Canceled"]


def test_an_entry_that_had_to_wait_too_long_is_refused_and_an_exit_is_sent() -> None:
    clients: list[Any] = []
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.market("in", BUY, "0.1")
            yield t.closed("in")
            clients[-1].rest.limiter.pause(0.5)  # as after a rate limit or a block
            t.market("late", BUY, "0.1")
            t.market("out", SELL, "0.1", reduce=True)
            yield lambda: t.closed("late")() and t.closed("out")()

        settings = execution_settings(venue, "BTC-USDT", entry_patience_s=0.3)
        out = play(venue, script, settings, made=clients)
    assert out.position == 0
    assert len(out.orders) == 2
    [rejection] = [e for e in out.trader.events if type(e).__name__ == "OrderRejected"]
    assert "its moment has passed" in rejection.reason


def test_an_old_entry_that_lost_its_place_while_it_was_changed_is_sent_again() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def refuse_the_next(fake: Any) -> None:
            place = fake.venue.place

            def refuse(*_: Any) -> None:
                fake.venue.place = place
                raise VenueError(101204, "Insufficient margin")

            fake.venue.place = refuse

        def script(t: Trader) -> Steps:
            t.limit("in", BUY, "0.1", "60000.0")
            yield t.is_("in", "Accepted")
            asked = time.monotonic()
            yield lambda: time.monotonic() - asked > 0.4  # older than an entry's patience
            venue.call(refuse_the_next)
            t.modify_order(ClientOrderId("in"), price=Price.from_str("60500.0"))
            yield t.is_("in", "Updated", "ModifyRejected", "Canceled")

        out = play(venue, script, execution_settings(venue, "BTC-USDT", entry_patience_s=0.3))
    assert out.trader.told("in")[-1] == "Updated"
    assert out.execution.changer.restored == 1
    assert [(o["status"], o["price"]) for o in out.orders] == [
        ("CANCELLED", "60000.0"),
        ("PENDING", "60500.0"),
    ]


def test_a_stop_whose_replacement_is_lost_on_the_way_is_one_stop_in_the_end() -> None:
    for fault in ("drop_before", "drop_after"):
        with threaded.running(Settings(), Bars()) as venue:

            def script(t: Trader, fault: str = fault, venue: Any = venue) -> Steps:
                t.market("in", BUY, "0.1")
                yield t.closed("in")
                t.stop("stop", SELL, "0.1", "60000.0")
                yield t.is_("stop", "Accepted")
                venue.do("rest_fault", name=fault, path="/trade/cancelReplace", method="POST")
                t.modify_order(ClientOrderId("stop"), trigger_price=Price.from_str("61000.0"))
                yield t.is_("stop", "Updated", "ModifyRejected")

            out = play(venue, script, execution_settings(venue, "BTC-USDT"))
        [(size, trigger)] = _resting_stops(out)
        assert size == "0.1000"
        moved = "Updated" in out.trader.told("stop")
        assert trigger == ("61000.0" if moved else "60000.0")
        assert "Canceled" not in out.trader.told("stop")


def test_the_fill_that_ended_a_stop_is_told_before_its_end_even_if_it_came_between_two_questions() -> None:
    clients: list[Any] = []
    known_at_end: list[Any] = []
    with threaded.running(Settings(), Bars()) as venue:

        def close_when_asked_for_the_stop(fake: Any) -> None:
            find, asked = fake.venue.find, {"symbol": "BTC-USDT", "side": "SELL", "positionSide": "BOTH"}

            def closing(params: Any) -> Any:
                order = find(params)
                if order.type == "STOP_MARKET" and order.is_open:
                    fake.venue.place(asked | {"type": "MARKET", "quantity": "0.1", "reduceOnly": "true"})
                return order

            fake.venue.find = closing

        def script(t: Trader) -> Steps:
            t.market("in", BUY, "0.1")
            yield t.closed("in")
            t.stop("stop", SELL, "0.1", "60000.0")
            yield t.is_("stop", "Accepted")
            client = clients[-1]
            ledger = client.ledger
            ledger.on_end = lambda tracked: known_at_end.append(ledger.net[tracked.symbol])
            venue.do("stream", data=False)
            venue.call(close_when_asked_for_the_stop)
            client.spawn(client.reconciler.order(client.book.of_client("stop")), "ask")
            yield t.closed("stop")

        out = play(venue, script, execution_settings(venue, "BTC-USDT", reconcile_s=600.0), made=clients)
    assert out.position == 0
    assert known_at_end == [0]
