"""Every indicator against its batch formula, on random, real and generated bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalog.timeframes import BarArrays
from strategies.indicators import steps
from strategies.indicators.bollinger import Bollinger
from strategies.indicators.donchian import Donchian, RollingMax
from strategies.indicators.moving_averages import Ema
from strategies.indicators.rolling import SortedWindow
from strategies.indicators.rsi import Rsi
from strategies.indicators.volatility import RealisedVolatility
from strategies.indicators.wilder import Adx, Atr, WilderMean
from tests.fakes.histories import START_NS, read_bars, synthetic_bars
from tests.unit.strategies import oracles

Values = Sequence[float | None]
Floats = NDArray[np.float64]


def hlc(bars: BarArrays) -> list[tuple[float, float, float]]:
    return list(zip(bars.high.tolist(), bars.low.tolist(), bars.close.tolist(), strict=True))


def stream_wilder_mean(bars: BarArrays, n: int) -> Values:
    update = WilderMean(n).update
    return [update(x) for x in bars.volume.tolist()]


def stream_atr(bars: BarArrays, n: int) -> Values:
    update = Atr(n).update
    return [update(*row) for row in hlc(bars)]


def stream_adx(bars: BarArrays, n: int) -> Values:
    update = Adx(n).update
    return [update(high, low) for high, low, _ in hlc(bars)]


def stream_rsi(bars: BarArrays, n: int) -> Values:
    update = Rsi(n).update
    return [update(close) for close in bars.close.tolist()]


def stream_ema(bars: BarArrays, n: int) -> Values:
    update = Ema(n).update
    return [update(close) for close in bars.close.tolist()]


def known(value: float) -> float | None:
    return None if np.isnan(value) else value


def stream_compiled_atr(bars: BarArrays, n: int) -> Values:
    row = np.zeros(steps.ATR_FLOATS + n)
    return [known(steps.atr_step(row, n, *bar)) for bar in hlc(bars)]


def stream_compiled_adx(bars: BarArrays, n: int) -> Values:
    row = np.zeros(steps.ADX_FLOATS + 3 * n)
    return [known(steps.adx_step(row, n, high, low)) for high, low, _ in hlc(bars)]


def stream_compiled_ema(bars: BarArrays, n: int) -> Values:
    row = np.zeros(steps.MEAN_FLOATS + n)
    return [known(steps.ema_step(row, n, close)) for close in bars.close.tolist()]


def stream_slope(bars: BarArrays, n: int) -> Values:
    row, averages, out = np.zeros(steps.SLOPE_FLOATS + n + 5), Atr(14), []
    for high, low, close in hlc(bars):
        atr = averages.update(high, low, close)
        out.append(known(steps.slope_step(row, n, 5, close, np.nan if atr is None else atr)))
    return out


def stream_band(part: int) -> Callable[[BarArrays, int], Values]:
    def stream(bars: BarArrays, n: int) -> Values:
        bollinger, out = Bollinger(n, 2.0), []
        for close in bars.close.tolist():
            bollinger.push(close)
            bands = bollinger.bands()
            out.append(None if bands is None else bands[part])
        return out

    return stream


def stream_donchian(part: str) -> Callable[[BarArrays, int], Values]:
    def stream(bars: BarArrays, n: int) -> Values:
        channel, out = Donchian(n), []
        for high, low, _ in hlc(bars):
            channel.update(high, low)
            out.append(getattr(channel, part))
        return out

    return stream


def stream_sorted_rank(bars: BarArrays, n: int) -> Values:
    update = SortedWindow(n).update
    return [update(x) for x in bars.volume.tolist()]


def stream_counted_rank(bars: BarArrays, n: int) -> Values:
    row, out = np.zeros(steps.WINDOW_FLOATS + n), []
    for x in bars.volume.tolist():
        steps.push(row, x)
        out.append(known(steps.rank(row)))
    return out


def stream_quantile(q: float) -> Callable[[BarArrays, int], Values]:
    def stream(bars: BarArrays, n: int) -> Values:
        window, out = SortedWindow(n), []
        for x in bars.volume.tolist():
            window.update(x)
            out.append(window.quantile(q))
        return out

    return stream


def stream_median(bars: BarArrays, n: int) -> Values:
    window, out = SortedWindow(n), []
    for x in bars.volume.tolist():
        window.update(x)
        out.append(window.median())
    return out


def stream_volatility(bars: BarArrays, n: int) -> Values:
    update = RealisedVolatility(n).update
    return [update(close) for close in bars.close.tolist()]


def batch_quantile(q: float) -> Callable[[BarArrays, int], Floats]:
    def batch(bars: BarArrays, n: int) -> Floats:
        inside = oracles.windows(bars.volume, n)
        values = np.quantile(inside, q, axis=1) if len(inside) else np.empty(0)
        return np.concatenate((np.full(len(bars) - len(values), np.nan), values))

    return batch


def batch_max_before(bars: BarArrays, n: int) -> Floats:
    inside = oracles.windows_before(bars.close, n)
    return np.concatenate((np.full(len(bars) - len(inside), np.nan), inside.max(axis=1, initial=0.0)))


def stream_max_before(bars: BarArrays, n: int) -> Values:
    update = RollingMax(n).update
    return [update(close) for close in bars.close.tolist()]


# name -> (incremental, batch, window used on long histories)
INDICATORS: dict[str, tuple[Callable[..., Values], Callable[..., Floats], int]] = {
    "wilder mean": (stream_wilder_mean, lambda bars, n: oracles.wilder(bars.volume, n), 14),
    "ATR": (stream_atr, oracles.atr, 14),
    "ADX": (stream_adx, oracles.adx, 14),
    "RSI": (stream_rsi, lambda bars, n: oracles.rsi(bars.close, n), 14),
    "EMA": (stream_ema, lambda bars, n: oracles.ema(bars.close, n), 200),
    "EMA slope": (stream_slope, oracles.ema_slope, 200),
    "lower band": (stream_band(0), lambda bars, n: oracles.bollinger(bars.close, n)[0], 20),
    "middle band": (stream_band(1), lambda bars, n: oracles.bollinger(bars.close, n)[1], 20),
    "upper band": (stream_band(2), lambda bars, n: oracles.bollinger(bars.close, n)[2], 20),
    "Donchian high": (stream_donchian("high"), lambda bars, n: oracles.donchian(bars, n)[0], 20),
    "Donchian low": (stream_donchian("low"), lambda bars, n: oracles.donchian(bars, n)[1], 55),
    "highest close before": (stream_max_before, batch_max_before, 24),
    "rank, sorted": (stream_sorted_rank, lambda bars, n: oracles.percentile_rank(bars.volume, n), 720),
    "rank, counted": (stream_counted_rank, lambda bars, n: oracles.percentile_rank(bars.volume, n), 480),
    "median": (stream_median, batch_quantile(0.5), 720),
    "95th percentile": (stream_quantile(0.95), batch_quantile(0.95), 270),
    "50th percentile": (stream_quantile(0.5), batch_quantile(0.5), 270),
    "realised volatility": (
        stream_volatility,
        lambda bars, n: oracles.realised_volatility(bars.close, n),
        30,
    ),
}


def assert_equal(found: Values, wanted: Floats) -> None:
    values = np.array([np.nan if x is None else x for x in found])
    assert len(values) == len(wanted)
    assert np.isnan(values).tolist() == np.isnan(wanted).tolist(), "warm on other bars than the formula"
    np.testing.assert_allclose(values, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", INDICATORS)
@pytest.mark.parametrize("seed", [1, 2])
def test_incremental_equals_batch_on_random_bars(name: str, seed: int) -> None:
    stream, batch, n = INDICATORS[name]
    bars = synthetic_bars(1500, 15, seed)
    assert_equal(stream(bars, n), batch(bars, n))


@pytest.mark.data
@pytest.mark.parametrize("name", INDICATORS)
def test_incremental_equals_batch_on_real_bars(name: str, market_dir: Path) -> None:
    stream, batch, n = INDICATORS[name]
    bars = read_bars(market_dir / "spot_5m" / "SOLUSDT.BINANCE.5m.parquet", 5).take(slice(30_000, 34_000))
    assert_equal(stream(bars, n), batch(bars, n))


ticks = st.integers(0, 6)
rows = st.lists(
    st.tuples(st.integers(80, 120), ticks, ticks, ticks, st.integers(0, 5)), min_size=20, max_size=36
)


def generated_bars(drawn: list[tuple[int, int, int, int, int]]) -> BarArrays:
    """Coarse ticks, so that equal prices, flat bars and empty volume come up often."""
    low = np.array([row[0] for row in drawn], np.float64)
    open_, close = (low + np.array([row[k] for row in drawn], np.float64) for k in (1, 2))
    high = np.maximum(np.maximum(open_, close), low + np.array([row[3] for row in drawn], np.float64))
    ts_event = START_NS + np.arange(1, len(drawn) + 1, dtype=np.int64)
    return BarArrays(ts_event, open_, high, low, close, np.array([row[4] for row in drawn], np.float64))


@pytest.mark.parametrize("name", INDICATORS)
@settings(max_examples=6, deadline=None)
@given(drawn=rows, n=st.integers(2, 9))
def test_every_prefix_gives_the_batch_value(name: str, drawn: list[tuple[int, ...]], n: int) -> None:
    stream, batch, _ = INDICATORS[name]
    bars = generated_bars(drawn)
    streamed = stream(bars, n)
    for length in range(1, len(bars) + 1):
        prefix = bars.take(slice(0, length))
        assert_equal(streamed[length - 1 : length], batch(prefix, n)[-1:])


@pytest.mark.parametrize(
    ("name", "n", "first_warm"),
    [
        ("ATR", 14, 14),
        ("ADX", 14, 28),
        ("RSI", 14, 15),
        ("EMA", 20, 20),
        ("EMA slope", 20, 25),
        ("middle band", 20, 20),
        ("Donchian high", 20, 21),
        ("rank, sorted", 30, 31),
        ("rank, counted", 30, 31),
        ("median", 30, 30),
        ("realised volatility", 30, 31),
    ],
)
def test_warm_once_the_whole_window_is_filled(name: str, n: int, first_warm: int) -> None:
    values = INDICATORS[name][0](synthetic_bars(60, 15, 3), n)
    assert [x is None for x in values] == [index < first_warm - 1 for index in range(60)]


@pytest.mark.parametrize(
    ("closes", "wanted"),
    [([10.0, 10.0, 10.0, 10.0], 50.0), ([10.0, 11.0, 11.0, 12.0], 100.0), ([10.0, 9.0, 9.0, 8.0], 0.0)],
)
def test_rsi_without_losses_or_gains(closes: list[float], wanted: float) -> None:
    rsi = Rsi(3)
    assert [rsi.update(close) for close in closes][-1] == wanted


def test_flat_market_gives_zeros_not_errors() -> None:
    atr, adx, volatility, bollinger = Atr(3), Adx(3), RealisedVolatility(3), Bollinger(3)
    slope_row, slope = np.zeros(steps.SLOPE_FLOATS + 3 + 2), np.nan
    for _ in range(20):
        slope = steps.slope_step(slope_row, 3, 2, 0.1, atr.update(0.1, 0.1, 0.1) or 0.0)
        adx.update(0.1, 0.1)
        volatility.update(0.1)
        bollinger.push(0.1)
    assert (atr.value, adx.value, slope, volatility.value) == (0.0, 0.0, 0.0, 0.0)
    assert bollinger.bands() == pytest.approx((0.1, 0.1, 0.1), abs=1e-15)


def test_volatility_of_a_window_that_went_flat_is_exactly_zero() -> None:
    volatility = RealisedVolatility(5)
    for close in [100.0, 123.4, 77.7, 150.1, *[99.9] * 7]:
        volatility.update(close)
    assert volatility.value == 0.0


def test_rank_counts_strictly_smaller_values_of_the_bars_before() -> None:
    counted, ordered = np.zeros(steps.WINDOW_FLOATS + 4), SortedWindow(4)
    for x in (1.0, 2.0, 2.0, 3.0):
        steps.push(counted, x)
        ordered.update(x)
    assert np.isnan(steps.rank(counted))
    steps.push(counted, 2.0)
    assert steps.rank(counted) == ordered.update(2.0) == 0.25
    assert ordered.count == 4


@pytest.mark.parametrize("seed", [1, 2])
def test_compiled_and_interpreted_steps_give_the_bits_of_the_classes(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = synthetic_bars(400, 15, seed)
    wanted = (stream_atr(bars, 14), stream_adx(bars, 14), stream_ema(bars, 50), stream_sorted_rank(bars, 90))

    def found() -> tuple[Values, ...]:
        return (
            stream_compiled_atr(bars, 14),
            stream_compiled_adx(bars, 14),
            stream_compiled_ema(bars, 50),
            stream_counted_rank(bars, 90),
        )

    assert found() == wanted
    for name in ("python_sum", "wilder_step", "ema_step", "atr_step", "adx_step", "push", "rank"):
        monkeypatch.setattr(steps, name, getattr(steps, name).py_func)
    assert found() == wanted


def test_windows_hold_no_more_than_their_length() -> None:
    ordered, rolling = SortedWindow(50), RollingMax(50)
    for k in range(1000):
        ordered.update(float(k * 7919 % 1009))
        rolling.update(float(1000 - k))
    assert len(ordered.ordered) == 50
    assert len(rolling._queue) <= 51


def test_quantile_between_two_values_and_on_one() -> None:
    window = SortedWindow(5)
    for x in (50.0, 10.0, 40.0, 20.0, 30.0):
        assert window.quantile(0.5) is None
        assert window.median() is None
        window.update(x)
    assert window.quantile(0.5) == window.median() == 30.0
    assert window.quantile(0.95) == pytest.approx(48.0)
    assert window.quantile(1.0) == 50.0
