"""`rebuild`: the Nautilus catalog beside `raw/`, for tools that read one; the desk itself does not need it.

A cache: it is built in a folder of its own and swapped in whole, so it is either the old one or the new one;
`cache.json` names the data it was built from.  It holds instruments, closed bars of every timeframe, mark
and index prices.  The engine offers no Python writer for funding rates, so funding stays in `raw/` only.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nautilus_trader.model import (
    Bar,
    CryptoPerpetual,
    Currency,
    CurrencyPair,
    IndexPriceUpdate,
    InstrumentId,
    MarkPriceUpdate,
    Price,
    Quantity,
    Symbol,
)
from nautilus_trader.persistence import ParquetDataCatalog

from catalog.errors import CatalogError
from catalog.feed import bar_type
from catalog.files import locked, make_folder, refused, write_atomically
from catalog.importers import Progress
from catalog.schema import Kind, PriceArrays
from catalog.store import Catalog
from catalog.symbols import parse_instrument
from catalog.timeframes import TIMEFRAMES, BarArrays

FOLDER = "nautilus"
CHUNK_ROWS = 100_000  # engine objects alive at once


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What the cache holds now."""

    path: Path
    bars: int
    prices: int
    fingerprint: str


def rebuild(catalog: Catalog, *, progress: Progress | None = None) -> Rebuilt:
    """Build the Nautilus catalog from the raw files and put it in place of the old one.

    Raises
    ------
    BrokenData
        If a source holds an unrepaired error; the old cache stays.
    CatalogIOError
        If the file system refuses; the old cache stays.
    """
    names = catalog.instruments()
    if not names:
        raise CatalogError("the catalog holds no bars to build from", found=str(catalog.path))
    fresh = catalog.path / f"{FOLDER}.new"
    bars = prices = 0
    with locked(catalog.path):
        try:
            shutil.rmtree(fresh, ignore_errors=True)
            make_folder(fresh)
            target = ParquetDataCatalog(str(fresh))
            target.write_instruments([engine_instrument(catalog, name) for name in names])
            for n, name in enumerate(names):
                if progress:
                    progress(name, n, len(names))
                bars += _write_bars(catalog, target, name)
                prices += _write_prices(catalog, target, name)
            fingerprint = catalog.fingerprint(names)
            content = {"fingerprint": fingerprint, "bars": bars, "prices": prices}
            write_atomically(fresh / "cache.json", json.dumps(content).encode())
            _swap(fresh, catalog.path / FOLDER)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            raise refused(fresh, error) from error
        except CatalogError:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    if progress:
        progress("done", len(names), len(names))
    return Rebuilt(catalog.path / FOLDER, bars, prices, fingerprint)


def is_current(catalog: Catalog) -> bool:
    """Return whether the cache was built from what the catalog holds now."""
    try:
        content = json.loads((catalog.path / FOLDER / "cache.json").read_bytes())
    except (OSError, ValueError):
        return False
    return bool(content.get("fingerprint") == catalog.fingerprint(catalog.instruments()))


def engine_instrument(catalog: Catalog, instrument: str) -> CryptoPerpetual | CurrencyPair:
    """Return the engine's instrument with the decimals found in the data."""
    name = parse_instrument(instrument)
    price_digits, size_digits = _digits(catalog, instrument)
    engine_id = InstrumentId.from_str(instrument)
    base, quote = Currency.from_str(name.base), Currency.from_str(name.quote)
    grid = (
        price_digits,
        size_digits,
        Price(10**-price_digits, price_digits),
        Quantity(10**-size_digits, size_digits),
        0,
        0,
    )
    if name.kind == "perp":
        return CryptoPerpetual(engine_id, Symbol(str(engine_id.symbol)), base, quote, quote, False, *grid)
    return CurrencyPair(engine_id, Symbol(str(engine_id.symbol)), base, quote, *grid)


def _digits(catalog: Catalog, instrument: str) -> tuple[int, int]:
    sources = [source for source in catalog.sources(instrument) if source.kind is Kind.OHLCV]
    return max(s.price_digits for s in sources), max(s.size_digits for s in sources)


def _write_bars(catalog: Catalog, target: ParquetDataCatalog, instrument: str) -> int:
    finest = catalog.base_minutes(instrument)
    written = 0
    for minutes in TIMEFRAMES.values():
        if minutes < finest or minutes % finest:
            continue
        bars = catalog.bars(instrument, minutes)
        for chunk in _chunks(bars):
            target.write_bars(_engine_bars(instrument, minutes, chunk, *_digits(catalog, instrument)))
        written += len(bars)
    return written


def _engine_bars(
    instrument: str, minutes: int, bars: BarArrays, price_digits: int, size_digits: int
) -> list[Bar]:
    kind = bar_type(instrument, minutes)
    return [
        Bar(
            kind,
            Price(bar.open, price_digits),
            Price(bar.high, price_digits),
            Price(bar.low, price_digits),
            Price(bar.close, price_digits),
            Quantity(round(bar.volume, size_digits), size_digits),
            bar.ts_event,
            bar.ts_event,
        )
        for bar in bars.bars(instrument, minutes)
    ]


def _write_prices(catalog: Catalog, target: ParquetDataCatalog, instrument: str) -> int:
    engine_id = InstrumentId.from_str(instrument)
    digits = max(s.price_digits for s in catalog.sources(instrument))
    marks, index = catalog.marks(instrument), catalog.references(instrument)
    if len(marks):
        target.write_mark_price_updates(
            [MarkPriceUpdate(engine_id, Price(p, digits), ts, ts) for ts, p in _pairs(marks)]
        )
    if len(index):
        target.write_index_price_updates(
            [IndexPriceUpdate(engine_id, Price(p, digits), ts, ts) for ts, p in _pairs(index)]
        )
    return len(marks) + len(index)


def _pairs(prices: PriceArrays) -> Sequence[tuple[int, float]]:
    return list(zip(prices.ts_event.tolist(), prices.price.tolist(), strict=True))


def _chunks(bars: BarArrays) -> Iterator[BarArrays]:
    for first in range(0, len(bars), CHUNK_ROWS):
        yield bars.take(slice(first, first + CHUNK_ROWS))


def _swap(fresh: Path, place: Path) -> None:
    """Put the new folder in place; a kill in between leaves a cache to rebuild, never a mixed one."""
    old = place.with_name(place.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    fresh.rename(place)
    shutil.rmtree(old, ignore_errors=True)
