"""A3 and A14: every fill once with its fee, whatever order the events come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.fakes.bingx import threaded
from tests.fakes.bingx.settings import Settings
from tests.fakes.bingx.sources import Script as Bars
from tests.fakes.bingx_node import execution_settings
from tests.fakes.bingx_scenario import BUY, SELL, Outcome, Trader, play

Steps = Iterator[Callable[[], Any]]


def each_fill_once(out: Outcome, *names: str) -> None:
    """Check quantity, price and fee of every fill against the venue's books."""
    ours = [
        (str(e.trade_id), float(str(e.last_qty)), float(str(e.last_px)), round(e.commission.as_double(), 6))
        for name in names
        for e in out.trader.fills(name)
    ]
    theirs = [
        (f["tradeId"], float(f["qty"]), float(f["price"]), round(-float(f["commission"]), 6))
        for f in out.fills
    ]
    assert sorted(ours) == sorted(theirs)


def test_a3_partial_fills_come_one_by_one_with_their_fees() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.limit("rest", BUY, "0.5", "64000.0")
            yield t.is_("rest", "Accepted")
            for n, quantity in enumerate(("0.1", "0.15", "0.25"), start=1):
                venue.do("trade", symbol="BTC-USDT", price="64000", quantity=quantity)
                yield lambda n=n: len(t.fills("rest")) == n
            t.market("walk", SELL, "0.5", reduce=True)
            yield lambda: t.closed("walk")() and t.size() == 0

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert [str(e.last_qty) for e in out.trader.fills("rest")] == ["0.1000", "0.1500", "0.2500"]
    each_fill_once(out, "rest", "walk")


def test_a3_a_market_order_through_several_levels_is_as_many_fills() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.market("walk", BUY, "6.0")
            yield t.closed("walk")
            t.market("back", SELL, "6.0", reduce=True)
            yield lambda: t.closed("back")() and t.size() == 0

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert len(out.trader.fills("walk")) >= 2
    each_fill_once(out, "walk", "back")


@pytest.mark.parametrize("fields", [True, False], ids=["with l and L", "without l and L"])
def test_a14_events_out_of_order_never_move_an_order_backwards(fields: bool) -> None:
    with threaded.running(Settings(fill_fields=fields), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.limit("rest", BUY, "0.5", "64000.0")
            yield t.is_("rest", "Accepted")
            # Three fills, each an order and an account event: the six frames come in reverse.
            venue.do("stream", reorder={"private": 6})
            for quantity in ("0.1", "0.15", "0.25"):
                venue.do("trade", symbol="BTC-USDT", price="64000", quantity=quantity)
            yield t.closed("rest")
            yield lambda: abs(t.size() - 0.5) < 1e-9

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    assert venue.fake.stream_faults.counts["frame reorder"] == 1
    assert set(out.trader.told("rest")) == {"Initialized", "Submitted", "Accepted", "Filled"}
    assert out.trader.told("rest")[:3] == ["Initialized", "Submitted", "Accepted"]
    each_fill_once(out, "rest")


def test_a14_duplicate_frames_are_one_fill() -> None:
    with threaded.running(Settings(), Bars()) as venue:

        def script(t: Trader) -> Steps:
            venue.do("frame_fault", kind="duplicate", scope="private", times=8)
            t.market("entry", BUY, "0.5")
            yield t.closed("entry")
            t.market("exit", SELL, "0.5", reduce=True)
            yield lambda: t.closed("exit")() and t.size() == 0

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    each_fill_once(out, "entry", "exit")


@pytest.mark.parametrize("when", ["before", "after", "never"])
def test_a3_the_answer_may_come_before_or_after_its_events_or_alone(when: Any) -> None:
    with threaded.running(Settings(events=when), Bars()) as venue:

        def script(t: Trader) -> Steps:
            t.market("entry", BUY, "0.5")
            yield t.closed("entry")
            t.market("exit", SELL, "0.5", reduce=True)
            yield lambda: t.closed("exit")() and t.size() == 0

        out = play(venue, script, execution_settings(venue, "BTC-USDT"))
    each_fill_once(out, "entry", "exit")
    paid = sum((Decimal(f["commission"]) for f in out.fills), Decimal(0))
    assert paid < 0
