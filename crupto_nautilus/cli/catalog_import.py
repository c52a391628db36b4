"""`crupto catalog import`: files and folders into a catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crupto_nautilus.cli.catalog_check import findings_text
from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import (
    Names,
    catalog_option,
)
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.cli.progress import progress
from crupto_nautilus.errors import UsageError

if TYPE_CHECKING:
    from catalog.importers import ImportReport


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
    """Import files or folders of market data.

    SYMBOL.VENUE.TIMEFRAME.parquet, or .csv with a header.  What is known already is not written twice; a row
    that differs from what is held is refused.  Broken rows are imported as they are and named (exit 1):
    readers refuse them until a repair is recorded.
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
    return Result(data, (table, tail, *findings_text(report.findings, catalog_dir)), exit_code=int(broken))
