"""Small raw columns for the tests of the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.schema import BAR_COLUMNS, TIME, Columns, Kind
from risk.vocabulary import MINUTE_NS

BTC = "BTCUSDT-PERP.BINANCE"
DAY0 = 1_704_067_200_000_000_000  # 2024-01-01
KEY = (Kind.OHLCV, BTC, 5)


def bars(first: int, count: int, minutes: int = 5, seed: int = 7) -> Columns:
    """Bars `first` .. `first + count` of one endless random walk: overlapping calls agree."""
    steps = np.random.default_rng(seed).normal(0, 0.002, 5_000)
    close = np.round(100 * np.exp(np.cumsum(steps)), 2)
    open_ = np.concatenate([[100.0], close[:-1]])
    part = slice(first, first + count)
    return {
        TIME: DAY0 + np.arange(first, first + count, dtype=np.int64) * minutes * MINUTE_NS,
        "open": open_[part],
        "high": np.maximum(open_, close)[part] + 0.05,
        "low": np.minimum(open_, close)[part] - 0.05,
        "close": close[part],
        "volume": np.round(np.abs(steps[part]) * 1e4 + 1, 3),
    }


def with_row(columns: Columns, row: int, **values: float) -> Columns:
    """The same columns with some values of one row replaced."""
    changed = {name: column.copy() for name, column in columns.items()}
    for name, value in values.items():
        changed[name][row] = value
    return changed


def picked(columns: Columns, rows: list[int]) -> Columns:
    """The rows with these positions, in this order."""
    return {name: column[np.array(rows)] for name, column in columns.items()}


def write_parquet(path: Path, columns: Columns) -> Path:
    pq.write_table(pa.table({name: pa.array(column) for name, column in columns.items()}), path)
    return path


def write_csv(path: Path, columns: Columns, stamps: Sequence[object] | None = None, header: str = "") -> Path:
    names = header or ",".join(["timestamp", *BAR_COLUMNS])
    times = stamps if stamps is not None else columns[TIME].tolist()
    lines = [
        ",".join([str(time), *(repr(float(columns[name][k])) for name in BAR_COLUMNS)])
        for k, time in enumerate(times)
    ]
    path.write_text("\n".join([names, *lines]) + "\n")
    return path
