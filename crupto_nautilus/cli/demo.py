"""`crupto demo`: the whole desk on the embedded sample market, offline."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import Amount
from crupto_nautilus.cli.output import Result


@command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    metavar="DIR",
    help="Folder of the runs; the sample market goes to `sample-market` inside it.",
)
@click.option(
    "--equity",
    type=Amount(min=0, min_open=True, max=1e9),
    default=300.0,
    show_default=True,
    help="Starting equity, USDT.",
)
def demo(*, out: Path, equity: float) -> Result:
    """Offline: sample market, the whole desk in a backtest, a report.

    The market is synthetic: the result says how the desk works, nothing about what it would earn.
    """
    from crupto_nautilus.cli.running import new_run_id, run_desk
    from crupto_nautilus.config import load_config
    from crupto_nautilus.desk.backtest import run_backtest
    from crupto_nautilus.desk.options import BacktestOptions

    market = sample_market(out / "sample-market")
    return run_desk(
        BacktestOptions(
            catalog=market,
            config=load_config(),
            out=out,
            run_id=new_run_id("demo", out),
            equity=equity,
        ),
        run_backtest,
    )


def sample_market(folder: Path) -> Path:
    """Write the sample market of this version; an older one is replaced, real data never is."""
    from catalog.errors import ConflictingRows
    from catalog.sample import write_sample
    from catalog.schema import LABEL_SYNTHETIC
    from catalog.store import Catalog
    from crupto_nautilus.cli.progress import progress

    with progress() as report:
        try:
            write_sample(folder, progress=report)
        except ConflictingRows:
            if any(source.label != LABEL_SYNTHETIC for source in Catalog(folder).sources()):
                raise
            shutil.rmtree(folder)
            write_sample(folder, progress=report)
    return folder
