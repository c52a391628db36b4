"""What the raw store holds: its kinds of rows, their columns, and the arrays readers get.

Raw rows keep the venue's stamp in `ts_utc` (int64 ns UTC): the OPEN time of a bar, the settlement time of a
funding rate.  Everything a reader gets is stamped when it became known: `ts_event` is the close of a bar or
the settlement.  Prices and rates are float64, volume is in base coins.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from catalog.errors import CatalogError
from catalog.timeframes import Floats, Ints
from risk.vocabulary import MINUTE_NS

TIME = "ts_utc"
BAR_COLUMNS = ("open", "high", "low", "close", "volume")

Columns = dict[str, NDArray[Any]]


class Kind(StrEnum):
    """What a raw file holds."""

    OHLCV = "ohlcv"
    FUNDING = "funding"  # settled rates
    MARK = "mark"  # bars of the mark price
    REFERENCE = "reference"  # bars of the index price
    BASIS = "basis"  # perpetual and spot close of the same time
    QUOTES = "quotes"  # best bid and ask
    LATE = "late"  # instants of a recorded feed in which the instrument was stale
    DELAY = "delay"  # what a recorded feed delivered after its own instant; minutes 0: settled funding


# Rows that come when they come: no grid, no gaps; their stamp is when they were known.
EVENTS = frozenset({Kind.QUOTES, Kind.LATE, Kind.DELAY})


VALUES: dict[Kind, tuple[str, ...]] = {
    Kind.OHLCV: BAR_COLUMNS,
    Kind.FUNDING: ("funding_rate",),
    Kind.MARK: BAR_COLUMNS,
    Kind.REFERENCE: BAR_COLUMNS,
    Kind.BASIS: ("perp_close", "spot_close", "basis_bps"),
    Kind.QUOTES: ("bid", "ask"),
    Kind.LATE: ("late",),
    Kind.DELAY: ("after_minutes",),
}

# Columns that must be above zero; the others may be zero (volume) or negative (rates, basis).
POSITIVE: dict[Kind, tuple[str, ...]] = {
    Kind.OHLCV: BAR_COLUMNS[:4],
    Kind.FUNDING: (),
    Kind.MARK: BAR_COLUMNS[:4],
    Kind.REFERENCE: BAR_COLUMNS[:4],
    Kind.BASIS: ("perp_close", "spot_close"),
    Kind.QUOTES: ("bid", "ask"),
    Kind.LATE: ("late",),
    Kind.DELAY: ("after_minutes",),
}

LABEL_REAL = "real"
LABEL_SPOT_AS_PERP = "spot-as-perp"
LABEL_SYNTHETIC = "synthetic"
LABEL_SCRIPTED = "scripted"  # planted by a test

MAX_DIGITS = 10


@dataclass(frozen=True, slots=True)
class FundingArrays:
    """Settled funding rates (fractions of notional, positive: longs pay) by settlement time, ns UTC."""

    ts_event: Ints
    rate: Floats

    def __len__(self) -> int:
        return len(self.ts_event)


@dataclass(frozen=True, slots=True)
class QuoteArrays:
    """Best bid and ask by the venue's time, ns UTC."""

    ts_event: Ints
    bid: Floats
    ask: Floats

    def __len__(self) -> int:
        return len(self.ts_event)


@dataclass(frozen=True, slots=True)
class PriceArrays:
    """Prices by the time at which they became known, ns UTC."""

    ts_event: Ints
    price: Floats

    def __len__(self) -> int:
        return len(self.ts_event)


@dataclass(frozen=True, slots=True)
class Source:
    """All rows of one kind, instrument and timeframe in a catalog.

    `first_ns` and `last_ns` are stamps as readers see them (close or settlement time); `price_digits` and
    `size_digits` are the decimals found in the data (0 for funding and basis); `label` says what the rows
    are: real, spot-as-perp, synthetic or scripted.
    """

    instrument: str
    kind: Kind
    minutes: int
    first_ns: int
    last_ns: int
    rows: int
    price_digits: int
    size_digits: int
    label: str
    files: int


def interval_label(minutes: int) -> str:
    """Return `8h` for 480, `5m` for 5, `event` for 0: the folder name of an interval, listed or not."""
    if minutes == 0:
        return "event"
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


def close_offset_ns(kind: Kind, minutes: int) -> int:
    """Return what lies between a raw stamp and the moment its row was known."""
    return 0 if kind is Kind.FUNDING or kind in EVENTS else minutes * MINUTE_NS


def arrow_schema(kind: Kind) -> pa.Schema:
    """Return the Parquet schema of a raw file."""
    types = {TIME: pa.int64()} | dict.fromkeys(VALUES[kind], pa.float64())
    return pa.schema(types)


def checked_columns(kind: Kind, columns: Columns, where: str) -> Columns:
    """Return the columns of a kind as int64 stamps and float64 values, nothing else.

    Raises
    ------
    CatalogError
        If a column is missing, the lengths differ, or a value is no number.
    """
    names = (TIME, *VALUES[kind])
    missing = [name for name in names if name not in columns]
    if missing:
        raise CatalogError(
            f"{where}: columns are missing for {kind}",
            found=", ".join(columns) or "no columns",
            expected=", ".join(names),
        )
    if len({len(columns[name]) for name in names}) > 1:
        raise CatalogError(f"{where}: columns of unequal length")
    try:
        values = {name: np.ascontiguousarray(columns[name], np.float64) for name in VALUES[kind]}
        return {TIME: np.ascontiguousarray(columns[TIME], np.int64), **values}
    except (TypeError, ValueError) as error:
        raise CatalogError(f"{where}: not a number", found=str(error), expected="numeric columns") from error


def take(columns: Columns, rows: NDArray[Any] | slice) -> Columns:
    """Return the chosen rows of every column."""
    return {name: values[rows] for name, values in columns.items()}


def decimals(values: Floats) -> int:
    """Return the smallest number of decimals that writes all values, at most `MAX_DIGITS`."""
    finite = values[np.isfinite(values)]
    digits = 0
    while digits < MAX_DIGITS and len(finite):
        scale = 10.0**digits
        finite = finite[np.abs(np.rint(finite * scale) / scale - finite) > 1e-11 * np.abs(finite)]
        digits += 1 if len(finite) else 0
    return digits


def digits_of(kind: Kind, columns: Columns) -> tuple[int, int]:
    """Return the decimals of prices and of sizes in bars; (0, 0) for kinds without a grid of their own."""
    if kind is Kind.QUOTES:
        prices = np.concatenate([np.asarray(columns[name], np.float64) for name in VALUES[kind]])
        return decimals(prices), 0
    if "close" not in VALUES[kind]:
        return 0, 0
    prices = np.concatenate([np.asarray(columns[name], np.float64) for name in BAR_COLUMNS[:4]])
    return decimals(prices), decimals(np.asarray(columns["volume"], np.float64))


def snap_settlements(stamps: Ints) -> Ints:
    """Move settlement stamps onto the hour when within 60 s of it, else onto the nearest minute.

    Venues stamp settlements some milliseconds off; the engine settles on the boundary.
    """
    hour = 60 * MINUTE_NS
    on_hour = (stamps + hour // 2) // hour * hour
    on_minute = (stamps + MINUTE_NS // 2) // MINUTE_NS * MINUTE_NS
    return np.where(np.abs(stamps - on_hour) <= MINUTE_NS, on_hour, on_minute)
