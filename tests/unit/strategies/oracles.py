"""Indicators, entry rules and regimes once more, from their definitions, in batch form with numpy and pandas.

Written independently of `strategies/`: nothing is imported from it.  All arrays have one value a bar, NaN
until warm.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from catalog.timeframes import BarArrays
from tests.fakes.histories import History

Floats = NDArray[np.float64]
HOUR_NS = 3_600_000_000_000


def wilder(x: Floats, n: int) -> Floats:
    """Mean of the first n, then the exponential mean with alpha 1/n; leading NaN are skipped."""
    out = np.full(len(x), np.nan)
    start = int(np.isnan(x).sum())
    if len(x) - start < n:
        return out
    seeded = np.concatenate(([np.mean(x[start : start + n])], x[start + n :]))
    out[start + n - 1 :] = pd.Series(seeded).ewm(alpha=1 / n, adjust=False).mean()
    return out


def true_range(bars: BarArrays) -> Floats:
    before = np.concatenate(([np.nan], bars.close[:-1]))
    parts = np.vstack([bars.high - bars.low, np.abs(bars.high - before), np.abs(bars.low - before)])
    return np.nanmax(parts, axis=0)


def atr(bars: BarArrays, n: int = 14) -> Floats:
    return wilder(true_range(bars), n)


def adx(bars: BarArrays, n: int = 14) -> Floats:
    if len(bars) < 2:
        return np.full(len(bars), np.nan)
    up, down = np.diff(bars.high), -np.diff(bars.low)
    plus = wilder(np.where((up > down) & (up > 0), up, 0.0), n)
    minus = wilder(np.where((down > up) & (down > 0), down, 0.0), n)
    ranges = wilder(true_range(bars)[1:], n)
    with np.errstate(invalid="ignore", divide="ignore"):
        plus_di, minus_di = 100 * plus / ranges, 100 * minus / ranges
        dx = 100 * np.abs(plus_di - minus_di) / (plus_di + minus_di)
    dx = np.where(~np.isnan(plus) & (plus + minus == 0), 0.0, dx)
    return np.concatenate(([np.nan], wilder(dx, n)))


def rsi(close: Floats, n: int = 14) -> Floats:
    change = np.diff(close)
    gain, loss = wilder(np.maximum(change, 0), n), wilder(np.maximum(-change, 0), n)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = 100 - 100 / (1 + gain / loss)
    value = np.where((loss == 0) & (gain > 0), 100.0, value)
    value = np.where((loss == 0) & (gain == 0), 50.0, value)
    return np.concatenate((np.full(min(1, len(close)), np.nan), value))


def ema(close: Floats, n: int) -> Floats:
    out = np.full(len(close), np.nan)
    if len(close) >= n:
        seeded = np.concatenate(([np.mean(close[:n])], close[n:]))
        out[n - 1 :] = pd.Series(seeded).ewm(span=n, adjust=False).mean()
    return out


def ema_slope(bars: BarArrays, n: int = 200, k: int = 5) -> Floats:
    average, ranges = ema(bars.close, n), atr(bars)
    lagged = np.concatenate((np.full(min(k, len(bars)), np.nan), average[:-k]))[: len(bars)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(
            ranges == 0, np.where(np.isnan(lagged), np.nan, 0.0), (average - lagged) / (k * ranges)
        )


def windows_before(x: Floats, n: int) -> Floats:
    """The n values before each bar, shape (n_bars - n, n), from bar n on."""
    return sliding_window_view(x, n)[:-1] if len(x) > n else np.empty((0, n))


def windows(x: Floats, n: int) -> Floats:
    """The last n values at each bar, shape (n_bars - n + 1, n), from bar n - 1 on."""
    return sliding_window_view(x, n) if len(x) >= n else np.empty((0, n))


def _late(values: Floats, length: int) -> Floats:
    return np.concatenate((np.full(length - len(values), np.nan), values))


def bollinger(close: Floats, n: int = 20, k: float = 2.0) -> tuple[Floats, Floats, Floats]:
    inside = windows(close, n)
    middle, width = inside.mean(axis=1), k * inside.std(axis=1)
    return tuple(_late(band, len(close)) for band in (middle - width, middle, middle + width))


def donchian(bars: BarArrays, n: int) -> tuple[Floats, Floats]:
    high = pd.Series(bars.high).rolling(n).max().shift(1)
    low = pd.Series(bars.low).rolling(n).min().shift(1)
    return high.to_numpy(), low.to_numpy()


def percentile_rank(x: Floats, n: int) -> Floats:
    """Share of the n values before; leading NaN of x are skipped."""
    start = int(np.isnan(x).sum())
    x = x[start:]
    if len(x) <= n:
        return np.full(start + len(x), np.nan)
    share = (windows_before(x, n) < x[n:, None]).mean(axis=1)
    return _late(share, start + len(x))


def realised_volatility(close: Floats, n: int = 30) -> Floats:
    return _late(windows(np.diff(np.log(close)), n).std(axis=1), len(close))


def breakout_4h(history: History) -> pd.DataFrame:
    bars = history.bars
    high, low = donchian(bars, 20)
    far_high, far_low = donchian(bars, 55)
    trend = (adx(bars) >= 20) & ~np.isnan(far_high)
    side = np.where(trend & (bars.close > high), 1, np.where(trend & (bars.close < low), -1, 0))
    beyond = np.where(side > 0, bars.close > far_high, bars.close < far_low)
    return _frame(side, np.where(beyond, 0.9, 0.6), 1.2 * atr(bars))


def volatility_expansion_15m(history: History) -> pd.DataFrame:
    bars = history.bars
    atr_pct = atr(bars) / bars.close
    rank = np.minimum(percentile_rank(atr_pct, 480), percentile_rank(bars.volume, 480))
    rising = np.concatenate(([False], atr_pct[1:] > atr_pct[:-1]))
    side = np.where((rank >= 0.80) & rising, np.sign(bars.close - bars.open), 0).astype(int)
    return _frame(side, np.minimum(1.0, 0.5 + 2.5 * (rank - 0.80)), 1.5 * atr(bars))


def range_reversion_5m(history: History) -> pd.DataFrame:
    bars = history.bars
    lower, middle, upper = bollinger(bars.close)
    strength = rsi(bars.close)
    long = (bars.close < lower) & (strength <= 30)
    short = (bars.close > upper) & (strength >= 70)
    side = np.where(long, 1, np.where(short, -1, 0))
    confidence = 0.5 + np.where(side > 0, 30 - strength, strength - 70) / 60
    return _frame(side, np.minimum(1.0, confidence), 1.2 * atr(bars), target=middle)


def funding_reversion(history: History) -> pd.DataFrame:
    """Settlements every 8 h, bar by bar."""
    bars, funding = history.bars, history.funding
    reference = pd.Series(history.references.price, index=history.references.ts_event).reindex(bars.ts_event)
    basis = 10_000 * (bars.close / reference.to_numpy() - 1)
    known = basis[~np.isnan(basis)]
    medians = np.full(len(basis), np.nan)
    medians[~np.isnan(basis)] = _late(np.median(windows_before(known, 720), axis=1), len(known))
    deviation, ranges = basis - medians, atr(bars)
    side, confidence, signalled = np.zeros(len(bars), int), np.full(len(bars), np.nan), -1
    for i in np.flatnonzero(np.abs(deviation) >= 5):
        k = int(np.searchsorted(funding.ts_event, bars.ts_event[i], side="right")) - 1
        if k < 270 or k == signalled or bars.ts_event[i] - funding.ts_event[k] > 9 * HOUR_NS:
            continue
        if funding.ts_event[k] - funding.ts_event[k - 270] > 100 * 24 * HOUR_NS or np.isnan(ranges[i]):
            continue
        threshold = max(0.0003, float(np.percentile(np.abs(funding.rate[k - 270 : k]), 95)))
        rate = funding.rate[k]
        if abs(rate) >= threshold and np.sign(rate) == np.sign(deviation[i]):
            side[i], signalled = -int(np.sign(rate)), k
            confidence[i] = min(1.0, 0.5 + 0.25 * (abs(rate) / threshold - 1))
    return _frame(side, confidence, 2.0 * ranges)


def _frame(
    side: NDArray[np.int64], confidence: Floats, stop: Floats, target: Floats | None = None
) -> pd.DataFrame:
    frame = pd.DataFrame({"side": side, "confidence": confidence, "stop_distance": stop})
    frame["target_price"] = np.nan if target is None else target
    return frame[frame["side"] != 0]


def regimes(bars: BarArrays) -> pd.DataFrame:
    """Label of each bar without hysteresis, with its features; rows that are not warm are left out."""
    volatility = realised_volatility(bars.close)
    frame = pd.DataFrame(
        {
            "atr": atr(bars),
            "adx": adx(bars),
            "slope": ema_slope(bars),
            "volatility": volatility,
            "rank": percentile_rank(volatility, 720),
            "log_return": np.concatenate(([np.nan], np.diff(np.log(bars.close)))),
            "highest": pd.Series(bars.close).rolling(24).max().shift(1),
            "before": np.concatenate(([np.nan], volatility[:-1])),
            "close": bars.close,
        }
    ).dropna()
    jump = (frame["log_return"] <= -4 * frame["before"]) & (frame["rank"] >= 0.80)
    fall = frame["close"] <= (1 - np.maximum(0.08, 4 * np.sqrt(24) * frame["before"])) * frame["highest"]
    trending = frame["adx"] >= 22
    frame["label"] = np.select(
        [
            jump | fall,
            trending & (frame["slope"] > 0.02),
            trending & (frame["slope"] < -0.02),
            frame["rank"] >= 0.5,
        ],
        ["panic", "trend_up", "trend_down", "range_highvol"],
        "range_lowvol",
    )
    return frame
