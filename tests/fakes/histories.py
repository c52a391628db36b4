"""Market histories for tests of rules: synthetic ones from a seed, real ones from the shared data.

A `History` is what a rule may be fed: bars of one timeframe with settled funding and reference prices.  It
can be cut at a bar, and its future can be replaced, which is what a look-ahead check needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from catalog.timeframes import BarArrays
from risk.vocabulary import HOUR_NS, MINUTE_NS

START_NS = 1_672_531_200_000_000_000  # 2023-01-01
_COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Rates:
    """Settled funding as columns."""

    ts_event: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    rate: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class Prices:
    """Reference prices as columns."""

    ts_event: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    price: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class History:
    """Everything one rule may see on one instrument."""

    bars: BarArrays
    funding: Rates = field(default_factory=Rates)
    references: Prices = field(default_factory=Prices)

    def __len__(self) -> int:
        return len(self.bars)

    def until(self, index: int) -> History:
        """Return what was known at the close of bar `index`."""
        ts = int(self.bars.ts_event[index])
        rates = self.funding.ts_event <= ts
        prices = self.references.ts_event <= ts
        return History(
            self.bars.take(slice(0, index + 1)),
            Rates(self.funding.ts_event[rates], self.funding.rate[rates]),
            Prices(self.references.ts_event[prices], self.references.price[prices]),
        )

    def with_other_future(self, index: int, seed: int) -> History:
        """Return the same history up to bar `index`, and another one after it."""
        rng = np.random.default_rng(seed)
        ts = int(self.bars.ts_event[index])
        factor = np.exp(rng.normal(0.0, 0.05, len(self)))
        factor[: index + 1] = 1.0
        volume = self.bars.volume.copy()
        volume[index + 1 :] = rng.permutation(volume)[index + 1 :] * 3.0
        rate, price = self.funding.rate.copy(), self.references.price.copy()
        later_rates, later_prices = self.funding.ts_event > ts, self.references.ts_event > ts
        rate[later_rates] = rng.normal(0.0, 0.001, int(later_rates.sum()))
        price[later_prices] *= np.exp(rng.normal(0.0, 0.01, int(later_prices.sum())))
        bars = self.bars
        return History(
            BarArrays(
                bars.ts_event,
                bars.open * factor,
                bars.high * factor,
                bars.low * factor,
                bars.close * factor,
                volume,
            ),
            Rates(self.funding.ts_event, rate),
            Prices(self.references.ts_event, price),
        )


def synthetic_bars(n_bars: int, minutes: int, seed: int, sigma: float = 0.004) -> BarArrays:
    """Return a random walk whose volatility comes in clusters, with trends, dojis, flat bars and empty
    volume.
    """
    rng = np.random.default_rng(seed)
    clusters = np.exp(np.repeat(rng.normal(0.0, 0.7, n_bars // 40 + 1), 40)[:n_bars])
    drift = np.repeat(rng.normal(0.0, 0.25, n_bars // 120 + 1), 120)[:n_bars]
    log_close = np.cumsum(sigma * clusters * (rng.standard_t(4, n_bars) / 1.5 + drift))
    close = np.round(100.0 * np.exp(log_close), 2)
    open_ = np.concatenate(([100.0], close[:-1]))
    high = np.maximum(open_, close) + np.round(sigma * clusters * 40.0 * rng.random(n_bars), 2)
    low = np.minimum(open_, close) - np.round(sigma * clusters * 40.0 * rng.random(n_bars), 2)
    volume = np.round(rng.lognormal(3.0, 0.8, n_bars) * clusters, 3)
    dojis = rng.random(n_bars) < 0.02
    open_[dojis] = close[dojis]
    flat = rng.random(n_bars) < 0.01
    open_[flat] = high[flat] = low[flat] = close[flat]
    volume[flat] = 0.0
    high = np.maximum(high, np.maximum(open_, close))
    low = np.minimum(low, np.minimum(open_, close))
    ts_event = START_NS + (np.arange(n_bars, dtype=np.int64) + 1) * minutes * MINUTE_NS
    return BarArrays(ts_event, open_, high, low, close, volume)


def synthetic_funding_history(n_bars: int, seed: int) -> History:
    """Return 1h bars with 8 h funding of both signs from 100 days before, and a spot price that wanders
    around.
    """
    rng = np.random.default_rng(seed)
    bars = synthetic_bars(n_bars, 60, seed)
    n_rates = n_bars // 8 + 300
    ts_rates = START_NS - 300 * 8 * HOUR_NS + np.arange(1, n_rates + 1, dtype=np.int64) * 8 * HOUR_NS
    rate = np.round(0.0001 + 0.0003 * rng.standard_t(3, n_rates), 8)
    basis_bps = -4.0 + 5.0 * rng.standard_t(3, n_bars)
    return History(bars, Rates(ts_rates, rate), Prices(bars.ts_event, bars.close / (1 + basis_bps / 10_000)))


def read_bars(path: Path, minutes: int) -> BarArrays:
    """Return the bars of a shared Parquet file, stamped at their close."""
    table = pq.read_table(path)
    columns = [table[name].to_numpy() for name in _COLUMNS]
    return BarArrays(table["ts_utc"].to_numpy() + minutes * MINUTE_NS, *columns)


def read_funding_history(market_dir: Path, coin: str) -> History:
    """Return the 1h perpetual of a coin with its settled funding and the spot price of the same hours."""
    bars = read_bars(market_dir / "perp_1h" / f"{coin}USDT-PERP.BINANCE.1h.parquet", 60)
    rates = pq.read_table(market_dir / "funding" / f"{coin}USDT-PERP.BINANCE.funding_8h.parquet")
    spot = pq.read_table(market_dir / "basis_1h" / f"{coin}USDT.BINANCE.perp_minus_spot.1h.parquet")
    return History(
        bars,
        Rates(rates["ts_utc"].to_numpy(), rates["funding_rate"].to_numpy()),
        Prices(spot["ts_utc"].to_numpy() + HOUR_NS, spot["spot_close"].to_numpy()),
    )
