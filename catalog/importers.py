"""Importing files and folders into a catalog.

Each file is added in one step and only its new rows are written, so an import may be repeated, may overlap
an earlier one (same values: fine, other values: refused with file and time), or may be killed at any point
and run again.  Broken rows are imported as they are, reported, and refused by readers until a repair is
named; `repairs` names them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import CatalogError, MissingFile, UnreadableFile
from catalog.names import EXPECTED, SUFFIXES, Subject, stand_in, subject_of
from catalog.quality import Finding, check_source, summarise
from catalog.schema import Kind
from catalog.store import Catalog
from catalog.symbols import parse_instrument
from catalog.tables import read_table

Progress = Callable[[str, int, int], None]  # (what is being done, steps done, steps in all)


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file: rows read, written as new and known before, or why it was left out."""

    path: Path
    subject: Subject | None
    rows: int = 0
    written: int = 0
    known: int = 0
    ignored_columns: tuple[str, ...] = ()
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """All files of one import, and what the quality check says of the sources they touched."""

    files: tuple[FileReport, ...]
    findings: tuple[Finding, ...]

    @property
    def written(self) -> int:
        """Rows that were new."""
        return sum(file.written for file in self.files)


def import_paths(
    catalog: Catalog,
    paths: Sequence[Path],
    *,
    as_perp: bool = False,
    instrument: str | None = None,
    minutes: int | None = None,
    kind: Kind = Kind.OHLCV,
    repairs: Sequence[str] = (),
    progress: Progress | None = None,
) -> ImportReport:
    """Import files, and folders with all files below them.

    Parameters
    ----------
    as_perp : bool
        Import spot bars as bars of the perpetual, labelled `spot-as-perp`.
    instrument, minutes, kind
        What a file is about whose name does not say it; for a single file.
    repairs : sequence of str
        Named repairs to record for every source that needs them.

    Raises
    ------
    MissingFile
        If a path holds no file of market data.
    UnreadableFile
        If a file named by the caller cannot be read; files found in a folder that are no market data are
        skipped and reported, damaged ones raise.
    ConflictingRows
        If a row differs from what the catalog holds; files before it were imported.
    """
    given = _given_subject(paths, instrument, minutes, kind)
    found = list(_files(paths))
    reports: list[FileReport] = []
    for n, (path, named) in enumerate(found):
        if progress:
            progress(path.name, n, len(found))
        try:
            subject = given or subject_of(path)
        except UnreadableFile as error:
            if named:
                raise
            reports.append(FileReport(path, None, skipped=error.message.removeprefix(f"{path}: ")))
            continue
        reports.append(import_file(catalog, path, stand_in(subject) if as_perp else subject))
    if progress:
        progress("check", len(found), len(found))
    touched = sorted({_key(r.subject) for r in reports if r.subject})
    for key in touched:
        for code in {name for f in check_source(catalog, key) for name in f.repairs if name in repairs}:
            catalog.record_repair(code, key)
    findings = [finding for key in touched for finding in check_source(catalog, key)]
    return ImportReport(tuple(reports), summarise(findings))


def import_file(catalog: Catalog, path: Path, subject: Subject) -> FileReport:
    """Import one file about a known subject."""
    table = read_table(path, subject.kind)
    added = catalog.add(
        subject.kind,
        subject.instrument,
        subject.minutes,
        table.columns,
        label=subject.label,
        source=path.name,
        origin=table.origin,
    )
    return FileReport(path, subject, added.rows, added.written, added.known, table.ignored)


def _key(subject: Subject) -> tuple[Kind, str, int]:
    return subject.kind, subject.instrument, subject.minutes


def _given_subject(
    paths: Sequence[Path], instrument: str | None, minutes: int | None, kind: Kind
) -> Subject | None:
    if instrument is None and minutes is None:
        return None
    if instrument is None or minutes is None or len(paths) != 1 or paths[0].is_dir():
        raise CatalogError(
            "an instrument and a timeframe are given together, for one file",
            found=f"{len(paths)} paths, instrument {instrument}, timeframe {minutes}",
            remedy="import files with telling names together, the others one by one",
        )
    return Subject(kind, parse_instrument(instrument).id, minutes)


def _files(paths: Iterable[Path]) -> Iterable[tuple[Path, bool]]:
    """Yield (file, named by the caller) in a fixed order."""
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.name.endswith(SUFFIXES) and p.is_file())
            if not inside:
                raise MissingFile(f"{path} holds no market data", expected=EXPECTED)
            yield from ((file, False) for file in inside)
        elif path.name.endswith(SUFFIXES):
            yield path, True
        else:
            raise MissingFile(
                f"{path} cannot be imported",
                found="no such file" if not path.exists() else f"a {path.suffix or 'nameless'} file",
                expected=EXPECTED,
            )
