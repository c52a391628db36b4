"""`crupto demo`: the paper desk on the embedded sample market, offline, and its parity with the backtest."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import Amount
from crupto_nautilus.cli.output import Result

STATUS_EVERY_S = 3.0


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
    """Offline: the paper desk on the sample market, its report, its parity.

    The market is synthetic: the result says how the desk works, nothing about what it would earn.  A
    simulated operator unlocks a kill switch after 24 h of desk time.  Exit code 1 if the live node decided
    otherwise than the backtest.
    """
    from crupto_nautilus.cli.parity import prove
    from crupto_nautilus.cli.running import new_run_id, run_paper_desk
    from crupto_nautilus.config import load_config
    from crupto_nautilus.desk.options import DEFAULT_UNLOCK_HOURS, PaperOptions
    from crupto_nautilus.journal.database import default_url
    from crupto_nautilus.reports.run_folder import RunFolder

    config = load_config()
    options = PaperOptions(
        catalog=sample_market(out / "sample-market"),
        config=config,
        out=out,
        run_id=new_run_id("demo", out),
        equity=equity,
        journal_url=config.runtime.journal_url() or default_url(out),
        unlock_after_hours=DEFAULT_UNLOCK_HOURS,
    )
    done = run_paper_desk(options, (), status_every_s=STATUS_EVERY_S)
    proof = prove(RunFolder(out / options.run_id), options.catalog, config, out)
    data = {**done.data, "parity": proof.data}
    return Result(data, (*done.blocks, "", *proof.blocks), proof.exit_code)


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
