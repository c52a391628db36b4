"""Files of market data as raw columns: Parquet and CSV with a header, whatever the columns are called.

Stamps may be in s, ms, us or ns since 1970 (told by their size) or ISO text; a time without a zone is UTC.
They are bar OPEN times, settlement times for funding.  Rows come out as they stand in the file: order,
duplicates and broken values are for the quality check to judge.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from catalog.errors import MissingFile, UnreadableFile
from catalog.schema import TIME, VALUES, Columns, Kind, take
from catalog.timeframes import Ints

# Names by which venues and tools call the columns, compared in lower case without "_", " " and "-".
_ALIASES = {
    TIME: ("tsutc", "timestamp", "time", "opentime", "datetime", "date", "ts", "fundingtime", "calctime"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v", "basevolume"),
    "funding_rate": ("fundingrate", "rate", "lastfundingrate"),
    "perp_close": ("perpclose",),
    "spot_close": ("spotclose",),
    "basis_bps": ("basisbps",),
    "bid": ("bid", "bidprice", "bestbid", "bestbidprice"),
    "ask": ("ask", "askprice", "bestask", "bestaskprice"),
    "late": ("late",),
    "after_minutes": ("afterminutes",),
}

# The largest plausible stamp (year 2200) in each unit, and what turns the unit into ns.
_UNITS = ((7.3e9, 10**9, "s"), (7.3e12, 10**6, "ms"), (7.3e15, 10**3, "us"), (7.3e18, 1, "ns"))
_EARLIEST_NS = 946_684_800_000_000_000  # 2000-01-01: an older stamp is a misread one


@dataclass(frozen=True, slots=True)
class Table:
    """Raw columns, the columns of the file that were not used, and what the file says of itself."""

    columns: Columns
    ignored: tuple[str, ...]
    origin: dict[str, str]


def read_table(path: Path, kind: Kind) -> Table:
    """Read a file of one kind.

    Raises
    ------
    UnreadableFile
        If the file is damaged, empty, lacks columns, or holds text where numbers must be.
    """
    frame, origin = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    names = _match(path, kind, [str(name) for name in frame.columns])
    if frame.empty:
        raise UnreadableFile(f"{path} holds no rows", expected="at least one row", remedy="leave it out")
    columns: Columns = {TIME: stamps_ns(path, frame[names[TIME]])}
    for name in VALUES[kind]:
        columns[name] = _numbers(path, frame[names[name]])
    if kind is Kind.QUOTES:
        columns = _newest_of_each_stamp(columns)
    used = set(names.values())
    return Table(columns, tuple(str(c) for c in frame.columns if c not in used), origin)


def _newest_of_each_stamp(columns: Columns) -> Columns:
    """Keep the last of the quotes with one stamp: a venue stamps to the millisecond and quotes more often."""
    stamps = columns[TIME]
    _, backwards = np.unique(stamps[::-1], return_index=True)
    rows = np.sort(len(stamps) - 1 - backwards)
    return take(columns, rows)


def stamps_ns(path: Path, values: pd.Series[Any]) -> Ints:
    """Return stamps as ns UTC; numbers in any usual unit, datetimes or ISO text.

    Raises
    ------
    UnreadableFile
        If a stamp is missing, no time, or the stamps mix units.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return _from_datetimes(path, values)
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().all():
        return _from_numbers(path, numbers)
    if numbers.notna().any():
        row = int(np.flatnonzero(numbers.isna().to_numpy())[0])
        raise _bad_time(path, f"row {row + 1}: {values.iloc[row]!r} among numbers")
    try:
        return _from_datetimes(path, pd.to_datetime(values, utc=True, format="ISO8601"))
    except (ValueError, TypeError) as error:
        raise _bad_time(path, str(error).splitlines()[0]) from error


def _from_datetimes(path: Path, values: pd.Series[Any]) -> Ints:
    if values.isna().any():
        raise _bad_time(path, f"row {int(np.flatnonzero(values.isna().to_numpy())[0]) + 1}: no time")
    index = pd.DatetimeIndex(values)
    index = index.tz_localize("UTC") if index.tz is None else index.tz_convert("UTC")
    return np.asarray(index.as_unit("ns").asi8, np.int64)


def _from_numbers(path: Path, numbers: pd.Series[Any]) -> Ints:
    values = numbers.to_numpy()
    largest, smallest = float(np.max(values)), float(np.min(values))
    unit = next((u for u in _UNITS if largest < u[0]), None)
    if unit is None or smallest * unit[1] < _EARLIEST_NS:
        found = f"stamps from {smallest:.0f} to {largest:.0f}"
        raise _bad_time(path, found)
    if np.issubdtype(values.dtype, np.integer):
        return np.asarray(values, np.int64) * unit[1]
    # Fractional stamps: a microsecond survives in float64, a nanosecond does not.
    return np.rint(values * (unit[1] / 1_000)).astype(np.int64) * 1_000


def _bad_time(path: Path, found: str) -> UnreadableFile:
    return UnreadableFile(
        f"{path}: a time stamp cannot be read",
        found=found,
        expected="s, ms, us or ns since 1970 after the year 2000, or ISO 8601 text, one unit for all rows",
    )


def _numbers(path: Path, values: pd.Series[Any]) -> NDArray[np.float64]:
    if pd.api.types.is_numeric_dtype(values):
        return values.to_numpy(np.float64)
    numbers = pd.to_numeric(values, errors="coerce")
    text = numbers.isna() & values.notna() & (values.astype(str).str.strip().str.lower() != "nan")
    if text.any():
        row = int(np.flatnonzero(text.to_numpy())[0])
        raise UnreadableFile(
            f"{path}: column {values.name} holds text",
            found=f"{values.iloc[row]!r} in row {row + 1}",
            expected="numbers",
        )
    return numbers.to_numpy(np.float64)


def _match(path: Path, kind: Kind, present: list[str]) -> dict[str, str]:
    plain = {name.lower().translate(str.maketrans("", "", "_- ")): name for name in reversed(present)}
    found = {
        wanted: next((plain[alias] for alias in _ALIASES[wanted] if alias in plain), None)
        for wanted in (TIME, *VALUES[kind])
    }
    missing = [wanted for wanted, name in found.items() if name is None]
    if missing:
        raise UnreadableFile(
            f"{path}: columns for {kind} are missing: {', '.join(missing)}",
            found=", ".join(present) or "no columns",
            expected=", ".join(found) + " (a CSV needs a header line)",
        )
    return {wanted: name for wanted, name in found.items() if name is not None}


def _parquet(path: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise _missing(path) from None
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFile(
            f"{path} is not a readable Parquet file",
            found=str(error).splitlines()[0],
            remedy="fetch or write the file again",
        ) from error
    metadata = table.schema.metadata or {}
    origin = {key.decode(): value.decode() for key, value in metadata.items() if key not in _ENGINE_KEYS}
    return table.to_pandas(), origin


_ENGINE_KEYS = (b"pandas", b"ARROW:schema")


def _csv(path: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    try:
        return pd.read_csv(path, sep=_separator(path), comment="#", skipinitialspace=True), {}
    except FileNotFoundError:
        raise _missing(path) from None
    except pd.errors.EmptyDataError:
        raise UnreadableFile(f"{path} is empty", expected="a header line and rows") from None
    except (ValueError, OSError, EOFError, zlib.error, gzip.BadGzipFile, pd.errors.ParserError) as error:
        raise UnreadableFile(
            f"{path} is not a readable CSV file",
            found=str(error).splitlines()[0],
            expected="text with a header",
        ) from error


def _separator(path: Path) -> str:
    """Return the separator that the header line uses most."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        header = next((line for line in file if not line.startswith("#")), "")
    return max(",;\t|", key=header.count)


def _missing(path: Path) -> MissingFile:
    return MissingFile(f"there is no file {path}", remedy="check the path")
