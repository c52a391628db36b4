"""What the desk knows of a market, and when it stops knowing it."""

from __future__ import annotations

import math

import pytest

from risk.market import MarketView
from risk.settings import RiskSettings
from risk.vocabulary import HOUR_NS, MINUTE_NS, Bar, Funding, Instant
from tests.unit.risk.builders import BTC, ETH, World, rules


def test_nothing_is_known_before_the_first_bar() -> None:
    market = World().desk.market
    assert market.price(BTC) is None
    assert market.mark(BTC) is None
    assert market.last_ts(BTC) is None
    assert market.bar_volume(BTC) == market.bar_quote_volume(BTC) == market.quote_volume_24h(BTC) == 0.0
    assert market.spread_bps(BTC, 0) is None
    assert market.is_stale(BTC, 0)
    assert market.funding_rate(BTC) is None
    assert market.quote_volume_24h("UNKNOWN") == 0.0


def test_mark_price_counts_until_a_newer_bar_comes_without_one() -> None:
    world = World()
    world.step({BTC: 100.0}, marks=((BTC, 100.5),))
    assert world.desk.market.mark(BTC) == 100.5
    assert world.desk.market.price(BTC) == 100.0
    world.step({BTC: 99.0})
    assert world.desk.market.mark(BTC) == 99.0


def test_volume_of_24_hours_is_a_sliding_sum_of_close_times_volume() -> None:
    world = World()
    for _ in range(96):
        world.step({BTC: 100.0}, volume=2.0)
    assert world.desk.market.quote_volume_24h(BTC) == pytest.approx(96 * 200.0)
    world.step({BTC: 50.0}, volume=2.0)
    assert world.desk.market.quote_volume_24h(BTC) == pytest.approx(95 * 200.0 + 100.0)
    assert world.desk.market.bar_quote_volume(BTC) == pytest.approx(100.0)
    world.step(without=(BTC,), bars=96)
    assert world.desk.market.quote_volume_24h(BTC) == pytest.approx(0.0)


def test_instrument_without_a_bar_for_more_than_three_lengths_is_stale() -> None:
    world = World({BTC: 100.0, ETH: 10.0}).step()
    market = world.desk.market
    for _ in range(3):
        world.step(without=(BTC,))
        assert not market.is_stale(BTC, world.ts)
    world.step(without=(BTC,))
    assert market.is_stale(BTC, world.ts)
    assert not market.is_stale(ETH, world.ts)


def test_late_instrument_is_stale_for_that_instant_only() -> None:
    world = World({BTC: 100.0, ETH: 10.0}).step()
    world.step(without=(BTC,), late=(BTC,))
    assert world.desk.market.is_stale(BTC, world.ts)
    world.step()
    assert not world.desk.market.is_stale(BTC, world.ts)


def test_quotes_older_than_a_bar_are_no_quotes() -> None:
    world = World().step(quotes=((BTC, 99.0, 101.0),))
    market = world.desk.market
    assert market.spread_bps(BTC, world.ts) == pytest.approx(200.0)
    assert market.spread_bps(BTC, world.ts + 15 * MINUTE_NS) is not None
    assert market.spread_bps(BTC, world.ts + 15 * MINUTE_NS + 1) is None
    world.step(quotes=((BTC, 0.0, 0.0),))
    assert math.isnan(market.spread_bps(BTC, world.ts) or 0.0)


def test_each_instrument_has_its_own_finest_bars() -> None:
    market = MarketView({BTC: rules(), ETH: rules(ETH)}, RiskSettings(), {BTC: 5, ETH: 15})
    ts = 20_000 * 24 * HOUR_NS
    fine = Bar(BTC, 5, ts, 1, 1, 1, 100.0, 1.0)
    coarse = Bar(BTC, 15, ts, 1, 1, 1, 100.0, 3.0)
    other = Bar(ETH, 15, ts, 1, 1, 1, 10.0, 7.0)
    market.on_instant(Instant(ts, {15: (coarse, other), 5: (fine,)}))
    assert market.bar_volume(BTC) == 1.0
    assert market.bar_volume(ETH) == 7.0
    assert market.base_minutes(ETH) == 15
    assert market.quote_volume_24h(BTC) == 100.0
    assert market.quote_volume_24h(ETH) == 70.0


def test_funding_settlements_follow_the_interval_seen_else_eight_hours() -> None:
    world = World().step()
    market, midnight = world.desk.market, 20_001 * 24 * HOUR_NS
    assert market.settlements_within(BTC, midnight - 1, HOUR_NS) == 1
    assert market.settlements_within(BTC, midnight, 8 * HOUR_NS) == 1
    assert market.settlements_within(BTC, midnight, 24 * HOUR_NS) == 3
    world.step(funding=(Funding(BTC, midnight, 0.0001),))
    world.step(funding=(Funding(BTC, midnight + 4 * HOUR_NS, 0.0002),))
    assert market.funding_rate(BTC) == 0.0002
    assert market.settlements_within(BTC, midnight, 24 * HOUR_NS) == 6


def test_warm_up_feeds_the_market_but_samples_no_equity() -> None:
    world = World().step(warm_only=True)
    assert world.desk.market.price(BTC) == 100.0
    assert world.desk.guard.day == -1
