"""`check`: everything that is wrong or odd in a catalog, each with file, time and the repairs that answer it.

Errors make a range unusable until a repair is recorded; what a recorded repair answers is reported as `info`.
Warnings (gaps, funding holes, outliers, spot standing in for a perpetual) leave data usable: gaps are never
filled and missing funding is never zero.  Stamps in findings are raw stamps, as they stand in the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from catalog.comparison import compare_sources
from catalog.defects import (
    ERROR,
    INFO,
    REPAIRS,
    RULES,
    WARNING,
    Defect,
    gaps,
    mended,
    out_of_order,
    row_defects,
    strange_rows,
)
from catalog.errors import CatalogError, CatalogIOError, UnreadableFile
from catalog.files import TEMPORARY_SUFFIX, locked
from catalog.loading import iso, join, read_part
from catalog.manifest import Key, Manifest, Part
from catalog.recording import import_recording, recordings
from catalog.schema import TIME, Columns, Kind, interval_label, take
from catalog.store import Catalog
from catalog.timeframes import Ints
from risk.vocabulary import MINUTE_NS

Progress = Callable[[str, int, int], None]

_SEVERITY_ORDER = {ERROR: 0, WARNING: 1, INFO: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect of one file: what, where, when (raw stamps, ns UTC) and how many rows."""

    code: str
    severity: str
    kind: Kind | None
    instrument: str
    minutes: int
    file: str
    first_ns: int
    last_ns: int
    count: int
    detail: str
    repairs: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the finding as one line."""
        when = iso(self.first_ns) if self.first_ns else ""
        if self.last_ns != self.first_ns:
            when += f" .. {iso(self.last_ns)}"
        what = f"{self.severity}: {self.code} in {self.file}"
        return f"{what} at {when}: {self.detail}" if when else f"{what}: {self.detail}"


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Findings, worst first, and how much was looked at."""

    findings: tuple[Finding, ...]
    sources: int
    files: int
    rows: int

    @property
    def sound(self) -> bool:
        """Whether no error stands."""
        return not any(finding.severity == ERROR for finding in self.findings)

    def counts(self) -> dict[str, int]:
        """Return findings by severity."""
        counted = Counter(finding.severity for finding in self.findings)
        return {severity: counted.get(severity, 0) for severity in _SEVERITY_ORDER}


def check(
    catalog: Catalog, instruments: Sequence[str] | None = None, *, progress: Progress | None = None
) -> QualityReport:
    """Examine every file of a catalog, or of some instruments."""
    keys = [key for key in catalog.source_keys() if instruments is None or key[1] in instruments]
    found: list[Finding] = []
    for n, key in enumerate(keys):
        if progress:
            progress(f"{key[1]} {key[0]} {interval_label(key[2])}", n, len(keys))
        found += check_source(catalog, key)
    for instrument in dict.fromkeys(key[1] for key in keys if key[0] is Kind.OHLCV):
        found += _check_agreement(catalog, instrument)
    if instruments is None:
        found += [_leftover(catalog.path, path) for path in leftovers(catalog)]
        found += [_unfinished(catalog.path, path) for path in recordings(catalog.path)]
    if progress:
        progress("done", len(keys), len(keys))
    parts = [part for key in keys for part in catalog.manifest.of(key)]
    return QualityReport(summarise(found), len(keys), len(parts), sum(part.rows for part in parts))


def check_source(catalog: Catalog, key: Key) -> list[Finding]:
    """Examine the rows of one source."""
    kind, _, minutes = key
    listed = catalog.manifest.of(key)
    repairs = catalog.manifest.repairs_of(key)
    readable: list[Part] = []
    pieces: list[Columns] = []
    found: list[Finding] = []
    for part in listed:
        try:
            piece = read_part(catalog.path, part)
        except UnreadableFile as error:
            code = "changed_file" if (catalog.path / part.file).exists() else "lost_file"
            found.append(
                _finding(code, key, part.file, np.array([part.first_ns, part.last_ns]), error.message)
            )
            continue
        readable.append(part)
        pieces.append(piece)
        late = out_of_order(piece[TIME])
        if len(late):
            found.append(_rows_finding("unsorted", key, part.file, piece, late, repairs))
    if not pieces:
        return found
    files = np.repeat(np.arange(len(readable)), [len(piece[TIME]) for piece in pieces])
    columns = join(pieces)
    order = np.argsort(columns[TIME], kind="stable")
    columns, files = take(columns, order), files[order]
    defects = row_defects(kind, minutes, columns)
    clean = mended(kind, minutes, columns, ("drop_broken", "drop_misaligned", "keep_first"))
    for defect in strange_rows(kind, clean):
        rows = np.flatnonzero(np.isin(columns[TIME], clean[TIME][defect.rows]))
        defects.append(Defect(defect.code, rows))
    for defect in defects:
        for k in np.unique(files[defect.rows]):
            rows = defect.rows[files[defect.rows] == k]
            found.append(_rows_finding(defect.code, key, readable[int(k)].file, columns, rows, repairs))
    # A broken row is no gap: it is there.
    present = mended(kind, minutes, columns, ("drop_misaligned", "keep_first"))
    return found + _holes(key, present[TIME], readable)


def repair(catalog: Catalog, names: Sequence[str], instruments: Sequence[str] | None = None) -> list[str]:
    """Record the named repairs for every source that needs them; return what was done, one line each.

    Raises
    ------
    CatalogError
        If a name is unknown.
    """
    unknown = [name for name in names if name not in REPAIRS]
    if unknown:
        raise CatalogError(f"unknown repair {unknown[0]!r}", expected="one of " + ", ".join(REPAIRS))
    done: list[str] = []
    report = check(catalog, instruments)
    for name in names:
        answered = [f for f in report.findings if name in f.repairs and f.kind is not None]
        for kind, instrument, minutes in dict.fromkeys((f.kind, f.instrument, f.minutes) for f in answered):
            if kind is None:
                continue
            catalog.record_repair(name, (kind, instrument, minutes))
            done.append(f"{name}: {kind} {instrument} {interval_label(minutes)}")
        if name == "forget_lost_files":
            done += _forget(catalog, [f.file for f in answered])
    if "import_recordings" in names:
        for path in recordings(catalog.path):
            done.append(f"import_recordings: {path.name}, {import_recording(catalog, path)} instants")
    if "remove_leftovers" in names:
        done += [_remove(path) for path in leftovers(catalog)]
    return done


def leftovers(catalog: Catalog) -> list[Path]:
    """Return files under `raw/` that no list names: what a killed import left; readers ignore them."""
    listed = {catalog.path / part.file for part in catalog.manifest.parts}
    raw = sorted(path for path in (catalog.path / "raw").rglob("*") if path.is_file())
    temporary = sorted(catalog.path.glob("*" + TEMPORARY_SUFFIX))
    return [path for path in raw if path not in listed] + temporary


def summarise(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings worst first, then by file and time."""
    return tuple(sorted(findings, key=lambda f: (_SEVERITY_ORDER[f.severity], f.file, f.first_ns, f.code)))


def _check_agreement(catalog: Catalog, instrument: str) -> list[Finding]:
    sources = [s for s in catalog.sources(instrument) if s.kind is Kind.OHLCV]
    found: list[Finding] = []
    for fine, coarse in pairwise(sources):
        if coarse.minutes % fine.minutes:
            continue
        try:
            bars = [catalog.own_bars(instrument, source.minutes) for source in (fine, coarse)]
        except UnreadableFile:
            continue  # reported as a lost or changed file
        result = compare_sources(bars[0], fine.minutes, bars[1], coarse.minutes)
        if not result.compared:
            continue
        key: Key = (Kind.OHLCV, instrument, fine.minutes)
        repairs = catalog.manifest.repairs_of(key)
        offset = coarse.minutes * MINUTE_NS
        where = f"{instrument} {interval_label(fine.minutes)} against {interval_label(coarse.minutes)}"
        median, largest = (float(f(result.close_difference)) * 1e4 for f in (np.median, np.max))
        apart = (
            f"of {result.compared} bars; closes differ by {median:.2f} bps (median), {largest:.1f} (largest)"
        )
        if fine.label != coarse.label:
            text = f"{fine.label} against {coarse.label}: {len(result.differing)} {apart}"
            code, stamps = "source_difference", result.differing
        else:
            text = f"prices of {len(result.differing)} {apart}"
            code, stamps = "source_disagreement", result.differing
            if len(result.volume_differing):
                volume = (
                    f"volumes of {len(result.volume_differing)} of {result.compared} bars differ by over 2 %"
                )
                found.append(
                    _finding("source_difference", key, where, result.volume_differing - offset, volume)
                )
        if len(stamps):
            found.append(_answered(_finding(code, key, where, stamps - offset, text), repairs))
    return found


def _holes(key: Key, stamps: Ints, parts: Sequence[Part]) -> list[Finding]:
    kind, _, minutes = key
    code = "funding_hole" if kind is Kind.FUNDING else "gap"
    unit = "settlement" if kind is Kind.FUNDING else "bar"
    found = []
    for first, last, count in gaps(kind, minutes, stamps):
        before = next((p.file for p in parts if p.first_ns < first <= p.last_ns), parts[-1].file)
        text = f"{count} {unit}{'' if count == 1 else 's'} missing"
        found.append(replace(_finding(code, key, before, np.array([first, last]), text), count=count))
    return found


def _rows_finding(
    code: str,
    key: Key,
    file: str,
    columns: Columns,
    rows: np.ndarray[tuple[int], np.dtype[np.intp]],
    repairs: tuple[str, ...],
) -> Finding:
    stamps = columns[TIME][rows]
    first = int(rows[int(np.argmin(stamps))])
    shown = ", ".join(f"{name} {float(columns[name][first])!r}" for name in columns if name != TIME)
    text = f"{len(rows)} row{'' if len(rows) == 1 else 's'}, the first {shown}"
    return _answered(_finding(code, key, file, stamps, text), repairs)


def _finding(code: str, key: Key, file: str, stamps: Ints, detail: str) -> Finding:
    severity, repairs = RULES[code]
    kind, instrument, minutes = key
    first, last = int(stamps.min()), int(stamps.max())
    return Finding(code, severity, kind, instrument, minutes, file, first, last, len(stamps), detail, repairs)


def _answered(finding: Finding, repairs: tuple[str, ...]) -> Finding:
    """Return the finding as information if a recorded repair answers it."""
    by = [name for name in repairs if name in finding.repairs]
    if not by:
        return finding
    return replace(finding, severity=INFO, detail=f"{finding.detail}; repaired by {by[0]}", repairs=())


def _leftover(folder: Path, path: Path) -> Finding:
    severity, repairs = RULES["leftover"]
    file = str(path.relative_to(folder))
    text = "not listed in the manifest: left by a killed import, or put here by hand; ignored"
    return Finding("leftover", severity, None, "", 0, file, 0, 0, 1, text, repairs)


def _unfinished(folder: Path, path: Path) -> Finding:
    severity, repairs = RULES["unfinished_recording"]
    text = "recorded by a run that was killed; not part of the catalog yet"
    file = str(path.relative_to(folder))
    return Finding("unfinished_recording", severity, None, "", 0, file, 0, 0, 1, text, repairs)


def _forget(catalog: Catalog, files: Sequence[str]) -> list[str]:
    with locked(catalog.path):
        Manifest.load(catalog.path).without_files(files).save(catalog.path)
    catalog.reload()
    return [f"forget_lost_files: {file}" for file in files]


def _remove(path: Path) -> str:
    try:
        path.unlink()
    except OSError as error:
        raise CatalogIOError(f"cannot remove {path}", found=str(error.strerror or error)) from error
    return f"remove_leftovers: {path.name}"
