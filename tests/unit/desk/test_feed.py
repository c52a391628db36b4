"""Instants as engine data: marks, bars on the grid, funding with the price it settles on, chunks."""

from __future__ import annotations

from decimal import Decimal

import pytest
from nautilus_trader.model import FundingRateUpdate, MarkPriceUpdate

from catalog.feed import CLOSE, OPEN, EngineFeed, InstantMark, bar_type, feed_client, in_chunks, mark
from risk.vocabulary import HOUR_NS, MINUTE_NS, Bar, Funding, Instant, InstrumentRules

BTC, ETH = "BTC-USDT.TEST", "ETH-USDT.TEST"
MIDNIGHT = 1_704_067_200_000_000_000
RULES = {
    BTC: InstrumentRules(BTC, 1, 3, 0.1, 0.001, 0.001, 2.0, 0.0002, 0.0005),
    ETH: InstrumentRules(ETH, 2, 2, 0.01, 0.01, 0.01, 2.0, 0.0002, 0.0005),
}


def feed() -> EngineFeed:
    return EngineFeed(RULES, {BTC: 5, ETH: 60})


def bar(name: str, close: float, ts: int = MIDNIGHT, minutes: int = 5) -> Bar:
    return Bar(name, minutes, ts, close, close, close, close, 1.23456)


def test_engine_bars_carry_the_values_of_the_instant_on_the_grid() -> None:
    made = feed().engine_bar(Bar(BTC, 5, MIDNIGHT, 100.1, 101.4, 99.9, 100.0, 1.23456), MIDNIGHT)
    assert [made.open.as_double(), made.high.as_double(), made.low.as_double(), made.close.as_double()] == [
        100.1, 101.4, 99.9, 100.0,
    ]  # fmt: skip
    assert made.volume.as_double() == 1.235
    assert (made.ts_event, made.ts_init) == (MIDNIGHT, MIDNIGHT)
    assert made.bar_type == bar_type(BTC, 5)
    assert str(bar_type(ETH, 60)) == "ETH-USDT.TEST-1-HOUR-LAST-EXTERNAL"


def test_a_settlement_is_preceded_by_the_price_it_settles_on() -> None:
    engine_feed = feed()
    instant = Instant(MIDNIGHT, {5: (bar(BTC, 100.0),)}, (Funding(BTC, MIDNIGHT, 0.0001),))
    price, rate = engine_feed.settlement(instant)
    assert isinstance(price, MarkPriceUpdate)
    assert isinstance(rate, FundingRateUpdate)
    assert price.value.as_double() == 100.0
    assert rate.rate == Decimal("0.0001")
    assert price.ts_event == rate.ts_event == MIDNIGHT


def test_a_mark_price_of_the_moment_wins_over_the_last_close() -> None:
    engine_feed = feed()
    settled = (Funding(BTC, MIDNIGHT, 0.0001),)
    price, _ = engine_feed.settlement(Instant(MIDNIGHT, {5: (bar(BTC, 100.0),)}, settled, ((BTC, 100.4),)))
    assert price.value.as_double() == 100.4


def test_without_a_bar_of_the_moment_the_last_close_counts() -> None:
    engine_feed = feed()
    engine_feed.settlement(Instant(MIDNIGHT - HOUR_NS, {5: (bar(BTC, 97.5, MIDNIGHT - HOUR_NS),)}))
    price, _ = engine_feed.settlement(Instant(MIDNIGHT, {}, (Funding(BTC, MIDNIGHT, 0.0001),)))
    assert price.value.as_double() == 97.5


def test_nothing_settles_on_an_instrument_that_has_no_price_yet() -> None:
    engine_feed = feed()
    instant = Instant(MIDNIGHT, {5: (bar(BTC, 100.0),)}, (Funding(ETH, MIDNIGHT, 0.1),))
    assert engine_feed.settlement(instant) == []


@pytest.mark.parametrize(
    ("offset", "minutes"),
    [(0, 480), (8 * HOUR_NS, 480), (4 * HOUR_NS, 240), (2 * HOUR_NS, 120), (HOUR_NS, 60), (7 * MINUTE_NS, 1)],
)
def test_funding_carries_an_interval_on_whose_boundary_it_lies(offset: int, minutes: int) -> None:
    """The engine settles at the boundary: another interval would shift the settlement."""
    engine_feed = feed()
    ts = MIDNIGHT + offset
    _, rate = engine_feed.settlement(Instant(ts, {5: (bar(BTC, 100.0, ts),)}, (Funding(BTC, ts, 0.0001),)))
    assert rate.interval == minutes


def test_marks_of_an_instant_share_its_time_and_the_close_waits_for_the_settlement() -> None:
    instant = Instant(MIDNIGHT, {})
    settled = Instant(MIDNIGHT, {}, (Funding(BTC, MIDNIGHT, 0.0001),))
    assert mark(MIDNIGHT, OPEN).data.phase == OPEN
    assert mark(MIDNIGHT, CLOSE, instant).data.instant is instant
    assert InstantMark(MIDNIGHT, OPEN, settled).ts_init == MIDNIGHT
    assert InstantMark(MIDNIGHT, CLOSE, instant).ts_init == MIDNIGHT
    assert InstantMark(MIDNIGHT, CLOSE, settled).ts_init == MIDNIGHT + 1
    assert InstantMark(MIDNIGHT, CLOSE, settled).ts_event == MIDNIGHT


def test_the_feed_speaks_as_the_client_of_its_venue() -> None:
    assert feed().venue == "TEST"
    assert str(feed_client("TEST")) == "TEST"


@pytest.mark.parametrize(("span", "sizes"), [(1, [1] * 7), (3 * HOUR_NS, [3, 3, 1]), (10**18, [7])])
def test_chunks_span_at_most_what_was_asked_and_lose_nothing(span: int, sizes: list[int]) -> None:
    instants = [Instant(MIDNIGHT + k * HOUR_NS, {}) for k in range(7)]
    chunks = list(in_chunks(iter(instants), span))
    assert [len(chunk) for chunk in chunks] == sizes
    assert [i for chunk in chunks for i in chunk] == instants
    assert all(chunk[-1].ts_event - chunk[0].ts_event < span for chunk in chunks)


def test_no_instants_make_no_chunks() -> None:
    assert list(in_chunks(iter(()), HOUR_NS)) == []
