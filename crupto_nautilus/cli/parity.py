"""`crupto parity`: replays a paper run's data through the backtest path and compares row by row."""

from __future__ import annotations

from pathlib import Path

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import catalog_option, config_option, open_catalog, runs_option
from crupto_nautilus.cli.output import Result, Table


@command("parity")
@click.argument("run")
@catalog_option
@runs_option
@config_option
def parity(*, run: str, catalog_dir: Path, runs_dir: Path, config_dir: Path | None) -> Result:
    """Prove that a paper run decided exactly as the backtest.

    Exit code 1 if anything differs; the first difference of each table is shown with its likely cause.
    """
    from crupto_nautilus.config import load_config
    from crupto_nautilus.reports.run_folder import RunFolder

    folder = RunFolder.open(run, runs_dir)
    open_catalog(catalog_dir)
    config = load_config(config_dir)

    from crupto_nautilus.desk.parity import compare_run, options_of

    found = compare_run(folder, options_of(folder, catalog=catalog_dir, config=config, out=runs_dir))
    table = Table(
        f"run {found.run_id} against the backtest of its data",
        ("table", "run", "backtest", "equal", "first difference"),
        tuple(
            (t.table, f"{t.rows:,}", f"{t.rows_backtest:,}", f"{t.equal:,}", t.first_difference)
            for t in found.tables
        ),
        right=frozenset({"run", "backtest", "equal"}),
    )
    last = "identical" if found.same else f"different; cause: {found.cause}"
    data = {"run": found.run_id, "same": found.same, "cause": found.cause, "tables": list(found.tables)}
    return Result(data, (table, last), 0 if found.same else 1)
