"""A catalog of market data: raw Parquet files, the manifest that lists them, and the merged view of bars.

Guarantees: what is read is what was imported (digests are checked); a range with an unrepaired error is
refused, never silently patched; gaps stay gaps and missing funding stays missing; higher timeframes come
from `timeframes.resample`; where several sources of one instrument exist the finest wins where it is
present and coarser imported bars fill the rest.  Readers stamp rows when they became known and take
windows as (start, end].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from catalog.comparison import compare_sources, overlay, whole
from catalog.defects import REPAIRS, known_stamps
from catalog.errors import CatalogError, UnknownInstrument
from catalog.files import locked, make_folder
from catalog.loading import LoadedSource, broken, load_source, read_part
from catalog.manifest import FILE_NAME, Key, Manifest, Part, Repair
from catalog.schema import (
    BAR_COLUMNS,
    LABEL_REAL,
    Columns,
    FundingArrays,
    Kind,
    PriceArrays,
    QuoteArrays,
    Source,
    close_offset_ns,
    take,
)
from catalog.symbols import spot_of
from catalog.timeframes import BarArrays, Floats, Ints, resample
from catalog.writer import Added, add_rows
from risk.vocabulary import MINUTE_NS

__all__ = ["Catalog", "FundingArrays", "PriceArrays", "Source"]


class Catalog:
    """An existing catalog folder.

    Raises
    ------
    CatalogError
        If there is no catalog at `path`.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.manifest = Manifest.load(self.path)
        self._loaded: dict[Key, LoadedSource] = {}
        self._merged: dict[tuple[str, int], BarArrays] = {}
        self._disagreements: dict[tuple[str, int], Ints] = {}

    @classmethod
    def create(cls, path: Path | str) -> Catalog:
        """Open the catalog at `path`, or make an empty one there."""
        folder = Path(path)
        make_folder(folder)
        if not (folder / FILE_NAME).exists():
            with locked(folder):
                if not (folder / FILE_NAME).exists():
                    Manifest().save(folder)
        return cls(folder)

    def reload(self) -> None:
        """Read the manifest again and forget what was loaded."""
        self.manifest = Manifest.load(self.path)
        self._loaded.clear()
        self._merged.clear()
        self._disagreements.clear()

    def add(
        self,
        kind: Kind,
        instrument: str,
        minutes: int,
        columns: Columns,
        *,
        label: str = LABEL_REAL,
        source: str = "",
        origin: Mapping[str, str] | None = None,
    ) -> Added:
        """Add raw rows that are new (see `catalog.writer`)."""
        added = add_rows(
            self.path, (kind, instrument, minutes), columns, label=label, source=source, origin=origin
        )
        self.reload()
        return added

    def record_repair(self, name: str, key: Key) -> None:
        """Record a named repair for one source; readers apply it from now on.

        Raises
        ------
        CatalogError
            If the repair or the source is unknown.
        """
        if name not in REPAIRS:
            raise CatalogError(f"unknown repair {name!r}", expected="one of " + ", ".join(REPAIRS))
        with locked(self.path):
            manifest = Manifest.load(self.path)
            if not manifest.of(key):
                raise CatalogError(f"the catalog holds no {key[0]} of {key[1]} at {key[2]} minutes")
            stamp = datetime.now(UTC).isoformat(timespec="seconds")
            manifest.with_repair(Repair(name, *key, stamp)).save(self.path)
        self.reload()

    def instruments(self) -> tuple[str, ...]:
        """Return the ids of instruments that have bars, in order."""
        return tuple(sorted({p.instrument for p in self.manifest.parts if p.kind is Kind.OHLCV}))

    def source_keys(self) -> tuple[Key, ...]:
        """Return every source held, in order."""
        return tuple(dict.fromkeys(part.key for part in self.manifest.parts))

    def sources(self, instrument: str | None = None) -> tuple[Source, ...]:
        """Return what is held of an instrument (None: of all), ordered by kind and timeframe.

        Raises
        ------
        UnknownInstrument
            If nothing is held of it.
        """
        found = tuple(
            _source(key, self.manifest.of(key)) for key in self.source_keys() if instrument in (None, key[1])
        )
        if instrument is not None and not found:
            raise self._unknown(instrument)
        return found

    def fingerprint(self, instruments: Iterable[str]) -> str:
        """Return a sha256 over the data used for some instruments, spot references included."""
        names = set(instruments)
        return self.manifest.fingerprint(names | {spot_of(name) for name in names})

    def base_minutes(self, instrument: str, start_ns: int | None = None, end_ns: int | None = None) -> int:
        """Return the timeframe of the finest source with bars in (start, end].

        Raises
        ------
        CatalogError
            If no source has a bar there.
        """
        for minutes in self._bar_minutes(instrument):
            if len(self.own_bars(instrument, minutes).slice(start_ns, end_ns)):
                return minutes
        held = "; ".join(_range(source) for source in self.sources(instrument) if source.kind is Kind.OHLCV)
        raise CatalogError(
            f"{instrument} has no bars in the window",
            found=held,
            expected="a window that overlaps them",
            remedy="choose other dates, or import bars for these",
        )

    def bars(
        self, instrument: str, minutes: int, start_ns: int | None = None, end_ns: int | None = None
    ) -> BarArrays:
        """Return closed bars with start < ts_event <= end (None: no bound).

        Raises
        ------
        UnknownInstrument
            If no bars of the instrument are held.
        CatalogError
            If no source is fine enough for the timeframe.
        BrokenData
            If the window holds an unrepaired error, or sources that disagree.
        """
        used = [m for m in self._bar_minutes(instrument) if minutes % m == 0]
        if not used:
            raise CatalogError(
                f"{instrument} has no bars from which {minutes} minutes can be built",
                found="sources of " + ", ".join(f"{m} minutes" for m in self._bar_minutes(instrument)),
            )
        # A higher bar at the edge draws on rows up to one bar before the window.
        since = None if start_ns is None else start_ns - minutes * MINUTE_NS
        for source_minutes in used:
            self._load((Kind.OHLCV, instrument, source_minutes)).require_sound(since, end_ns, self.path)
        merged = self._merged_bars(instrument, minutes, used)
        if len(used) > 1:
            self._require_agreement(instrument, used, since, end_ns)
        return merged.slice(start_ns, end_ns)

    def funding(
        self, instrument: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> FundingArrays:
        """Return settled funding in (start, end]; what is missing is missing."""
        stamps, rates = self._series(Kind.FUNDING, instrument, "funding_rate", start_ns, end_ns)
        return FundingArrays(stamps, rates)

    def marks(self, instrument: str, start_ns: int | None = None, end_ns: int | None = None) -> PriceArrays:
        """Return mark prices (closes of the mark bars) in (start, end]."""
        return PriceArrays(*self._series(Kind.MARK, instrument, "close", start_ns, end_ns))

    def references(
        self, instrument: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> PriceArrays:
        """Return the index price in (start, end], else the spot close (basis files, or spot bars held)."""
        stamps, prices = self._series(Kind.REFERENCE, instrument, "close", start_ns, end_ns)
        if self._minutes(Kind.BASIS, instrument):
            basis = self._series(Kind.BASIS, instrument, "spot_close", start_ns, end_ns)
            stamps, prices = _outside((stamps, prices), basis)
        if self._minutes(Kind.REFERENCE, instrument) or self._minutes(Kind.BASIS, instrument):
            return PriceArrays(stamps, prices)
        spot = spot_of(instrument)
        if spot != instrument and self._minutes(Kind.OHLCV, spot):
            bars = self.bars(spot, max(60, self._bar_minutes(spot)[0]), start_ns, end_ns)
            return PriceArrays(bars.ts_event, bars.close)
        return PriceArrays(np.empty(0, np.int64), np.empty(0, np.float64))

    def quotes(self, instrument: str, start_ns: int | None = None, end_ns: int | None = None) -> QuoteArrays:
        """Return best bid and ask in (start, end]; none if none are held."""
        key: Key = (Kind.QUOTES, instrument, 0)
        if not self._minutes(Kind.QUOTES, instrument):
            none = np.empty(0, np.float64)
            return QuoteArrays(np.empty(0, np.int64), none, none)
        loaded = self._load(key)
        loaded.require_sound(start_ns, end_ns, self.path)
        rows = _window(loaded.known, start_ns, end_ns)
        return QuoteArrays(loaded.known[rows], loaded.columns["bid"][rows], loaded.columns["ask"][rows])

    def late_moments(self, instrument: str, start_ns: int, end_ns: int) -> Ints:
        """Return the instants in (start, end] in which a recorded feed had no fresh bar of the instrument."""
        return self._series(Kind.LATE, instrument, "late", start_ns, end_ns)[0]

    def delays(self, instrument: str, minutes: int, start_ns: int, end_ns: int) -> dict[int, int]:
        """Return what a recorded feed delivered late: own time -> the instant that brought it, ns UTC.

        `minutes` is the timeframe of the bars, 0 for settled funding.
        """
        if minutes not in self._minutes(Kind.DELAY, instrument):
            return {}
        loaded = self._load((Kind.DELAY, instrument, minutes))
        loaded.require_sound(start_ns, end_ns, self.path)
        rows = _window(loaded.known, start_ns, end_ns)
        after = loaded.columns["after_minutes"][rows].astype(np.int64) * MINUTE_NS
        own = loaded.known[rows]
        return dict(zip(own.tolist(), (own + after).tolist(), strict=True))

    def _minutes(self, kind: Kind, instrument: str) -> list[int]:
        return sorted(
            {p.minutes for p in self.manifest.parts if p.kind is kind and p.instrument == instrument}
        )

    def _bar_minutes(self, instrument: str) -> list[int]:
        minutes = self._minutes(Kind.OHLCV, instrument)
        if not minutes:
            raise self._unknown(instrument)
        return minutes

    def _load(self, key: Key) -> LoadedSource:
        if key not in self._loaded:
            self._loaded[key] = load_source(self.path, self.manifest, key)
        return self._loaded[key]

    def raw_stamps(self, key: Key) -> Ints:
        """Return every raw stamp held of one source, sorted; none if nothing is held of it."""
        pieces = [read_part(self.path, part)["ts_utc"] for part in self.manifest.of(key)]
        return np.sort(np.concatenate(pieces)) if pieces else np.empty(0, np.int64)

    def raw_until(self, key: Key, until_ns: int) -> Iterator[tuple[Part, Columns]]:
        """Yield the raw rows of a source that were known at a time, file by file."""
        for part in self.manifest.of(key):
            columns = read_part(self.path, part)
            known = known_stamps(key[0], key[2], columns["ts_utc"]) <= until_ns
            if known.any():
                yield part, take(columns, known)

    def own_bars(self, instrument: str, minutes: int) -> BarArrays:
        """Return the usable bars of one source, unmerged; broken rows are left out, not refused."""
        loaded = self._load((Kind.OHLCV, instrument, minutes))
        return BarArrays(loaded.known, *(loaded.columns[n] for n in BAR_COLUMNS))

    def _merged_bars(self, instrument: str, minutes: int, used: list[int]) -> BarArrays:
        key = (instrument, minutes)
        if key not in self._merged:
            merged = BarArrays.empty()
            for source_minutes in reversed(used):
                own = self.own_bars(instrument, source_minutes)
                built = resample(own, source_minutes, minutes)
                merged = overlay(built, whole(built, own, source_minutes, minutes), merged)
            self._merged[key] = merged
        return self._merged[key]

    def _require_agreement(
        self, instrument: str, used: list[int], start_ns: int | None, end_ns: int | None
    ) -> None:
        for fine, coarse in pairwise(used):
            key: Key = (Kind.OHLCV, instrument, fine)
            if "prefer_finest" in self.manifest.repairs_of(key):
                continue
            if (instrument, fine) not in self._disagreements:
                self._disagreements[instrument, fine] = self._compare(instrument, fine, coarse)
            bad = self._disagreements[instrument, fine]
            inside = bad[(bad > (start_ns or 0)) & (bad <= (end_ns or np.iinfo(np.int64).max))]
            if len(inside):
                file = f"{instrument} {fine} and {coarse} minutes"
                raise broken("source_disagreement", file, int(inside[0]), len(inside), self.path)

    def _compare(self, instrument: str, fine: int, coarse: int) -> Ints:
        if coarse % fine or self._label(instrument, fine) != self._label(instrument, coarse):
            return np.empty(0, np.int64)  # spot standing in for the perpetual differs by nature
        return compare_sources(
            self.own_bars(instrument, fine), fine, self.own_bars(instrument, coarse), coarse
        ).differing

    def _label(self, instrument: str, minutes: int) -> str:
        return self.manifest.of((Kind.OHLCV, instrument, minutes))[0].label

    def _series(
        self, kind: Kind, instrument: str, column: str, start_ns: int | None, end_ns: int | None
    ) -> tuple[Ints, Floats]:
        series = np.empty(0, np.int64), np.empty(0, np.float64)
        for minutes in self._minutes(kind, instrument):  # the finest first, coarser ones around it
            loaded = self._load((kind, instrument, minutes))
            loaded.require_sound(start_ns, end_ns, self.path)
            rows = _window(loaded.known, start_ns, end_ns)
            series = _outside(series, (loaded.known[rows], loaded.columns[column][rows]))
        return series

    def _unknown(self, instrument: str) -> UnknownInstrument:
        held = ", ".join(self.instruments()) or "nothing"
        return UnknownInstrument(
            f"the catalog at {self.path} holds no data of {instrument}",
            found=instrument,
            expected=held,
            remedy=f"crupto catalog info --catalog {self.path} lists what is held",
        )


def _window(known: Ints, start_ns: int | None, end_ns: int | None) -> slice:
    first = 0 if start_ns is None else int(np.searchsorted(known, start_ns, side="right"))
    last = None if end_ns is None else int(np.searchsorted(known, end_ns, side="right"))
    return slice(first, last)


def _outside(inner: tuple[Ints, Floats], other: tuple[Ints, Floats]) -> tuple[Ints, Floats]:
    """Return a series, and what another one has before its beginning and after its end."""
    if not len(inner[0]) or not len(other[0]):
        return inner if len(inner[0]) else other
    before = int(np.searchsorted(other[0], inner[0][0], side="left"))
    after = int(np.searchsorted(other[0], inner[0][-1], side="right"))
    return (
        np.concatenate([other[0][:before], inner[0], other[0][after:]]),
        np.concatenate([other[1][:before], inner[1], other[1][after:]]),
    )


def _source(key: Key, parts: tuple[Part, ...]) -> Source:
    kind, instrument, minutes = key
    offset = close_offset_ns(kind, minutes)
    return Source(
        instrument=instrument,
        kind=kind,
        minutes=minutes,
        first_ns=min(part.first_ns for part in parts) + offset,
        last_ns=max(part.last_ns for part in parts) + offset,
        rows=sum(part.rows for part in parts),
        price_digits=max(part.price_digits for part in parts),
        size_digits=max(part.size_digits for part in parts),
        label=parts[0].label,
        files=len(parts),
    )


def _range(source: Source) -> str:
    times = (str(np.datetime64(ns, "s")) for ns in (source.first_ns // 10**9, source.last_ns // 10**9))
    return f"{source.minutes} minutes " + " to ".join(times)
