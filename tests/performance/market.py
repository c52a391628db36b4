"""A synthetic market for benchmarks, as dense in signals, trades and refusals as real crypto bars are.

What is imitated (measured on BTC ETH SOL BNB XRP, 15m bars, 2022-12..2023-10): volatility comes in clusters
that instruments share in part, volume follows volatility, prices share a market factor and trend for weeks.
Then `volatility_expansion_15m` speaks on about 6.5 % of the bars, an instrument trades about 0.5 times a
day, a regime holds for about a day, and most refusals are REGIME_OFF, COOLDOWN, NO_RISK_LEFT, KILL_SWITCH
and DAILY_LOCK.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.schema import LABEL_SYNTHETIC, Kind
from catalog.store import Catalog
from risk.vocabulary import DAY_NS, MINUTE_NS

MINUTES = 15
BARS_A_DAY = 1440 // MINUTES
START_NS = 1_672_531_200_000_000_000  # 2023-01-01
WARM_UP_DAYS = 40
FIRST_DECISION_NS = START_NS + WARM_UP_DAYS * DAY_NS

VOLATILITY = 0.0025  # of one bar
VOLATILITY_MEMORY = 0.99
VOLATILITY_SHOCK = 0.07
SHARED = 0.4  # of the variance of returns, and of the shocks to volatility
TREND = 0.06  # drift of a trend, in volatilities a bar
TREND_BARS = 1_000
VOLUME_NOISE = 0.75
VOLUME_COINS = 40_000.0

Floats = NDArray[np.float64]


def bench_catalog(path: Path, instruments: int, days: int, seed: int = 7) -> Catalog:
    """Write `instruments` markets of `WARM_UP_DAYS` + `days` days of 15m bars and return their catalog."""
    rows = (WARM_UP_DAYS + days) * BARS_A_DAY
    rng = np.random.default_rng(seed)
    shared_shocks, shared_noise = rng.standard_normal((2, rows))
    catalog = Catalog.create(path)
    for k in range(instruments):
        catalog.add(
            Kind.OHLCV,
            f"C{k:02d}-USDT.BENCH",
            MINUTES,
            _bars(np.random.default_rng((seed, k)), shared_shocks, shared_noise, phase=float(k)),
            label=LABEL_SYNTHETIC,
            source="bench",
        )
    return catalog


def _bars(
    rng: np.random.Generator, shared_shocks: Floats, shared_noise: Floats, phase: float
) -> dict[str, NDArray[np.int64] | Floats]:
    rows = len(shared_noise)
    volatility = VOLATILITY * np.exp(_clusters(_mix(rng, shared_shocks)))
    trend = np.sign(np.sin(np.arange(rows) * np.pi / TREND_BARS + phase))
    returns = volatility * (TREND * trend + _mix(rng, shared_noise))
    close = 100.0 * np.exp(np.cumsum(returns - returns.mean()))
    open_ = np.concatenate(([100.0], close[:-1]))
    wicks = 1.0 + volatility * np.abs(rng.normal(0.0, 0.6, (2, rows)))
    volume = VOLUME_COINS * volatility / VOLATILITY * np.exp(rng.normal(0.0, VOLUME_NOISE, rows))
    prices = {
        "open": open_,
        "high": np.maximum(open_, close) * wicks[0],
        "low": np.minimum(open_, close) / wicks[1],
        "close": close,
    }
    return {
        "ts_utc": START_NS + np.arange(rows, dtype=np.int64) * MINUTES * MINUTE_NS,
        **{name: np.round(values, 3) for name, values in prices.items()},
        "volume": np.round(volume, 1),
    }


def _mix(rng: np.random.Generator, shared: Floats) -> Floats:
    """Return noise of variance 1, of which `SHARED` is the market's."""
    return np.sqrt(SHARED) * shared + np.sqrt(1.0 - SHARED) * rng.standard_normal(len(shared))


def _clusters(shocks: Floats) -> Floats:
    """Return log volatility: an autoregression of the shocks."""
    out = np.zeros(len(shocks))
    for i in range(1, len(shocks)):
        out[i] = VOLATILITY_MEMORY * out[i - 1] + VOLATILITY_SHOCK * shocks[i]
    return out
