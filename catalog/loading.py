"""Reading raw files into clean columns, with a note of every row that may not be used.

A file is read only if it is the one the manifest lists (sha256).  Rows come out in strict time order, with
the recorded repairs applied; the times of rows with an unrepaired error are kept apart, so that a reader
can refuse exactly the ranges that contain them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.defects import (
    ERROR,
    RULES,
    Defect,
    known_stamps,
    mended,
    out_of_order,
    row_defects,
    strange_rows,
)
from catalog.errors import BrokenData, UnreadableFile
from catalog.files import sha256
from catalog.manifest import Key, Manifest, Part
from catalog.schema import TIME, VALUES, Columns, Kind, checked_columns, take
from catalog.timeframes import Ints


@dataclass(frozen=True, slots=True)
class BrokenRows:
    """Times (as readers see them) at which one error stands unrepaired."""

    code: str
    stamps: Ints  # sorted
    file: str


@dataclass(frozen=True, slots=True)
class LoadedSource:
    """Usable rows of one source (`columns`, raw stamps), when each was known, and what is broken."""

    key: Key
    columns: Columns
    known: Ints
    broken: tuple[BrokenRows, ...]

    def require_sound(self, start_ns: int | None, end_ns: int | None, catalog: Path) -> None:
        """Raise BrokenData if an unrepaired row lies in (start, end]."""
        for rows in self.broken:
            first = 0 if start_ns is None else int(np.searchsorted(rows.stamps, start_ns, side="right"))
            last = len(rows.stamps)
            if end_ns is not None:
                last = int(np.searchsorted(rows.stamps, end_ns, side="right"))
            if last > first:
                raise broken(rows.code, rows.file, int(rows.stamps[first]), last - first, catalog)


def broken(code: str, file: str, stamp: int, count: int, catalog: Path) -> BrokenData:
    """Return the refusal to use a broken range, with the repairs that would answer it."""
    names = RULES[code][1]
    rows = "1 row" if count == 1 else f"{count} rows"
    return BrokenData(
        f"the range holds broken data: {code} in {file}",
        found=f"{rows}, the first known at {iso(stamp)}",
        expected="sound rows, or a repair named for this source",
        remedy=f"crupto catalog check --catalog {catalog} --repair {names[0]}"
        + (f" (or {', '.join(names[1:])})" if names[1:] else ""),
    )


def iso(stamp_ns: int) -> str:
    """Return a UTC time as text, to the second or to the nanosecond where there is one."""
    text = str(np.datetime64(stamp_ns, "ns"))
    return text.removesuffix(".000000000") + "Z"


def read_part(folder: Path, part: Part) -> Columns:
    """Read one raw file.

    Raises
    ------
    UnreadableFile
        If the file is gone or is not the one that was imported.
    """
    path = folder / part.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(
            f"raw file {path} cannot be read",
            found=str(error.strerror or error),
            remedy=_forget(folder, part),
        ) from error
    if sha256(content) != part.sha256:
        raise UnreadableFile(
            f"raw file {path} was changed since it was imported",
            found=f"sha256 {sha256(content)[:12]}",
            expected=f"sha256 {part.sha256[:12]}",
            remedy=_forget(folder, part),
        )
    table = pq.read_table(pa.BufferReader(content))
    columns = {name: table[name].to_numpy() for name in (TIME, *VALUES[part.kind])}
    return checked_columns(part.kind, columns, part.file)


def _forget(folder: Path, part: Part) -> str:
    command = f"crupto catalog check --catalog {folder} --repair forget_lost_files"
    return f"{command}, then import {part.source} again"


def join(parts: list[Columns]) -> Columns:
    """Return the rows of several parts one after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def load_source(folder: Path, manifest: Manifest, key: Key) -> LoadedSource:
    """Read, order and repair all rows of a source.

    Raises
    ------
    UnreadableFile
        If a listed file is gone or changed.
    """
    kind, _, minutes = key
    repairs = manifest.repairs_of(key)
    listed = manifest.of(key)
    pieces = [read_part(folder, part) for part in listed]
    notes: list[BrokenRows] = []
    if "sort" not in repairs:
        for part, piece in zip(listed, pieces, strict=True):
            rows = out_of_order(piece[TIME])
            notes += _note("unsorted", known_stamps(kind, minutes, piece[TIME][rows]), part.file)
    # In the order of import, so that "first" and "last" mean what an operator expects of them.
    by_import = sorted(range(len(listed)), key=lambda k: (listed[k].imported_at, listed[k].first_ns))
    columns = join([pieces[k] for k in by_import])
    columns = take(columns, np.argsort(columns[TIME], kind="stable"))
    columns = mended(kind, minutes, columns, repairs)
    unusable = np.zeros(len(columns[TIME]), bool)
    for defect in row_defects(kind, minutes, columns):
        unusable[defect.rows] = True
        notes += _defect_note(kind, minutes, listed, defect, columns)
    columns = take(columns, ~unusable)
    if "accept_outliers" not in repairs:
        for defect in strange_rows(kind, columns):
            if defect.severity == ERROR:
                notes += _defect_note(kind, minutes, listed, defect, columns)
    known = known_stamps(kind, minutes, columns[TIME])
    return LoadedSource(key, columns, known, tuple(notes))


def _note(code: str, stamps: Ints, file: str) -> list[BrokenRows]:
    return [BrokenRows(code, np.sort(stamps), file)] if len(stamps) else []


def _defect_note(
    kind: Kind, minutes: int, listed: tuple[Part, ...], defect: Defect, columns: Columns
) -> list[BrokenRows]:
    stamps = columns[TIME][defect.rows]
    return _note(defect.code, known_stamps(kind, minutes, stamps), _file_of(listed, int(stamps[0])))


def _file_of(parts: tuple[Part, ...], stamp: int) -> str:
    return next(part.file for part in parts if part.first_ns <= stamp <= part.last_ns)
