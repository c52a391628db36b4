"""The volume of a day: the same sum whoever asks, and whenever."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.day_volume import DayVolumes
from risk.vocabulary import DAY_NS, HOUR_NS, Bar

NAMES = ("A", "B", "C")
HOURS = 60  # more than the table keeps


def _bar(name: str, hour: int, volume: float) -> Bar:
    return Bar(name, 60, hour * HOUR_NS, 1.0, 1.0, 1.0, 0.1, volume)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(NAMES), st.floats(0.0, 1e9), min_size=1), min_size=1, max_size=HOURS
    ),
    st.sets(st.integers(0, HOURS)),
)
def test_the_sum_is_that_of_the_last_day_with_holes_and_whenever_it_is_asked_for(
    moments: list[dict[str, float]], asked: set[int]
) -> None:
    volumes, never_asked = DayVolumes(25), DayVolumes(25)
    for hour, moment in enumerate(moments, 1):
        bars = tuple(_bar(name, hour, moment[name]) for name in sorted(moment))
        volumes.push(bars)
        never_asked.push(bars)
        if hour in asked:
            volumes.total_usd("A", hour * HOUR_NS)
    now = len(moments) * HOUR_NS
    for name in NAMES:
        day = [
            moment[name] * 0.1
            for hour, moment in enumerate(moments, 1)
            if hour * HOUR_NS > now - DAY_NS and name in moment
        ]
        assert volumes.total_usd(name, now) == pytest.approx(math.fsum(day), rel=1e-12)
        assert volumes.total_usd(name, now) == never_asked.total_usd(name, now)


def test_a_late_bar_counts_by_the_time_at_which_it_closed() -> None:
    volumes = DayVolumes(25)
    volumes.push((_bar("A", 2, 10.0),))
    volumes.push((_bar("B", 1, 30.0),))  # came when the next hour was there already
    assert volumes.total_usd("B", 25 * HOUR_NS - 1) == 3.0
    assert volumes.total_usd("B", 25 * HOUR_NS) == 0.0
    assert volumes.total_usd("A", 25 * HOUR_NS) == 1.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.0, 1e9), min_size=30, max_size=120), st.sets(st.integers(2, 119), max_size=4))
def test_a_day_with_late_bars_anywhere_has_the_sum_of_its_bars(volumes: list[float], late: set[int]) -> None:
    """Hour k of `late` comes one place too late; the table is moved along several times."""
    hours = list(range(1, len(volumes) + 1))
    for k in sorted(k for k in late if k < len(hours)):
        hours[k - 1], hours[k] = hours[k], hours[k - 1]
    table = DayVolumes(25)
    for n, hour in enumerate(hours, 1):
        table.push((_bar("A", hour, volumes[hour - 1]),))
        now = max(hours[:n]) * HOUR_NS
        day = [volumes[h - 1] * 0.1 for h in hours[max(0, n - 25) : n] if h * HOUR_NS > now - DAY_NS]
        assert table.total_usd("A", now) == pytest.approx(math.fsum(day), rel=1e-12)


def test_what_nobody_asks_for_is_taken_over_all_the_same() -> None:
    volumes = DayVolumes(1441)
    for hour in range(1, 1000):
        volumes.push((_bar("A", hour, 10.0),))
    assert volumes.total_usd("A", 999 * HOUR_NS) == 24.0
