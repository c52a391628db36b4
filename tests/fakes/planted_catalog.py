"""A catalog with a planted edge that ends: what the whole way of a challenger is tested on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from crupto_nautilus.cli.main import run
from research.calibration.markets import planted

HOUR_NS = 3_600_000_000_000
START_NS = 1_672_531_200_000_000_000  # 2023-01-01


def write_planted(folder: Path, bars: int, amplitude: float, until_bar: int, seed: int) -> Path:
    """Import a planted market of 1h bars by command and return the catalog."""
    (frame,) = planted(bars, seed, amplitude, until_bar=until_bar).frames(60)
    source = folder / "BTCUSDT-PERP.SYNTHETIC.1h.parquet"
    pd.DataFrame(
        {
            "ts_utc": frame.ts_event - HOUR_NS,
            "open": frame.open,
            "high": frame.high,
            "low": frame.low,
            "close": frame.close,
            "volume": frame.volume,
        }
    ).to_parquet(source)
    catalog = folder / "catalog"
    assert run(["catalog", "import", str(source), "--catalog", str(catalog), "--json"]) == 0
    return catalog


def day(number: int) -> str:
    """Return the date so many days after the start."""
    return str(pd.Timestamp(START_NS, unit="ns") + pd.Timedelta(days=number))[:10]
