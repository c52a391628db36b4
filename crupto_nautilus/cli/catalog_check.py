"""`crupto catalog check`: what is wrong or odd in a catalog, and the repairs an operator names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import (
    Names,
    catalog_option,
    open_catalog,
    resolve_symbols,
)
from crupto_nautilus.cli.output import Result
from crupto_nautilus.cli.progress import progress

if TYPE_CHECKING:
    from catalog.quality import Finding

_SHOWN = 60  # findings a person is shown; --json has all of them


@command("check")
@catalog_option
@click.option("--symbols", type=Names(), help="Instrument ids or coins, separated by commas; default: all.")
@click.option(
    "--repair", "repairs", type=Names(), default=(), help="Repairs to record where they are needed."
)
def check(*, catalog_dir: Path, symbols: tuple[str, ...] | None, repairs: tuple[str, ...]) -> Result:
    """Find what is wrong with the data; record repairs.

    Gaps, duplicates, impossible prices, outliers, funding holes; exit 1 if an error stands.
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
    blocks = (*done, *findings_text(found.findings, catalog_dir), tail)
    return Result(data, blocks, exit_code=0 if found.sound else 1)


def findings_text(findings: Iterable[Finding], catalog_dir: Path) -> list[str]:
    """Return the worst findings as lines, and the command that mends errors."""
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
