"""Adding rows to a catalog: nothing is lost, nothing is written twice, nothing is half-written.

Rows whose time the catalog already holds must carry the same values (to 1e-9): they are counted and skipped.
Other values are refused before anything is written.  New rows become one new file, which counts once the
manifest lists it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.defects import Mask
from catalog.errors import ConflictingRows
from catalog.files import locked, sha256, write_atomically
from catalog.loading import iso, read_part
from catalog.manifest import Key, Manifest, Part
from catalog.schema import (
    TIME,
    VALUES,
    Columns,
    Kind,
    arrow_schema,
    checked_columns,
    digits_of,
    interval_label,
    take,
)
from catalog.symbols import parse_instrument

SAME_VALUE = 1e-9  # relative


@dataclass(frozen=True, slots=True)
class Added:
    """What became of the rows offered: written as new, or known already."""

    rows: int
    written: int
    known: int
    file: str | None


def add_rows(
    folder: Path,
    key: Key,
    columns: Columns,
    *,
    label: str,
    source: str,
    origin: Mapping[str, str] | None = None,
) -> Added:
    """Add the rows that are new; `columns` holds raw stamps and the values of the kind.

    Raises
    ------
    ConflictingRows
        If a row differs from the one held for its time, or the source is of another label.
    CatalogIOError
        If the file system refuses; the catalog is as it was.
    """
    kind, instrument, _ = key
    parse_instrument(instrument)
    columns = checked_columns(kind, columns, source)
    total = len(columns[TIME])
    with locked(folder):
        manifest = Manifest.load(folder)
        listed = manifest.of(key)
        _require_label(listed, label, source, instrument)
        new = ~_known(folder, listed, kind, columns, source)
        columns = take(columns, new)
        written = len(columns[TIME])
        if not written:
            return Added(total, 0, total, None)
        part, content = _part(key, columns, label, source, dict(origin or {}))
        write_atomically(folder / part.file, content)
        manifest.with_part(part).save(folder)
    return Added(total, written, total - written, part.file)


def _require_label(listed: tuple[Part, ...], label: str, source: str, instrument: str) -> None:
    other = next((part for part in listed if part.label != label), None)
    if other is not None:
        raise ConflictingRows(
            f"{source}: {label} data would be mixed into {instrument}",
            found=label,
            expected=f"{other.label} data, as in {other.file}",
            remedy="import it into a catalog of its own",
        )


def _known(folder: Path, listed: tuple[Part, ...], kind: Kind, columns: Columns, source: str) -> Mask:
    """Mark the rows already held; raise if one is held with other values."""
    stamps = columns[TIME]
    known = np.zeros(len(stamps), bool)
    if not len(stamps):
        return known
    first, last = int(stamps.min()), int(stamps.max())
    for part in listed:
        if part.last_ns < first or part.first_ns > last:
            continue
        held = read_part(folder, part)
        rows = np.flatnonzero(np.isin(stamps, held[TIME]))
        rows = rows[~known[rows]]
        if len(rows):
            same = _equals_held(kind, take(columns, rows), held)
            if not same.all():
                raise _conflict(kind, take(columns, rows[~same]), held, part, source)
            known[rows] = True
    return known


def _equals_held(kind: Kind, rows: Columns, held: Columns) -> Mask:
    """Compare rows with the held ones of the same stamp (any of them, where several are held)."""
    order = np.argsort(held[TIME], kind="stable")
    stamps = held[TIME][order]
    begin = np.searchsorted(stamps, rows[TIME], side="left")
    count = np.searchsorted(stamps, rows[TIME], side="right") - begin
    same = np.zeros(len(begin), bool)
    for k in range(int(count.max())):
        at = order[np.minimum(begin + k, len(order) - 1)]
        equal = count > k
        for name in VALUES[kind]:
            equal &= np.isclose(rows[name], held[name][at], rtol=SAME_VALUE, atol=0, equal_nan=True)
        same |= equal
    return same


def _conflict(kind: Kind, rows: Columns, held: Columns, part: Part, source: str) -> ConflictingRows:
    stamp = int(rows[TIME][0])
    there = int(np.flatnonzero(held[TIME] == stamp)[0])
    differing = next(
        name
        for name in VALUES[kind]
        if not np.isclose(rows[name][0], held[name][there], rtol=SAME_VALUE, atol=0)
    )
    return ConflictingRows(
        f"{source} differs from the catalog at {iso(stamp)}"
        + (f" and at {len(rows[TIME]) - 1} more times" if len(rows[TIME]) > 1 else ""),
        found=f"{differing} {float(rows[differing][0])!r}",
        expected=f"{differing} {float(held[differing][there])!r} as in {part.file} (from {part.source})",
        remedy="nothing was written; find out which one is right, or import into a catalog of its own",
    )


def _part(key: Key, columns: Columns, label: str, source: str, origin: dict[str, str]) -> tuple[Part, bytes]:
    kind, instrument, minutes = key
    schema = arrow_schema(kind)
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.table([pa.array(columns[name]) for name in schema.names], schema=schema), sink, compression="zstd"
    )
    content: bytes = sink.getvalue().to_pybytes()
    digest = sha256(content)
    first, last = int(columns[TIME].min()), int(columns[TIME].max())
    name = f"{_compact(first)}_{_compact(last)}_{digest[:8]}.parquet"
    price_digits, size_digits = digits_of(kind, columns)
    part = Part(
        file=f"raw/{kind}/{instrument}/{interval_label(minutes)}/{name}",
        kind=kind,
        instrument=instrument,
        minutes=minutes,
        rows=len(columns[TIME]),
        first_ns=first,
        last_ns=last,
        sha256=digest,
        price_digits=price_digits,
        size_digits=size_digits,
        label=label,
        source=source,
        imported_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        origin=origin,
    )
    return part, content


def _compact(stamp_ns: int) -> str:
    return iso(stamp_ns).replace("-", "").replace(":", "").replace(".", "_").removesuffix("Z")
