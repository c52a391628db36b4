"""What a file name says: `SYMBOL.VENUE.TIMEFRAME.parquet` and its variants.

    BTCUSDT-PERP.BINANCE.1h.parquet              bars
    BTCUSDT-PERP.BINANCE.funding_8h.parquet      settled funding
    BTCUSDT-PERP.MARK.BINANCE.1h.parquet         mark price
    BTCUSDT-PERP.INDEX.BINANCE.1h.parquet        index price
    BTCUSDT.BINANCE.perp_minus_spot.1h.parquet   perpetual and spot close
    BTCUSDT-PERP.BINANCE.quotes.parquet          best bid and ask (also bbo; a date may follow)

Mark, index, funding, basis and quotes belong to the perpetual, whatever form the symbol has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.errors import CatalogError, UnreadableFile
from catalog.schema import LABEL_REAL, LABEL_SPOT_AS_PERP, Kind
from catalog.symbols import as_perpetual, parse_instrument
from catalog.timeframes import TIMEFRAMES, parse_timeframe

SUFFIXES = (".parquet", ".csv", ".csv.gz")
EXPECTED = "SYMBOL.VENUE.TIMEFRAME.parquet or .csv, such as BTCUSDT-PERP.BINANCE.5m.parquet"

_FUNDING = re.compile(r"funding_(\d+)h")
_PRICES = {"MARK": Kind.MARK, "INDEX": Kind.REFERENCE}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a file is about; `label` becomes part of the manifest."""

    kind: Kind
    instrument: str
    minutes: int
    label: str = LABEL_REAL


def subject_of(path: Path, *, as_perp: bool = False) -> Subject:
    """Read the subject off a file name; `as_perp` turns spot bars into the perpetual, labelled as such.

    Raises
    ------
    UnreadableFile
        If the name follows none of the known forms.
    """
    suffix = next((s for s in SUFFIXES if path.name.endswith(s)), None)
    parts = path.name.removesuffix(suffix).split(".") if suffix else []
    try:
        subject = _subject(parts)
    except CatalogError as error:
        raise UnreadableFile(
            f"{path}: the file name does not say what is inside",
            found=error.found or path.name,
            expected=EXPECTED,
            remedy="rename the file, or give --instrument and --timeframe",
        ) from error
    return stand_in(subject) if as_perp else subject


def stand_in(subject: Subject) -> Subject:
    """Return spot bars as bars of the perpetual, labelled `spot-as-perp`; other subjects unchanged."""
    if subject.kind is not Kind.OHLCV or parse_instrument(subject.instrument).kind == "perp":
        return subject
    return replace(subject, instrument=as_perpetual(subject.instrument), label=LABEL_SPOT_AS_PERP)


def _subject(parts: list[str]) -> Subject:
    match parts:
        case [symbol, ("MARK" | "INDEX") as price, venue, timeframe]:
            return Subject(_PRICES[price], as_perpetual(f"{symbol}.{venue}"), parse_timeframe(timeframe))
        case [symbol, venue, "perp_minus_spot", timeframe]:
            return Subject(Kind.BASIS, as_perpetual(f"{symbol}.{venue}"), parse_timeframe(timeframe))
        case [symbol, venue, "quotes" | "bbo"] | [symbol, venue, "quotes" | "bbo", _]:
            return Subject(Kind.QUOTES, as_perpetual(f"{symbol}.{venue}"), 0)
        case [symbol, venue, last] if found := _FUNDING.fullmatch(last):
            return Subject(Kind.FUNDING, as_perpetual(f"{symbol}.{venue}"), int(found[1]) * 60)
        case [symbol, venue, timeframe]:
            return Subject(Kind.OHLCV, parse_instrument(f"{symbol}.{venue}").id, parse_timeframe(timeframe))
        case _:
            raise CatalogError("unknown form", found=".".join(parts), expected=" ".join(TIMEFRAMES))
