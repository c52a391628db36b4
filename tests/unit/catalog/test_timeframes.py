from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.building import TimeframeBuilder
from catalog.errors import CatalogError
from catalog.timeframes import BarArrays, label, parse_timeframe, resample
from risk.vocabulary import MINUTE_NS, Bar

START = 1_672_531_200_000_000_000  # 2023-01-01
NAME = "BTCUSDT-PERP.BINANCE"


def bars_at(opens_min: list[int], source_minutes: int, seed: int = 1) -> BarArrays:
    rng = np.random.default_rng(seed)
    n = len(opens_min)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    open_ = close * (1 + rng.normal(0, 0.003, n))
    return BarArrays(
        START + (np.array(opens_min, np.int64) + source_minutes) * MINUTE_NS,
        open_,
        np.maximum(open_, close) * (1 + rng.random(n) / 100),
        np.minimum(open_, close) * (1 - rng.random(n) / 100),
        close,
        rng.lognormal(3, 4, n),
    )


def by_pandas(bars: BarArrays, source_minutes: int, target_minutes: int) -> BarArrays:
    index = pd.to_datetime(bars.ts_event - source_minutes * MINUTE_NS, utc=True)
    columns = ("open", "high", "low", "close", "volume")
    frame = pd.DataFrame({name: getattr(bars, name) for name in columns}, index=index)
    grouped = frame.resample(f"{target_minutes}min", label="right", closed="left")
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    built = grouped.agg(how)[grouped["close"].count() > 0]
    stamps = pd.DatetimeIndex(built.index).as_unit("ns").asi8
    return BarArrays(stamps, *(built[name].to_numpy() for name in columns))


def assert_same(left: BarArrays, right: BarArrays) -> None:
    for name in BarArrays.__slots__:
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)


holes = st.sets(st.integers(0, 399), min_size=1, max_size=400)


@settings(max_examples=40, deadline=None)
@given(
    holes,
    st.sampled_from([(1, 5), (1, 15), (1, 60), (1, 240), (5, 15), (5, 60), (5, 240), (15, 60), (60, 240)]),
)
def test_higher_bars_equal_pandas_resample_bit_for_bit_with_gaps(
    present: set[int], frames: tuple[int, int]
) -> None:
    source, target = frames
    bars = bars_at([k * source for k in sorted(present)], source)

    assert_same(resample(bars, source, target), by_pandas(bars, source, target))


@settings(max_examples=40, deadline=None)
@given(holes, st.sampled_from([(1, (5, 15, 60, 240)), (5, (15, 60, 240)), (15, (60, 240))]))
def test_streaming_builder_equals_batch_with_gaps(
    present: set[int], frames: tuple[int, tuple[int, ...]]
) -> None:
    source, targets = frames
    fine = bars_at([k * source for k in sorted(present)], source)
    builder = TimeframeBuilder(NAME, source, targets)

    built: list[Bar] = []
    for bar in fine.bars(NAME, source):
        builder.push(bar)
        built += builder.close_until(bar.ts_event)
    built += builder.close_until(START + 10_000 * 15 * MINUTE_NS)

    for target in targets:
        expected = list(resample(fine, source, target).bars(NAME, target))
        assert [bar for bar in built if bar.minutes == target] == expected
    assert builder.late == builder.repeated == 0


@settings(max_examples=40, deadline=None)
@given(holes, st.integers(1, 40), st.randoms(use_true_random=False))
def test_builder_does_not_depend_on_arrival_delay_or_order(
    present: set[int], every: int, shuffle: random.Random
) -> None:
    """Bars come shuffled and late by the clock; instants are closed by event time, `every` bars apart."""
    fine = bars_at([5 * k for k in sorted(present)], 5)
    builder = TimeframeBuilder(NAME, 5, (15, 60, 240))

    built: list[Bar] = []
    waiting: list[Bar] = []
    for n, bar in enumerate(fine.bars(NAME, 5), start=1):
        waiting.append(bar)
        if n % every == 0 or n == len(fine):
            shuffle.shuffle(waiting)
            for late in waiting:
                builder.push(late)
                if shuffle.random() < 0.3:
                    builder.take_in()  # ahead of the close or not: nothing depends on it
            waiting.clear()
            built += builder.close_until(bar.ts_event)
    built += builder.close_until(START + 10**18)

    for target in (15, 60, 240):
        expected = list(resample(fine, 5, target).bars(NAME, target))
        assert [bar for bar in built if bar.minutes == target] == expected


def test_bars_that_close_together_come_slowest_first() -> None:
    builder = TimeframeBuilder(NAME, 5, (15, 60, 240))
    for bar in bars_at(list(range(0, 240, 5)), 5).bars(NAME, 5):
        builder.push(bar)

    closed = builder.close_until(START + 240 * MINUTE_NS)

    assert [bar.minutes for bar in closed if bar.ts_event == START + 240 * MINUTE_NS] == [240, 60, 15]
    assert [bar.ts_event for bar in closed] == sorted(bar.ts_event for bar in closed)


def test_bucket_is_closed_once_and_only_when_its_end_is_reached() -> None:
    builder = TimeframeBuilder(NAME, 5, (15,))
    bars = list(bars_at([0, 5, 10, 15], 5).bars(NAME, 5))
    for bar in bars[:2]:
        builder.push(bar)
        assert builder.close_until(bar.ts_event) == []
    assert builder.close_until(START + 15 * MINUTE_NS - 1) == []

    (closed,) = builder.close_until(START + 15 * MINUTE_NS)

    assert closed.close == bars[1].close
    assert builder.close_until(START + 15 * MINUTE_NS) == []


def test_bar_after_its_bucket_was_published_is_counted_and_enters_the_wider_bucket() -> None:
    builder = TimeframeBuilder(NAME, 5, (15, 60))
    bars = list(bars_at([0, 5, 10, 15], 5).bars(NAME, 5))
    builder.push(bars[0])
    builder.push(bars[2])
    (quarter,) = builder.close_until(START + 15 * MINUTE_NS)
    builder.push(bars[1])
    builder.push(bars[3])

    closed = builder.close_until(START + 60 * MINUTE_NS)

    assert quarter.volume == bars[0].volume + bars[2].volume
    assert builder.late == 1
    assert [bar.minutes for bar in closed] == [15, 60]
    assert closed[1].high == max(bar.high for bar in bars)


def test_repeated_bar_is_counted_and_the_first_stands() -> None:
    builder = TimeframeBuilder(NAME, 5, (15,))
    first = Bar(NAME, 5, START + 5 * MINUTE_NS, 1, 2, 0.5, 1.5, 10)
    builder.push(first)
    builder.push(first._replace(close=9.0, volume=99.0))

    (closed,) = builder.close_until(START + 15 * MINUTE_NS)

    assert (closed.close, closed.volume, builder.repeated) == (1.5, 10, 1)


def test_long_runs_keep_the_buffer_small() -> None:
    builder = TimeframeBuilder(NAME, 1, (5, 15))
    for bar in bars_at(list(range(5000)), 1).bars(NAME, 1):
        builder.push(bar)
        builder.close_until(bar.ts_event)

    assert len(builder._buffer) < 600


def test_wide_buckets_of_long_runs_equal_the_batch() -> None:
    fine = bars_at(list(range(7000)), 1)
    builder = TimeframeBuilder(NAME, 1, (15, 240))
    built: list[Bar] = []
    for n, bar in enumerate(fine.bars(NAME, 1)):
        builder.push(bar)
        if n < 5000:  # the others wait: more than the buffer ever held before a close
            built += builder.close_until(bar.ts_event)
    built += builder.close_until(START + 7000 * MINUTE_NS)

    expected = resample(fine, 1, 240).slice(None, START + 7000 * MINUTE_NS)
    assert [bar for bar in built if bar.minutes == 240] == list(expected.bars(NAME, 240))


def test_slice_is_half_open_on_close_time() -> None:
    bars = bars_at([0, 5, 10, 15], 5)
    start, end = int(bars.ts_event[0]), int(bars.ts_event[2])

    assert bars.slice(start, end).ts_event.tolist() == bars.ts_event[1:3].tolist()
    assert len(bars.slice(end, start)) == 0
    assert len(bars.slice(None, None)) == 4


def test_partial_bucket_gives_a_bar_and_an_empty_one_none() -> None:
    built = resample(bars_at([10, 60], 5), 5, 15)

    assert ((built.ts_event - START) // MINUTE_NS).tolist() == [15, 75]


@pytest.mark.parametrize("frames", [(15, 5), (5, 7), (60, 15)])
def test_target_that_is_no_multiple_is_refused(frames: tuple[int, int]) -> None:
    with pytest.raises(CatalogError, match="multiple"):
        resample(BarArrays.empty(), *frames)
    with pytest.raises(CatalogError):
        TimeframeBuilder(NAME, frames[0], (frames[1],))


def test_unsorted_bars_are_not_resampled() -> None:
    bars = bars_at([0, 5, 10], 5)

    with pytest.raises(CatalogError, match="increasing"):
        resample(bars.take(np.array([0, 2, 1])), 5, 15)


def test_labels_and_minutes() -> None:
    assert [label(m) for m in (1, 5, 15, 60, 240)] == ["1m", "5m", "15m", "1h", "4h"]
    assert parse_timeframe("4h") == 240
    with pytest.raises(CatalogError, match="1m 5m 15m 1h 4h"):
        parse_timeframe("7m")
    with pytest.raises(CatalogError):
        label(7)
