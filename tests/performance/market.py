"""A synthetic market for benchmarks: many instruments, volatility clusters, trends, volume that follows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from catalog.schema import LABEL_SYNTHETIC, Kind
from catalog.store import Catalog
from risk.vocabulary import MINUTE_NS

START_NS = 1_672_531_200_000_000_000  # 2023-01-01


def bench_catalog(path: Path, instruments: int, days: int, minutes: int = 15, seed: int = 7) -> Catalog:
    """Write `instruments` random walks of `days` days and return their catalog."""
    catalog = Catalog.create(path)
    rows = days * 1440 // minutes
    stamps = START_NS + np.arange(rows, dtype=np.int64) * minutes * MINUTE_NS
    for k in range(instruments):
        rng = np.random.default_rng(seed + k)
        log_vol = np.zeros(rows)
        shocks = rng.normal(0.0, 0.06, rows)
        for i in range(1, rows):
            log_vol[i] = 0.995 * log_vol[i - 1] + shocks[i]
        vol = 0.0012 * np.sqrt(minutes / 5) * np.exp(log_vol)
        drift = 0.03 * vol * np.sign(np.sin(np.arange(rows) / 900.0 + k))
        returns = drift + vol * rng.standard_normal(rows)
        close = 100.0 * np.exp(np.cumsum(returns))
        open_ = np.concatenate(([100.0], close[:-1]))
        wick = np.abs(rng.normal(0.0, 0.6, (2, rows))) * vol
        high = np.maximum(open_, close) * (1.0 + wick[0])
        low = np.minimum(open_, close) * (1.0 - wick[1])
        volume = 40_000.0 * (vol / vol.mean()) * np.exp(rng.normal(0.0, 0.5, rows))
        columns = {
            "ts_utc": stamps,
            "open": np.round(open_, 3),
            "high": np.round(np.maximum(high, np.maximum(open_, close)), 3),
            "low": np.round(np.minimum(low, np.minimum(open_, close)), 3),
            "close": np.round(close, 3),
            "volume": np.round(volume, 1),
        }
        columns["high"] = np.maximum.reduce([columns[c] for c in ("open", "high", "close")])
        columns["low"] = np.minimum.reduce([columns[c] for c in ("open", "low", "close")])
        catalog.add(
            Kind.OHLCV, f"C{k:02d}-USDT.BENCH", minutes, columns, label=LABEL_SYNTHETIC, source="bench"
        )
    return catalog
