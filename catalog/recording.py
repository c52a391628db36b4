"""What a live feed delivered, kept line by line while it runs, and then as rows of a catalog.

A recording is a file of JSON lines under `recordings/` of the catalog: a head, then one line an instant.  It
is only ever appended to, so a killed process loses at most the line it was writing.  `import_recording` turns
it into raw rows (known ones are skipped, so doing it twice changes nothing) and removes the file; one that a
running desk writes is locked and left alone.

Guarantee: a replay or backtest of the catalog sees the very instants that the desk saw.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from catalog.errors import CatalogError, CatalogIOError
from catalog.files import make_folder, refused
from catalog.manifest import Key
from catalog.schema import BAR_COLUMNS, LABEL_REAL, TIME, Columns, Kind
from catalog.store import Catalog
from risk.vocabulary import MINUTE_NS, Bar, Funding, Instant, Quote

FOLDER: Final = "recordings"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Head:
    """What a recording is of: fine timeframe and label (real, synthetic, ...) of each instrument."""

    run_id: str
    base_minutes: dict[str, int]
    labels: dict[str, str]


class RecordingFile:
    """An open recording; one writer.

    Raises
    ------
    CatalogIOError
        If the file system refuses, here and in every method.
    """

    def __init__(self, catalog: Path, head: Head) -> None:
        make_folder(catalog / FOLDER)
        self.path = catalog / FOLDER / f"{head.run_id}.jsonl"
        line = {"format": FORMAT, "run": head.run_id, "base": head.base_minutes, "labels": head.labels}
        try:
            self._file = self.path.open("xb", buffering=0)
        except FileExistsError:
            raise CatalogIOError(
                f"there is a recording {self.path} already",
                expected="none: what an earlier run left is imported first",
                remedy=f"crupto catalog check --catalog {catalog} --repair import_recordings",
            ) from None
        except OSError as error:
            raise refused(self.path, error) from error
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._base = head.base_minutes
        self._whole = 0  # bytes that hold whole lines
        self._write(json.dumps(line) + "\n")

    def append(self, instants: Iterable[Instant]) -> None:
        """Write instants and make them durable."""
        self._write("".join(_line(instant, self._base) for instant in instants))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, text: str) -> None:
        rest = memoryview(text.encode())
        try:
            while rest:  # a disk that fills up takes a part first and refuses the rest
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            with suppress(OSError):  # half a line must not stand before whole ones
                self._file.truncate(self._whole)
                self._file.seek(self._whole)
            raise refused(self.path, error) from error
        self._whole = self._file.tell()


def recordings(catalog: Path) -> list[Path]:
    """Return the recordings that were left behind: not imported, and no running desk writes them."""
    return [path for path in sorted((catalog / FOLDER).glob("*.jsonl")) if not _in_use(path)]


def _in_use(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read_recording(path: Path) -> tuple[Head | None, list[Instant]]:
    """Read a recording; a last line that was cut off by a kill is left out.

    The head is None where the kill came before it was written: nothing was recorded.

    Raises
    ------
    CatalogError
        If the file is no recording, or is damaged before its last line.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise CatalogIOError(f"cannot read {path}", found=str(error.strerror or error)) from error
    whole, torn = lines[:-1], lines[-1]
    del torn  # what follows the last line end is not a whole line
    if not whole:
        return None, []
    try:
        head = json.loads(whole[0])
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']}")
        return Head(head["run"], head["base"], head["labels"]), [_instant(json.loads(x)) for x in whole[1:]]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise CatalogError(
            f"{path} is damaged", found=str(error), expected=f"a recording of format {FORMAT}",
            remedy="move it out of the catalog; the rows imported before stand",
        ) from error  # fmt: skip


def import_recording(catalog: Catalog, path: Path) -> int:
    """Add a recording's rows to its catalog, remove the file and return how many instants it held.

    Raises
    ------
    CatalogError
        If the recording is damaged or contradicts rows that the catalog holds; nothing of the kind and
        instrument concerned is written then, and the file stays.
    """
    head, instants = read_recording(path)
    if head is None:
        path.unlink()
        return 0
    settled = [key[2] for key in catalog.source_keys() if key[0] is Kind.FUNDING]
    origin = {"run": head.run_id}
    for (kind, name, minutes), columns in _rows(head, instants, min(settled, default=480)).items():
        catalog.add(
            kind, name, minutes, columns, label=head.labels.get(name, LABEL_REAL),
            source=f"recording of {head.run_id}", origin=origin,
        )  # fmt: skip
    path.unlink()
    return len(instants)


def copy_history(source: Catalog, target: Catalog, instruments: Iterable[str], until_ns: int) -> None:
    """Copy what a run warms up on: every row of the instruments known by `until_ns`, and their repairs."""
    if source.path.resolve() == target.path.resolve():
        return
    wanted = set(instruments)
    for key in source.source_keys():
        if key[1] in wanted:
            for part, columns in source.raw_until(key, until_ns):
                target.add(*key, columns, label=part.label, source=part.source, origin=part.origin)
            for repair in source.manifest.repairs_of(key):
                if target.manifest.of(key) and repair not in target.manifest.repairs_of(key):
                    target.record_repair(repair, key)


# --- lines -------------------------------------------------------------------------------------------------


def _line(instant: Instant, base: Mapping[str, int]) -> str:
    fine = [bar for bars in instant.bars.values() for bar in bars if base.get(bar.instrument) == bar.minutes]
    content = {
        "t": instant.ts_event, "b": fine, "f": instant.funding, "m": instant.marks, "r": instant.references,
        "q": instant.quotes, "l": instant.late, "k": instant.backfilled,
    }  # fmt: skip
    return json.dumps({key: value for key, value in content.items() if value}, separators=(",", ":")) + "\n"


def _instant(row: dict[str, Any]) -> Instant:
    grouped: dict[int, list[Bar]] = defaultdict(list)
    for bar in row.get("b", ()):
        grouped[bar[1]].append(Bar(*bar))
    return Instant(
        row["t"],
        {minutes: tuple(bars) for minutes, bars in grouped.items()},
        tuple(Funding(*f) for f in row.get("f", ())),
        tuple((name, price) for name, price in row.get("m", ())),
        tuple((name, price) for name, price in row.get("r", ())),
        tuple(Quote(*q) for q in row.get("q", ())),
        tuple(row.get("l", ())),
        False,
        tuple(Bar(*bar) for bar in row.get("k", ())),
    )


# --- rows --------------------------------------------------------------------------------------------------


def _rows(head: Head, instants: Sequence[Instant], funding_minutes: int) -> dict[Key, Columns]:
    tables: dict[Key, list[tuple[float, ...]]] = defaultdict(list)
    prices_minutes = _step_of_prices(instants, min(head.base_minutes.values()))
    for instant in instants:
        ts = instant.ts_event
        for bar in (*(bar for bars in instant.bars.values() for bar in bars), *instant.backfilled):
            opened = bar.ts_event - bar.minutes * MINUTE_NS
            tables[Kind.OHLCV, bar.instrument, bar.minutes].append((opened, *bar[3:]))
            if bar.ts_event != ts:
                after = (ts - bar.ts_event) // MINUTE_NS
                tables[Kind.DELAY, bar.instrument, bar.minutes].append((bar.ts_event, after))
        for funding in instant.funding:
            key = (Kind.FUNDING, funding.instrument, funding_minutes)
            tables[key].append((funding.ts_event, funding.rate))
            if funding.ts_event != ts:
                after = (ts - funding.ts_event) // MINUTE_NS
                tables[Kind.DELAY, funding.instrument, 0].append((funding.ts_event, after))
        for kind, prices in ((Kind.MARK, instant.marks), (Kind.REFERENCE, instant.references)):
            for name, price in prices:
                opened = ts - prices_minutes * MINUTE_NS
                tables[kind, name, prices_minutes].append((opened, *(price,) * 4, 0.0))
        for quote in instant.quotes:
            tables[Kind.QUOTES, quote.instrument, 0].append((quote.ts_event, quote.bid, quote.ask))
        for name in instant.late:
            tables[Kind.LATE, name, 0].append((ts, 1.0))
    return {key: _columns(key[0], rows) for key, rows in tables.items()}


def _step_of_prices(instants: Sequence[Instant], finest: int) -> int:
    """Return the timeframe at which marks and references came: hourly ones leave no gaps between minutes."""
    stamps = [i.ts_event for i in instants if i.marks or i.references]
    steps = [m for m in (60, 15, 5) if m % finest == 0 and all(ts % (m * MINUTE_NS) == 0 for ts in stamps)]
    return steps[0] if steps and stamps else finest


_NAMES = {
    Kind.FUNDING: ("funding_rate",), Kind.QUOTES: ("bid", "ask"), Kind.LATE: ("late",),
    Kind.DELAY: ("after_minutes",),
}  # fmt: skip


def _columns(kind: Kind, rows: list[tuple[float, ...]]) -> Columns:
    rows.sort(key=lambda row: row[0])
    stamps, *values = zip(*rows, strict=True)
    names = _NAMES.get(kind, BAR_COLUMNS)
    arrays = (np.array(column, np.float64) for column in values)
    return {TIME: np.array(stamps, np.int64), **dict(zip(names, arrays, strict=True))}
