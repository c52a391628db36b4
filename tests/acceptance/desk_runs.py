"""The desk over a catalog without report and files: all rows it recorded, to compare runs with each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from catalog.schema import LABEL_REAL, TIME, VALUES, Kind
from catalog.store import Catalog
from crupto_nautilus.config import load_config
from crupto_nautilus.desk import backtest
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.outcome import check_run
from crupto_nautilus.desk.plan import prepare
from crupto_nautilus.reports.schema import TABLES

TABLES_OF_EVENTS = tuple(name for name in TABLES if name not in ("calls", "benchmark"))

Rows = Mapping[str, list[tuple[int, str]]]  # table -> (ts_event, all of the row)


def played(
    catalog: Path, *, start: str | None = None, end: str | None = None, equity: float = 10_000.0,
    symbols: tuple[str, ...] | None = None, strategies: tuple[str, ...] | None = None,
) -> Rows:  # fmt: skip
    """Run the desk and return what it recorded, in order, but for the last sample: it is of no moment."""
    options = BacktestOptions(
        catalog, load_config(None, env={}), Path("unused"), "same",
        symbols, ns(start), ns(end), equity, strategies,
    )  # fmt: skip
    run = backtest.simulate(prepare(options), options)
    check_run(run)
    rows = {}
    for table in TABLES_OF_EVENTS:
        found = [row for row in run.recording.rows(table) if getattr(row, "cause", "") != "close"]
        rows[table] = [(_ts(row), repr(row)) for row in found]
    return rows


def _ts(row: object) -> int:
    return int(row["ts_event"] if isinstance(row, Mapping) else row.ts_event)  # type: ignore[attr-defined]


def until(rows: Rows, ts: int) -> Rows:
    """Return the rows up to and including a moment."""
    return {table: [row for row in found if row[0] <= ts] for table, found in rows.items()}


def first_difference(one: Rows, other: Rows) -> str:
    """Say where two runs part, or return nothing."""
    for table in TABLES_OF_EVENTS:
        for a, b in zip(one[table], other[table], strict=False):
            if a != b:
                return f"{table}:\n  {a[1]}\n  {b[1]}"
        if len(one[table]) != len(other[table]):
            return f"{table}: {len(one[table])} rows and {len(other[table])} rows"
    return ""


def ns(moment: str | None) -> int | None:
    """Return a UTC time as nanoseconds."""
    return None if moment is None else pd.Timestamp(moment, tz="UTC").value


def add_frame(catalog: Catalog, kind: Kind, instrument: str, minutes: int, frame: pd.DataFrame) -> None:
    """Add raw rows to a catalog."""
    columns = {TIME: frame["ts_utc"].to_numpy(np.int64)}
    values = [name for name in frame.columns if name != "ts_utc"]
    for name in VALUES[kind]:
        column = name if name in values else values[0]
        columns[name] = frame[column].to_numpy(np.float64)
    catalog.add(kind, instrument, minutes, columns, label=LABEL_REAL, source="real history, cut by a test")
