"""Funding in the books against what a venue paid."""

from __future__ import annotations

from crupto_nautilus.desk.funding_check import Settled, differences, figures, in_words
from risk.vocabulary import HOUR_NS

HOUR = 8 * HOUR_NS
BTC = "BTC-USDT.BINGX"


def test_a_settlement_that_the_venue_stamps_some_seconds_later_is_the_same() -> None:
    booked, paid = [Settled(BTC, HOUR, -0.0292)], [Settled(BTC, HOUR + 15 * 10**9, -0.0292)]
    assert differences(booked, paid) == []
    found = figures(booked, paid)
    assert (found["settlements"], found["differing_count"]) == (1, 0)
    assert "differ" not in in_words(found)


def test_two_strategies_on_one_instrument_are_one_settlement_at_the_venue() -> None:
    assert differences([Settled(BTC, HOUR, 0.3), Settled(BTC, HOUR, -0.1)], [Settled(BTC, HOUR, 0.2)]) == []


def test_what_only_one_side_has_and_what_has_another_amount_is_named() -> None:
    booked = [Settled(BTC, HOUR, -0.5), Settled("ETH-USDT.BINGX", HOUR, 0.1)]
    paid = [Settled(BTC, HOUR, -0.55), Settled(BTC, 2 * HOUR, 0.25)]
    found = differences(booked, paid)
    assert [(d.instrument, d.desk_usd, d.venue_usd) for d in found] == [
        (BTC, -0.5, -0.55),
        ("ETH-USDT.BINGX", 0.1, None),
        (BTC, None, 0.25),
    ]
    told = figures(booked, paid)
    assert round(told["difference_usd"], 9) == round(-0.55 + 0.25 + 0.5 - 0.1, 9)
    assert "3 settlements differ" in in_words(told)
