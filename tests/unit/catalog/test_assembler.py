"""Instants from a live feed: in time order, each bar once, late ones named, gaps told, nothing invented."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from catalog.arrivals import FeedFault, Gap
from catalog.assembler import InstantAssembler
from risk.vocabulary import HOUR_NS, MINUTE_NS, Bar, Funding, Instant, Quote

BTC, ETH = "BTC-USDT.TEST", "ETH-USDT.TEST"
NOON = 1_704_110_400_000_000_000  # 2024-01-01 12:00 UTC
S = 1_000_000_000
GRACE = 5 * S


def bar(name: str, k: int, close: float = 100.0, minutes: int = 1) -> Bar:
    """Return the bar that closes `k` minutes past noon."""
    return Bar(name, minutes, NOON + k * MINUTE_NS, 100.0, max(100.0, close), min(100.0, close), close, 7.0)


def at(k: int, seconds: float = 1.0) -> int:
    """Return a time of arrival: `seconds` after the k-th minute."""
    return NOON + k * MINUTE_NS + round(seconds * S)


def assembler(*names: str, **minutes: int) -> InstantAssembler:
    return InstantAssembler(dict.fromkeys(names or (BTC, ETH), 1) | minutes, GRACE, NOON)


def feed(a: InstantAssembler, k: int, *names: str) -> list[Instant]:
    return [i for name in names for i in a.bar(bar(name, k), at(k))]


def shape(instants: Iterable[Instant]) -> list[tuple[int, list[tuple[str, int]], tuple[str, ...]]]:
    """Return (minute, [(coin, minute of its bar)], late coins) of each instant."""
    return [
        (
            (i.ts_event - NOON) // MINUTE_NS,
            [(b.instrument[:3], (b.ts_event - NOON) // MINUTE_NS) for b in i.bars.get(1, ())],
            tuple(name[:3] for name in i.late),
        )
        for i in instants
    ]


def test_an_instant_is_closed_when_its_last_expected_bar_arrives() -> None:
    a = assembler()
    assert a.bar(bar(ETH, 1), at(1)) == []
    (done,) = a.bar(bar(BTC, 1), at(1, 2))
    assert shape([done]) == [(1, [("BTC", 1), ("ETH", 1)], ())]
    assert a.counts.bars == 2


def test_a_silent_instrument_is_named_late_when_the_grace_period_ends() -> None:
    a = assembler()
    feed(a, 1, BTC)
    assert a.on_time(at(1, 4.9)) == []
    assert shape(a.on_time(at(1, 5))) == [(1, [("BTC", 1)], ("ETH",))]
    assert a.gaps() == [Gap(ETH, 1, NOON + MINUTE_NS, NOON + MINUTE_NS)]


def test_desk_time_goes_on_while_everything_is_silent() -> None:
    a = assembler()
    assert shape(a.on_time(at(3, 5))) == [(k, [], ("BTC", "ETH")) for k in (1, 2, 3)]
    assert [gap.bars for gap in a.gaps()] == [3, 3]


def test_a_late_bar_enters_the_next_instant_before_the_bar_of_that_moment() -> None:
    a = assembler()
    feed(a, 1, BTC)
    a.on_time(at(1, 5))
    assert a.bar(bar(ETH, 1), at(1, 20)) == []
    assert shape(feed(a, 2, BTC, ETH)) == [(2, [("ETH", 1), ("BTC", 2), ("ETH", 2)], ())]
    assert (a.counts.late, a.counts.missing, a.gaps()) == (1, 1, [])


def test_a_bar_that_comes_after_a_newer_one_only_completes_higher_timeframes() -> None:
    a = assembler()
    feed(a, 1, BTC)
    a.on_time(at(1, 5))
    feed(a, 2, BTC, ETH)
    a.bar(bar(ETH, 1), at(2, 9))
    (done,) = feed(a, 3, BTC, ETH)
    assert shape([done]) == [(3, [("BTC", 3), ("ETH", 3)], ())]
    assert done.backfilled == (bar(ETH, 1),)
    assert a.counts.backfilled == 1


def test_a_bar_that_arrives_after_the_grace_period_is_late_even_if_nobody_looked_at_the_clock() -> None:
    a = assembler()
    a.bar(bar(BTC, 1), at(1))
    (done,) = a.bar(bar(ETH, 1), at(1, 5.1))
    assert shape([done]) == [(1, [("BTC", 1), ("ETH", 1)], ("ETH",))]


def test_the_same_bar_again_is_dropped_and_counted() -> None:
    a = assembler()
    feed(a, 1, BTC, BTC, ETH, ETH, BTC)
    assert shape(feed(a, 2, BTC, ETH)) == [(2, [("BTC", 2), ("ETH", 2)], ())]
    assert a.counts.duplicate == 3


def test_other_values_for_a_bar_are_an_error_and_the_first_ones_stand() -> None:
    a = assembler()
    feed(a, 1, BTC)
    a.bar(bar(BTC, 1, close=101.0), at(1, 2))
    (done,) = feed(a, 1, ETH)
    assert done.bars[1][0].close == 100.0
    (error,) = a.take_errors()
    assert (error.fault, error.instrument) == (FeedFault.CONFLICT, BTC)
    assert "101.0 after 100.0" in error.detail
    assert a.take_errors() == []


def test_out_of_order_bars_come_out_in_order() -> None:
    a = assembler()
    bars = [(k, name) for k in range(1, 9) for name in (BTC, ETH)]
    random.Random(3).shuffle(bars)
    done = [i for k, name in bars for i in a.bar(bar(name, k), at(8))]
    assert [s[0] for s in shape(done)] == list(range(1, 9))
    assert all(len(i.bars[1]) == 2 for i in done)


def test_whatever_the_order_and_however_often_every_bar_is_used_once() -> None:
    chance = random.Random(11)
    for _ in range(30):
        a = assembler()
        sent = [(k, name) for k in range(1, 30) for name in (BTC, ETH)]
        arrivals = [(at(k, chance.choice([0.5, 1, 4, 7, 40, 130, 700])), k, name) for k, name in sent] * 2
        out: list[Instant] = []
        for now, k, name in sorted(arrivals):
            out += a.on_time(now) + a.bar(bar(name, k), now)
        out += a.on_time(at(60, 5))
        used = [b for i in out for b in (*i.bars.get(1, ()), *i.backfilled)]
        assert sorted(used) == sorted(bar(name, k) for k, name in sent)
        assert [i.ts_event for i in out] == [NOON + k * MINUTE_NS for k in range(1, 61)]
        assert a.counts.duplicate == len(sent)
        for name in (BTC, ETH):  # what the venue is shown never goes back in time
            shown = [b.ts_event for i in out for b in i.bars.get(1, ()) if b.instrument == name]
            assert shown == sorted(set(shown))


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (bar(BTC, 1, close=float("nan")), FeedFault.MALFORMED),
        (bar(BTC, 1)._replace(low=-1.0), FeedFault.MALFORMED),
        (bar(BTC, 1)._replace(high=99.0), FeedFault.MALFORMED),
        (bar(BTC, 1)._replace(volume=-0.1), FeedFault.MALFORMED),
        (bar(BTC, 1)._replace(ts_event=NOON + MINUTE_NS + 1), FeedFault.MALFORMED),
        (bar(BTC, 2), FeedFault.FORMING),
        (bar("SOL-USDT.TEST", 1), FeedFault.UNKNOWN),
        (bar(BTC, 5, minutes=5), FeedFault.UNKNOWN),
    ],
)
def test_what_no_market_can_have_said_is_refused_and_told(wrong: Bar, fault: FeedFault) -> None:
    a = assembler()
    assert a.bar(wrong, at(1)) == []
    (error,) = a.take_errors()
    assert error.fault is fault
    assert a.counts.refused == 1
    assert shape(feed(a, 1, BTC, ETH)) == [(1, [("BTC", 1), ("ETH", 1)], ())]


def test_bars_before_the_start_or_too_old_to_matter_are_counted_and_left_out() -> None:
    a = assembler()
    a.bar(bar(BTC, 0), at(0))
    a.on_time(at(8 * 60, 5))
    a.bar(bar(BTC, 1), at(8 * 60, 6))
    assert a.counts.expired == 2
    (gap, _) = a.gaps()
    assert gap.first_ns == NOON + 2 * HOUR_NS + MINUTE_NS  # older ones are no longer asked for


def test_a_gap_the_venue_has_no_bars_for_is_not_asked_for_again() -> None:
    a = assembler(BTC)
    a.on_time(at(3, 5))
    (gap,) = a.gaps()
    a.accept(gap._replace(last_ns=gap.last_ns - MINUTE_NS))
    assert a.gaps() == [Gap(BTC, 1, NOON + 3 * MINUTE_NS, NOON + 3 * MINUTE_NS)]


def test_coarser_instruments_are_expected_at_their_own_moments_only() -> None:
    a = InstantAssembler({BTC: 1, ETH: 5}, GRACE, NOON)
    done = [i for k in range(1, 5) for i in feed(a, k, BTC)]
    assert len(done) == 4
    assert feed(a, 5, BTC) == []
    (fifth,) = a.bar(bar(ETH, 5, minutes=5), at(5))
    assert list(fifth.bars) == [5, 1]


def test_settled_funding_enters_its_instant_or_the_next_one_with_its_own_time() -> None:
    a = InstantAssembler({BTC: 60, ETH: 60}, GRACE, NOON)
    hour = NOON + HOUR_NS
    a.funding(Funding(BTC, hour + 800_000_000, 0.0001), at(60, 2))  # venues stamp some milliseconds off
    a.bar(bar(BTC, 60, minutes=60), at(60, 2))
    (first,) = a.bar(bar(ETH, 60, minutes=60), at(60, 2))
    assert first.funding == (Funding(BTC, hour, 0.0001),)
    a.funding(Funding(ETH, hour, -0.0002), at(61))
    a.funding(Funding(ETH, hour, -0.0002), at(62))
    (second,) = a.on_time(at(120, 5))
    assert second.funding == (Funding(ETH, hour, -0.0002),)
    assert a.counts.duplicate == 1
    a.funding(Funding(ETH, hour, 0.0003), at(121))
    assert a.take_errors()[0].fault is FeedFault.CONFLICT


def test_an_instant_holds_the_newest_prices_not_after_its_moment() -> None:
    a = assembler()
    for seconds, price in ((50, 99.0), (59, 100.0), (60.2, 101.0)):
        when = at(0, seconds)
        a.quote(Quote(BTC, when, price - 0.5, price + 0.5), when)
        a.mark(BTC, when, price, when)
        a.reference(BTC, when, price + 1, when)
    (first,) = feed(a, 1, BTC, ETH)
    assert [(q.bid, q.ask) for q in first.quotes] == [(99.5, 100.5)]
    assert (first.marks, first.references) == (((BTC, 100.0),), ((BTC, 101.0),))
    (second,) = feed(a, 2, BTC, ETH)
    assert second.marks == ((BTC, 101.0),)
    a.quote(Quote(BTC, at(2, -3), 1.0, 2.0), at(2, 2))
    assert (a.counts.quotes, a.counts.quotes_late) == (4, 1)


@pytest.mark.parametrize(("bid", "ask"), [(0.0, 1.0), (2.0, 1.0), (float("nan"), 1.0), (1.0, float("inf"))])
def test_a_quote_that_is_none_is_refused(bid: float, ask: float) -> None:
    a = assembler()
    a.quote(Quote(BTC, at(0, 30), bid, ask), at(0, 30))
    assert a.take_errors()[0].fault is FeedFault.MALFORMED


def test_the_constructor_refuses_what_cannot_be_assembled() -> None:
    with pytest.raises(ValueError, match="no instruments"):
        InstantAssembler({}, GRACE, NOON)
    with pytest.raises(ValueError, match="grace_ns was 0"):
        InstantAssembler({BTC: 1}, 0, NOON)
    with pytest.raises(ValueError, match="multiples of the finest"):
        InstantAssembler({BTC: 2, ETH: 5}, GRACE, NOON)
