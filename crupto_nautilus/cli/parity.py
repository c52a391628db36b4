"""`crupto parity`: replays a paper run's data through the backtest path and compares row by row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import config_option, open_catalog, runs_option
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.errors import UsageError

if TYPE_CHECKING:
    from crupto_nautilus.config import DeskConfig
    from crupto_nautilus.reports.run_folder import RunFolder


@command("parity")
@click.argument("run")
@click.option(
    "--catalog",
    "catalog_dir",
    type=click.Path(path_type=Path),
    envvar="CRUPTO_CATALOG",
    show_envvar=True,
    metavar="DIR",
    help="Data of the run; default: the catalog it was recorded into or replayed from.",
)
@runs_option
@config_option
def parity(*, run: str, catalog_dir: Path | None, runs_dir: Path, config_dir: Path | None) -> Result:
    """Prove that a paper run decided exactly as the backtest.

    Exit code 1 if anything differs; each difference is classified (data, warm-up, signal, risk-state, venue,
    restart) with its first row and what to look at.  Writes parity.md and parity.json into the run's folder.
    """
    from crupto_nautilus.config import load_config
    from crupto_nautilus.reports.run_folder import RunFolder

    folder = RunFolder.open(run, runs_dir)
    profile = "vst" if folder.facts.provenance.get("runtime.virtual.enabled") == "profile:vst" else "paper"
    config = load_config(config_dir, profile=profile)
    return prove(folder, catalog_dir or _catalog_of(folder), config, runs_dir)


def prove(folder: RunFolder, catalog: Path, config: DeskConfig, runs_dir: Path) -> Result:
    """Compare a run with the backtest of its data; write parity.md and parity.json into its folder."""
    open_catalog(catalog)

    from crupto_nautilus.desk.parity import compare_run, options_of
    from crupto_nautilus.reports.parity_page import parity_json, parity_lines, render_parity, verdict

    found = compare_run(folder, options_of(folder, catalog=catalog, config=config, out=runs_dir))
    data = parity_json(found)
    page = folder.write_text("parity.md", render_parity(found))
    folder.write_json("parity.json", data)
    table = Table(
        f"run {found.run_id} against the backtest of its data",
        ("table", "run", "backtest", "equal"),
        tuple((t.table, f"{t.rows:,}", f"{t.rows_backtest:,}", f"{t.equal:,}") for t in found.tables),
        right=frozenset({"run", "backtest", "equal"}),
    )
    blocks: tuple[str | Table, ...] = (table, *parity_lines(found), verdict(found), f"report  {page}")
    return Result(data, blocks, 0 if found.same else 1)


def _catalog_of(folder: RunFolder) -> Path:
    if not folder.facts.catalog:
        raise UsageError(
            f"run {folder.run_id} does not say where its data lies",
            found="a run of an older version",
            expected="its catalog",
            remedy=f"crupto parity {folder.run_id} --catalog DIR",
        )
    return Path(folder.facts.catalog)
