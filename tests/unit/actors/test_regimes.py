from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from actors.regimes import WARMUP_BARS, Hysteresis, RegimeClassifier, RegimeReading, raw_regimes
from catalog.timeframes import BarArrays
from risk.vocabulary import HOUR_NS, Bar, Regime, RegimeLabel
from tests.fakes.histories import START_NS, read_bars, synthetic_bars
from tests.unit.strategies import oracles

NAME = "BTCUSDT-PERP.BINANCE"
UP, DOWN = RegimeLabel.TREND_UP, RegimeLabel.TREND_DOWN
LOW, HIGH = RegimeLabel.RANGE_LOWVOL, RegimeLabel.RANGE_HIGHVOL
PANIC, UNKNOWN = RegimeLabel.PANIC, RegimeLabel.UNKNOWN


def held(labels: list[RegimeLabel], **limits: int) -> list[RegimeLabel]:
    hysteresis = Hysteresis(**limits)
    return [hysteresis.update(label) for label in labels]


# --- hysteresis -------------------------------------------------------------------------------------------


def test_first_label_applies_at_once() -> None:
    assert held([HIGH, HIGH]) == [HIGH, HIGH]


def test_new_label_takes_effect_on_its_third_bar_in_a_row() -> None:
    assert held([LOW, UP, UP, UP, UP]) == [LOW, LOW, LOW, UP, UP]


def test_two_bars_are_not_enough() -> None:
    assert held([LOW, UP, UP, LOW, UP, UP, LOW]) == [LOW] * 7


def test_another_candidate_starts_the_count_again() -> None:
    assert held([LOW, UP, UP, HIGH, UP, UP, UP]) == [LOW] * 6 + [UP]
    assert held([LOW, UP, UP, HIGH, HIGH, HIGH]) == [LOW] * 5 + [HIGH]


def test_panic_is_immediate_and_holds_six_bars() -> None:
    assert held([LOW, PANIC, *[UP] * 7]) == [LOW, *[PANIC] * 6, UP, UP]


def test_a_candidate_that_starts_late_in_the_hold_still_needs_its_three_bars() -> None:
    after = [LOW, LOW, UP, LOW, LOW, UP, UP, UP]
    assert held([LOW, PANIC, *after]) == [LOW, *[PANIC] * 8, UP]


def test_each_panic_bar_rearms_the_hold_and_breaks_the_row() -> None:
    assert held([LOW, PANIC, UP, UP, UP, PANIC, *[UP] * 6]) == [LOW, *[PANIC] * 10, UP]


def test_panic_ends_in_the_label_that_was_before_it_too() -> None:
    assert held([LOW, PANIC, *[LOW] * 6]) == [LOW, *[PANIC] * 6, LOW]


def test_panic_as_first_label() -> None:
    assert held([PANIC, *[DOWN] * 6]) == [*[PANIC] * 6, DOWN]


def test_holds_follow_the_settings() -> None:
    assert held([LOW, UP, PANIC, UP, UP, UP], min_bars_hold=1, panic_min_bars=3) == [
        LOW,
        UP,
        *[PANIC] * 3,
        UP,
    ]
    assert held([LOW, UP, UP], min_bars_hold=2) == [LOW, LOW, UP]


@pytest.mark.parametrize("seed", range(5))
def test_against_a_reading_of_the_whole_row(seed: int) -> None:
    """The rule in words, looking back over all raw labels at each bar."""
    rng = np.random.default_rng(seed)
    labels = [LOW, HIGH, UP, DOWN, PANIC]
    raw = [
        labels[k]
        for k in np.repeat(rng.choice(5, 400, p=[0.25, 0.25, 0.23, 0.22, 0.05]), rng.integers(1, 6, 400))
    ]
    expected: list[RegimeLabel] = []
    for i, label in enumerate(raw):
        before = expected[-1] if expected else UNKNOWN
        panics = [j for j in range(i + 1) if raw[j] is PANIC]
        row = raw[max(0, i - 2) : i + 1]
        if label is PANIC or (panics and i - panics[-1] < 6):
            expected.append(PANIC)
        elif before is UNKNOWN or row == [label] * 3:
            expected.append(label)
        else:
            expected.append(before)
    assert held(raw) == expected


# --- labels -----------------------------------------------------------------------------------------------


class Market:
    """Plants 1h bars; `calm` makes a zigzag whose volatility falls slowly, so a loud bar ranks high."""

    def __init__(self) -> None:
        self.classifier = RegimeClassifier()
        self.count = 0
        self.close = 1000.0

    def bar(self, close: float, wick: float = 1.0) -> RegimeReading:
        self.count += 1
        opened, self.close = self.close, close
        high, low = max(opened, close) + wick, min(opened, close) - wick
        ts_event = START_NS + self.count * HOUR_NS
        return self.classifier.update(Bar(NAME, 60, ts_event, opened, high, low, close, 1.0))

    def calm(self, bars: int = 800) -> RegimeReading:
        for k in range(bars):
            reading = self.bar(1000.0 + (1.0 - k / 10_000) * (1 if k % 2 else -1))
        return reading


def test_unknown_until_751_bars_are_in() -> None:
    market = Market()
    assert market.calm(WARMUP_BARS - 1).label is UNKNOWN
    assert not market.classifier.warm
    assert market.classifier.reading.features == ()
    reading = market.bar(1001.0)
    assert market.classifier.warm
    assert reading.label is reading.raw is not UNKNOWN
    assert len(reading.features) == 7


def test_daily_volatility_is_known_long_before_the_label() -> None:
    market = Market()
    market.calm(30)
    assert market.classifier.daily_volatility is None
    market.calm(1)
    closes = np.array([1000.0 + (1.0 - k / 10_000) * (1 if k % 2 else -1) for k in [*range(30), 0]])
    wanted = math.sqrt(24) * float(oracles.realised_volatility(closes)[-1])
    assert market.classifier.daily_volatility == pytest.approx(wanted)


def test_quiet_zigzag_is_a_low_volatility_range() -> None:
    reading = Market().calm()
    assert reading.raw is LOW
    assert reading.volatility_rank < 0.5
    assert abs(reading.ema_slope) < 0.02


def test_zigzag_that_grows_is_a_high_volatility_range() -> None:
    market = Market()
    market.calm()
    for k in range(40):
        reading = market.bar(1000.0 + 3.0 * (1 if k % 2 else -1))
    assert reading.raw is HIGH
    assert reading.volatility_rank >= 0.5


@pytest.mark.parametrize(("step", "label"), [(0.5, UP), (-0.5, DOWN)])
def test_steady_move_is_a_trend(step: float, label: RegimeLabel) -> None:
    market = Market()
    market.calm()
    for _ in range(60):
        reading = market.bar(market.close + step)
    assert reading.raw is label
    assert reading.adx >= 22
    assert reading.ema_slope * step > 0
    assert abs(reading.ema_slope) > 0.02


def test_fall_of_four_sigmas_in_high_volatility_is_panic() -> None:
    market = Market()
    before = market.calm()
    sigma = before.volatility
    reading = market.bar(market.close * math.exp(-4.0 * sigma - 1e-6))
    assert reading.volatility_rank >= 0.8
    assert reading.fall > -0.08
    assert reading.raw is reading.label is PANIC


def test_fall_just_short_of_four_sigmas_is_not() -> None:
    market = Market()
    sigma = market.calm().volatility
    reading = market.bar(market.close * math.exp(-4.0 * sigma + 1e-6))
    assert reading.volatility_rank >= 0.8
    assert reading.raw is not PANIC


def test_rise_of_any_size_is_not_panic() -> None:
    market = Market()
    market.calm()
    assert market.bar(1200.0).raw is not PANIC


def test_slow_fall_of_eight_percent_from_the_highest_close_is_panic() -> None:
    """No single bar falls by four sigmas: the highest close of the 24 bars before decides."""
    for close, panic in ((920.0, True), (920.01, False)):
        market = Market()
        market.calm(760)
        for k in range(40):
            market.bar(1000.0 if k % 2 else 997.0)
        for k in range(1, 24):
            before = market.bar(1000.0 - 3.4 * k)
        assert 4.0 * math.sqrt(24.0) * before.volatility < 0.08
        reading = market.bar(close)
        assert reading.log_return > -4.0 * before.volatility
        assert (reading.raw is PANIC) is panic


def test_in_a_wild_market_a_fall_must_exceed_four_daily_sigmas() -> None:
    market = Market()
    market.calm(760)
    for k in range(40):
        before = market.bar(1000.0 if k % 2 else 940.0)
    assert 4.0 * math.sqrt(24.0) * before.volatility > 0.5
    assert market.bar(900.0).raw is not PANIC  # 10 % below the highest close


def test_highest_close_is_that_of_the_24_bars_before() -> None:
    market = Market()
    market.calm(770)
    peak = market.bar(1010.0)
    assert peak.fall == pytest.approx(1010.0 / 1001.0 - 1, abs=1e-4)  # the bar itself does not count
    for k in range(24):
        reading = market.bar(1000.0 + k % 2)
    assert reading.fall == pytest.approx(1001.0 / 1010.0 - 1)  # 24 bars ago still counts
    assert market.bar(1000.0).fall == pytest.approx(1000.0 / 1001.0 - 1)  # 25 bars ago does not


# --- whole histories --------------------------------------------------------------------------------------


def assert_as_defined(bars: BarArrays) -> list[Regime]:
    """Compare every label and feature; return the regimes of the warm bars."""
    frame = oracles.regimes(bars)
    found = raw_regimes(NAME, bars)
    assert [r.ts_event for r in found] == bars.ts_event.tolist()
    warm = [r for r in found if r.raw is not UNKNOWN]
    assert len(warm) == len(frame) == len(bars) - WARMUP_BARS + 1
    assert [r.raw.value for r in warm] == frame["label"].tolist()
    values = np.array([[value for _, value in r.features] for r in warm])
    wanted = frame[["atr", "adx", "slope", "volatility", "rank", "log_return"]].to_numpy()
    rank = 4
    np.testing.assert_allclose(
        np.delete(values[:, :6], rank, 1), np.delete(wanted, rank, 1), rtol=1e-8, atol=1e-11
    )
    # Windows that hold the same returns tie exactly here, in floats only up to rounding: one place at most.
    off = np.abs(values[:, rank] - wanted[:, rank]) * 720
    assert off.max() < 1.5
    assert (off > 0.5).mean() < 0.001
    return warm


def test_synthetic_history_against_the_definition() -> None:
    assert_as_defined(synthetic_bars(3000, 60, 6))


@pytest.mark.data
def test_real_history_against_the_definition_and_its_printed_shares(market_dir: Path) -> None:
    """Trading rules, section 3: 34 % range_lowvol, 22 % range_highvol, 23 % trend_up, 19 % trend_down."""
    shares: Counter[str] = Counter()
    changes = held_changes = 0
    for coin in ("BTC", "ETH", "SOL"):
        readings = assert_as_defined(
            read_bars(market_dir / "perp_1h" / f"{coin}USDT-PERP.BINANCE.1h.parquet", 60)
        )
        shares.update(reading.raw.value for reading in readings)
        changes += sum(a.raw is not b.raw for a, b in pairwise(readings))
        held_changes += sum(a.label is not b.label for a, b in pairwise(readings))
    bars = shares.total()
    percent = {label: 100 * count / bars for label, count in shares.items()}
    assert percent["range_lowvol"] == pytest.approx(34, abs=1.5)
    assert percent["range_highvol"] == pytest.approx(22, abs=1.5)
    assert percent["trend_up"] == pytest.approx(23, abs=1.5)
    assert percent["trend_down"] == pytest.approx(19, abs=1.5)
    assert 0 < percent["panic"] < 1
    assert changes / bars * 168 == pytest.approx(10, abs=1)
    assert held_changes < 0.8 * changes
