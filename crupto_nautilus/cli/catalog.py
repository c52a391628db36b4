"""`crupto catalog`: market data in, checked, described."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crupto_nautilus.cli.command import CONTEXT_SETTINGS, SubGroup, command
from crupto_nautilus.cli.options import Names, catalog_option, iso, open_catalog, resolve_symbols
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.cli.progress import progress
from crupto_nautilus.errors import UsageError

if TYPE_CHECKING:
    from catalog.importers import ImportReport
    from catalog.quality import Finding

_SHOWN = 60  # findings a person is shown; --json has all of them


@click.group("catalog", cls=SubGroup, context_settings=CONTEXT_SETTINGS)
def catalog() -> None:
    """Import, download, check and describe market data."""


@command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@catalog_option
@click.option("--as-perp", is_flag=True, help="Use spot bars as bars of the perpetual, labelled so.")
@click.option("--instrument", help="For one file whose name does not say it: BTCUSDT-PERP.BINANCE.")
@click.option("--timeframe", help="For one file whose name does not say it: 5m.")
@click.option(
    "--repair", "repairs", type=Names(), default=(), help="Repairs to record where they are needed."
)
def import_(
    *,
    paths: tuple[Path, ...],
    catalog_dir: Path,
    as_perp: bool,
    instrument: str | None,
    timeframe: str | None,
    repairs: tuple[str, ...],
) -> Result:
    """Import files or folders of SYMBOL.VENUE.TIMEFRAME.parquet (or .csv).

    What is known already is not written twice; a row that differs from what is held is refused.  Broken rows
    are imported as they are and named (exit 1): readers refuse them until a repair is recorded.
    """
    from catalog.importers import import_paths
    from catalog.store import Catalog
    from catalog.timeframes import parse_timeframe

    minutes = parse_timeframe(timeframe) if timeframe else None
    for path in paths:
        if not path.exists():
            raise UsageError(
                f"there is no {path}",
                found="no such file or folder",
                expected="files or folders of SYMBOL.VENUE.TIMEFRAME.parquet or .csv",
                remedy="check the path; nothing was imported",
            )
    with progress() as report:
        done = import_paths(
            Catalog.create(catalog_dir),
            paths,
            as_perp=as_perp,
            instrument=instrument,
            minutes=minutes,
            repairs=repairs,
            progress=report,
        )
    return _imported(done, catalog_dir)


def _imported(report: ImportReport, catalog_dir: Path) -> Result:
    files = [
        {
            "path": file.path,
            "kind": file.subject.kind if file.subject else None,
            "instrument": file.subject.instrument if file.subject else None,
            "minutes": file.subject.minutes if file.subject else None,
            "label": file.subject.label if file.subject else None,
            "rows": file.rows,
            "written": file.written,
            "known": file.known,
            "ignored_columns": file.ignored_columns,
            "skipped": file.skipped,
        }
        for file in report.files
    ]
    rows = tuple(
        (
            file.path.name,
            file.subject.instrument if file.subject else "",
            str(file.rows),
            str(file.written),
            str(file.known),
            file.skipped or (file.subject.label if file.subject else ""),
        )
        for file in report.files
    )
    columns = ("file", "instrument", "rows", "new", "known", "")
    data = {"catalog": catalog_dir, "written": report.written, "files": files, "findings": report.findings}
    table = Table("", columns, rows, frozenset({"rows", "new", "known"}))
    tail = f"{report.written} new rows in {catalog_dir}"
    broken = any(finding.severity == "error" for finding in report.findings)
    return Result(data, (table, tail, *_findings(report.findings, catalog_dir)), exit_code=int(broken))


@command("info")
@catalog_option
def info(*, catalog_dir: Path) -> Result:
    """Tell what a catalog holds: instruments, kinds, timeframes, ranges, rows and where they are from."""
    from catalog.schema import interval_label

    held = open_catalog(catalog_dir)
    sources = held.sources()
    rows = tuple(
        (
            source.instrument,
            source.kind.value,
            interval_label(source.minutes),
            iso(source.first_ns),
            iso(source.last_ns),
            str(source.rows),
            source.label,
        )
        for source in sources
    )
    columns = ("instrument", "kind", "interval", "first", "last", "rows", "label")
    table = Table("", columns, rows, frozenset({"rows"}))
    fingerprint = held.fingerprint(held.instruments())
    data = {
        "catalog": catalog_dir,
        "instruments": held.instruments(),
        "sources": sources,
        "fingerprint": fingerprint,
    }
    tail = f"{len(held.instruments())} instruments with bars, fingerprint {fingerprint[:12]}"
    return Result(data, (table if rows else f"{catalog_dir} is empty", tail))


@command("check")
@catalog_option
@click.option("--symbols", type=Names(), help="Instrument ids or coins, separated by commas; default: all.")
@click.option(
    "--repair", "repairs", type=Names(), default=(), help="Repairs to record where they are needed."
)
def check(*, catalog_dir: Path, symbols: tuple[str, ...] | None, repairs: tuple[str, ...]) -> Result:
    """Find gaps, duplicates, impossible prices, outliers and funding holes; exit 1 if an error stands.

    A range with an error is refused by every reader until a repair is named.  A repair changes no file:
    readers apply it, and the manifest records it.
    """
    from catalog import quality

    held = open_catalog(catalog_dir)
    chosen = resolve_symbols(symbols, held.instruments()) if symbols else None
    done = quality.repair(held, repairs, chosen) if repairs else []
    with progress() as report:
        found = quality.check(held, chosen, progress=report)
    data = {
        "catalog": catalog_dir,
        "sound": found.sound,
        "sources": found.sources,
        "files": found.files,
        "rows": found.rows,
        "counts": found.counts(),
        "repaired": done,
        "findings": found.findings,
    }
    counts = ", ".join(f"{number} {severity}" for severity, number in found.counts().items())
    tail = f"{found.rows} rows in {found.files} files: {counts}"
    blocks = (*done, *_findings(found.findings, catalog_dir), tail)
    return Result(data, blocks, exit_code=0 if found.sound else 1)


@command("sample")
@catalog_option
def sample(*, catalog_dir: Path) -> Result:
    """Write the embedded sample market: synthetic, labelled so, the same every time."""
    from catalog.sample import write_sample

    with progress() as report:
        held = write_sample(catalog_dir, progress=report)
    names = held.instruments()
    text = f"{len(names)} synthetic instruments in {catalog_dir}: {', '.join(names)}"
    return Result({"catalog": catalog_dir, "instruments": names, "sources": held.sources()}, (text,))


def _findings(findings: Iterable[Finding], catalog_dir: Path) -> list[str]:
    listed = list(findings)
    lines = [finding.text() for finding in listed[:_SHOWN]]
    if len(listed) > _SHOWN:
        lines.append(f"... and {len(listed) - _SHOWN} more; --json lists all")
    repairs = sorted({name for finding in listed if finding.severity == "error" for name in finding.repairs})
    if repairs:
        lines.append(
            "readers refuse ranges with an error; to mend them: "
            f"crupto catalog check --catalog {catalog_dir} --repair NAME, one or more of {', '.join(repairs)}"
        )
    return lines


for _command in (import_, info, check, sample):
    catalog.add_command(_command)
