"""`crupto research calibrate`: how often the gates promote luck, and how often they find an edge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import open_catalog
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.cli.progress import progress
from crupto_nautilus.cli.research_options import executor_options, gate_file_option

if TYPE_CHECKING:
    from research.calibration.table import Row


@command("calibrate")
@click.option(
    "--catalog",
    "catalog_dir",
    type=click.Path(path_type=Path),
    envvar="CRUPTO_CATALOG",
    metavar="DIR",
    help="Catalog whose 1h bars of perpetuals are resampled; without it that kind is left out.",
)
@click.option("--nulls", type=click.IntRange(1), default=200, show_default=True, help="Campaigns a null.")
@click.option(
    "--planted", type=click.IntRange(1), default=60, show_default=True, help="Campaigns a planted edge."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs/research/calibration.jsonl"),
    show_default=True,
    metavar="FILE",
    help="One line a campaign; a calibration that was interrupted goes on with it.",
)
@gate_file_option
@executor_options
def calibrate(
    *,
    catalog_dir: Path | None,
    nulls: int,
    planted: int,
    out: Path,
    gate_file: Path | None,
    executor: str,
    workers: int,
    address: str,
) -> Result:
    """Run whole campaigns on markets whose edge is known, every gate on.

    Nulls: real bars with their edge destroyed, and a martingale; planted edges: a strong and a weak one,
    whose holdout Sharpe ratios are measured and shown (2.7 and 1.3 over 60 campaigns each).  Exit code 1
    when a null promotes in more than 5 % of campaigns, or an edge is found too rarely (80 % and 15 %).
    """
    from crupto_nautilus.laboratory import calibrate as work
    from crupto_nautilus.laboratory.engine_gate import engine_gate
    from research.calibration.simulate import Study
    from research.executors import make_executor
    from research.standards import load_spec

    frames = work.real_frames(open_catalog(catalog_dir)) if catalog_dir else ()
    runner = make_executor(
        executor,
        workers,
        address,
        ["crupto_nautilus.laboratory.engine_gate", "research.calibration.simulate"],
    )
    wanted = work.tasks(nulls, planted, real=bool(frames))
    study = Study(load_spec(gate_file), engine=engine_gate, frames=frames)
    with progress() as report:
        table = work.calibrate(study, wanted, out, runner, report)
    failed = [row for row in table if not work.holds(row)]
    data = {"rows": [_data(row, holds=work.holds(row)) for row in table], "ok": not failed, "lines": out}
    verdict = "the calibration holds" if not failed else f"{len(failed)} rows do not hold"
    return Result(data, (_table(table), verdict), exit_code=1 if failed else 0)


def _data(row: Row, *, holds: bool) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__} | {
        "rate": row.rate,
        "holds": holds,
    }


def _table(table: list[Row]) -> Table:
    rules = list(table[0].weaker) if table else []
    rows = tuple(
        (
            row.kind if not row.amplitude else f"{row.kind} {row.amplitude:g}",
            str(row.campaigns),
            f"{row.rate:.1%}",
            f"{row.lower_95:.1%} .. {row.upper_95:.1%}",
            f"{row.holdout_sharpe:.2f}",
            *(f"{row.weaker[rule]:.1%}" for rule in rules),
        )
        for row in table
    )
    columns = ("market", "campaigns", "promoted", "95 % bounds", "holdout SR", *rules)
    return Table("Campaigns that promote something, by rule", columns, rows, frozenset(columns[1:]))
