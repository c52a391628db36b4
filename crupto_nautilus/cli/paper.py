"""`crupto paper`: the desk in a live node with sandbox execution, on a replayed catalog."""

from __future__ import annotations

from pathlib import Path

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import (
    Names,
    catalog_option,
    check_window,
    config_option,
    open_catalog,
    resolve_symbols,
    window_options,
)
from crupto_nautilus.cli.output import Result


@command("paper")
@click.option(
    "--feed",
    type=click.Choice(["replay"]),
    default="replay",
    show_default=True,
    help="Where market data comes from; an exchange feed is not built yet.",
)
@catalog_option
@click.option("--symbols", type=Names(), help="Instrument ids or coins, separated by commas; default: all.")
@window_options
@click.option(
    "--equity",
    type=click.FloatRange(min=0, min_open=True, max=1e9),
    default=300.0,
    show_default=True,
    help="Starting equity, USDT.",
)
@click.option("--strategies", type=Names(), help="Strategies, separated by commas; default: all.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Event seconds a second: 1 is real time, 0 as fast as the desk allows.",
)
@click.option("--max-seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after this wall time.")
@click.option("--max-cycles", type=click.IntRange(min=1), help="Stop after so many instants.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    metavar="DIR",
    help="Folder of the runs.",
)
@click.option("--run-id", metavar="NAME", help="Name of the run; default: from the time of the start.")
@config_option
def paper(
    *,
    feed: str,
    catalog_dir: Path,
    symbols: tuple[str, ...] | None,
    start_ns: int | None,
    end_ns: int | None,
    equity: float,
    strategies: tuple[str, ...] | None,
    speed: float,
    max_seconds: float | None,
    max_cycles: int | None,
    out: Path,
    run_id: str | None,
    config_dir: Path | None,
) -> Result:
    """Run the desk in a live node with sandbox execution.

    A kill switch stays until an operator unlocks it, so a run may end halted.  A restart does not resume a
    run yet.  `crupto parity RUN` proves that it decided as the backtest does.
    """
    from crupto_nautilus.config import load_config
    from strategies import registry

    check_window(start_ns, end_ns)
    config = load_config(config_dir)
    for name in strategies or ():
        registry.get(name)
    catalog = open_catalog(catalog_dir)
    chosen = resolve_symbols(symbols, catalog.instruments()) if symbols else None

    from crupto_nautilus.cli.running import new_run_id, run_desk
    from crupto_nautilus.desk.paper import PaperOptions, run_paper
    from crupto_nautilus.journal.database import default_url

    return run_desk(
        PaperOptions(
            catalog=catalog_dir,
            config=config,
            out=out,
            run_id=run_id or config.runtime.run_id or new_run_id("paper", out),
            symbols=chosen,
            start_ns=start_ns,
            end_ns=end_ns,
            equity=equity,
            strategies=strategies,
            journal_url=config.runtime.journal_url() or default_url(out),
            unlock_after_hours=None,
            speed=speed,
            max_seconds=max_seconds,
            max_cycles=max_cycles,
        ),
        run_paper,
    )
