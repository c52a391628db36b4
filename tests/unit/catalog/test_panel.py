"""The panel of all instruments gives what one builder an instrument gives, whatever is missing or late."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.building import TimeframeBuilder
from catalog.panel import TimeframePanel
from risk.vocabulary import MINUTE_NS, Bar, Instant

START = 1_672_531_200_000_000_000  # 2023-01-01
NAMES = ("ADA-USDT.TEST", "BTC-USDT.TEST", "SOL-USDT.TEST")
FRAMES = (5, 15, 60, 240)


def bars_of(moment: int, minutes: int, seed: int = 0) -> list[Bar]:
    """Return a bar of each instrument that closes at a moment (minutes after the start)."""
    rng = np.random.default_rng([moment, seed])
    return [
        Bar(name, minutes, START + moment * MINUTE_NS, *rng.lognormal(3, 2, 5).tolist()) for name in NAMES
    ]


def instant(moment: int, minutes: int, bars: list[Bar], **rest: Any) -> Instant:
    ordered = tuple(sorted(bars, key=lambda bar: (bar.ts_event, bar.instrument)))
    return Instant(START + moment * MINUTE_NS, {minutes: ordered} if ordered else {}, **rest)


def by_builders(builders: list[TimeframeBuilder], fine: Instant) -> dict[int, tuple[Bar, ...]]:
    for bars in [*fine.bars.values(), fine.backfilled]:
        for bar in bars:
            builders[NAMES.index(bar.instrument)].push(bar)
    built = [bar for builder in builders for bar in builder.close_until(fine.ts_event)]
    frames = sorted({bar.minutes for bar in built}, reverse=True)
    built.sort(key=lambda bar: (bar.ts_event, bar.instrument))
    return {m: tuple(bar for bar in built if bar.minutes == m) for m in frames}


def market(minutes: int, moments: int, trouble: dict[int, int], shuffle: random.Random) -> list[Instant]:
    """Return instants in which at some moments a bar is lost, late, repeated, or all are missing."""
    found: list[Instant] = []
    waiting: list[Bar] = []
    for k in range(1, moments + 1):
        bars = bars_of(k * minutes, minutes)
        backfilled: tuple[Bar, ...] = ()
        kind = trouble.get(k, 0)
        if kind == 0 and waiting:
            backfilled, waiting = tuple(waiting), []
        elif kind == 1:
            bars.pop(shuffle.randrange(len(bars)))
        elif kind == 2:
            waiting.append(bars.pop(shuffle.randrange(len(bars))))
        elif kind == 3 and found:
            bars += bars_of((k - 1) * minutes, minutes, seed=1)
        elif kind == 4:
            bars = []
        found.append(instant(k * minutes, minutes, bars, backfilled=backfilled))
    return found


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([1, 5, 15]),
    st.dictionaries(st.integers(1, 400), st.integers(1, 4), max_size=6),
    st.integers(0, 2**32),
)
def test_together_or_apart_the_bars_are_those_of_the_builders(
    minutes: int, trouble: dict[int, int], seed: int
) -> None:
    shuffle = random.Random(seed)
    frames = [m for m in FRAMES if m > minutes]
    panel = TimeframePanel(dict.fromkeys(NAMES, minutes), FRAMES)
    builders = [TimeframeBuilder(name, minutes, tuple(frames)) for name in NAMES]
    for fine in market(minutes, 530, trouble, shuffle):
        panel.push(fine)
        if shuffle.random() < 0.3:
            panel.take_in()  # in the quiet or not: nothing depends on it
        assert panel.close_until(fine.ts_event) == by_builders(builders, fine)
    assert (panel.late, panel.repeated) == (sum(b.late for b in builders), sum(b.repeated for b in builders))


def test_after_a_hole_the_instruments_go_together_again_at_the_next_widest_close() -> None:
    panel = TimeframePanel(dict.fromkeys(NAMES, 15), FRAMES)
    together: list[bool] = []
    for k in range(1, 60):
        bars = bars_of(k * 15, 15)
        if k == 20:
            del bars[1]
        panel.push(instant(k * 15, 15, bars))
        panel.close_until(START + k * 15 * MINUTE_NS)
        together.append(panel._together)
    assert together == [*[True] * 19, *[False] * 12, *[True] * 28]  # 4h buckets close at every sixteenth


def test_an_instrument_whose_last_bar_is_awaited_closes_later_than_the_others() -> None:
    panel = TimeframePanel(dict.fromkeys(NAMES, 5), (15,))
    for k in (1, 2):
        panel.push(instant(5 * k, 5, bars_of(5 * k, 5)))
    last = bars_of(15, 5)
    panel.push(instant(15, 5, last[:2], late=(NAMES[2],)))
    first = panel.close_until(START + 15 * MINUTE_NS, {NAMES[2]})
    assert [bar.instrument for bar in first[15]] == list(NAMES[:2])
    panel.push(instant(20, 5, [last[2], *bars_of(20, 5)]))
    [bar] = panel.close_until(START + 20 * MINUTE_NS)[15]
    assert (bar.instrument, bar.ts_event, bar.close) == (NAMES[2], START + 15 * MINUTE_NS, last[2].close)


def test_what_was_open_before_the_start_belongs_to_the_first_bars() -> None:
    series = {name: [bars_of(15 * k, 15)[i] for k in (1, 2, 3)] for i, name in enumerate(NAMES)}
    fourth = bars_of(60, 15)
    for seed in (series, {**series, NAMES[0]: series[NAMES[0]][1:]}):
        panel = TimeframePanel(dict.fromkeys(NAMES, 15), (60,))
        panel.seed(seed, START + 45 * MINUTE_NS)
        panel.push(instant(60, 15, fourth))
        built = panel.close_until(START + 60 * MINUTE_NS)[60]
        assert [bar.open for bar in built] == [seed[name][0].open for name in NAMES]
        assert [bar.close for bar in built] == [bar.close for bar in fourth]


def test_long_runs_keep_few_rows() -> None:
    panel = TimeframePanel(dict.fromkeys(NAMES, 1), (5, 240))
    for k in range(1, 4000):
        panel.push(instant(k, 1, bars_of(k, 1)))
        panel.close_until(START + k * MINUTE_NS)
    assert len(panel._rows) < 1024
