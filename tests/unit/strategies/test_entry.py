"""The entry state machine: slices, expiry, the market order after a resting one."""

from __future__ import annotations

import json

from risk.vocabulary import EntryStyle, InstrumentRules
from strategies.entry import CancelEntry, EntryMachine, SendEntry

RULES = InstrumentRules("BTC-USDT.TEST", 1, 3, 0.1, 0.001, 0.001, 2.0, 0.0002, 0.0005)
EXPIRY = 1000


def machine(style: EntryStyle, *children: float) -> EntryMachine:
    price = None if style is EntryStyle.MARKET else 100.0
    return EntryMachine(style, children, price, EXPIRY, RULES)


def test_slices_go_out_one_a_bar_and_the_entry_ends_with_the_last() -> None:
    m = machine(EntryStyle.MARKET, 1.0, 1.0, 0.5)
    assert m.start() == [SendEntry(1.0, None, 1)]
    m.child_filled(1, 1.0, closed=True)
    assert not m.done
    assert m.on_instant(100) == [SendEntry(1.0, None, 2)]
    m.child_filled(2, 1.0, closed=True)
    assert m.on_instant(200) == [SendEntry(0.5, None, 3)]
    m.child_filled(3, 0.5, closed=True)
    assert m.done
    assert m.on_instant(300) == []
    assert m.filled == 2.5


def test_a_resting_entry_is_cancelled_when_the_strategys_next_bar_closes() -> None:
    m = machine(EntryStyle.POST_ONLY, 1.0)
    assert m.start() == [SendEntry(1.0, 100.0, 1)]
    assert m.on_instant(EXPIRY - 1) == []
    assert m.on_instant(EXPIRY) == [CancelEntry(1)]
    assert m.child_ended(1, "canceled") == []
    assert m.done
    assert m.stopped == "expired"


def test_a_rejected_post_only_counts_as_unfilled() -> None:
    m = machine(EntryStyle.POST_ONLY, 1.0)
    m.start()
    assert m.child_ended(1, "rejected") == []
    assert m.done
    assert m.filled == 0.0
    assert m.last_reason == "rejected"


def test_what_did_not_fill_follows_at_market() -> None:
    m = machine(EntryStyle.POST_ONLY_THEN_MARKET, 1.0)
    m.start()
    m.child_filled(1, 0.4, closed=False)
    assert m.on_instant(EXPIRY) == [CancelEntry(1)]
    assert m.child_ended(1, "canceled") == [SendEntry(0.6, None, 2)]
    m.child_filled(2, 0.6, closed=True)
    assert m.done


def test_a_rejected_resting_order_waits_for_its_market_order() -> None:
    m = machine(EntryStyle.POST_ONLY_THEN_MARKET, 1.0)
    m.start()
    assert m.child_ended(1, "rejected") == []
    assert not m.done
    assert m.on_instant(EXPIRY) == [SendEntry(1.0, None, 2)]


def test_a_rest_below_the_minimum_is_dropped() -> None:
    m = machine(EntryStyle.POST_ONLY_THEN_MARKET, 1.0)
    m.start()
    m.child_filled(1, 0.99, closed=False)
    m.on_instant(EXPIRY)
    assert m.child_ended(1, "canceled") == []
    assert m.done
    assert m.stopped == "rest below minimum"


def test_a_stopped_entry_sends_nothing_more_and_cancels_what_rests() -> None:
    m = machine(EntryStyle.MARKET, 1.0, 1.0)
    m.start()
    assert m.stop("daily_lock") == [CancelEntry(1)]
    assert m.on_instant(10) == []
    m.child_ended(1, "canceled")
    assert m.done
    assert m.stopped == "daily_lock"


def test_a_denied_market_child_ends_the_entry() -> None:
    m = machine(EntryStyle.MARKET, 1.0, 1.0)
    m.start()
    assert m.child_ended(1, "denied") == []
    assert m.done


def test_state_survives_a_round_trip() -> None:
    m = machine(EntryStyle.POST_ONLY_THEN_MARKET, 1.0, 2.0)
    m.start()
    m.child_filled(1, 0.25, closed=False)
    assert EntryMachine.from_state(json.loads(json.dumps(m.state()))) == m
