"""`crupto backtest`: the whole desk over recorded history, with a run folder and a report at the end."""

from __future__ import annotations

from pathlib import Path

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import (
    Amount,
    Names,
    catalog_option,
    check_window,
    config_option,
    open_catalog,
    resolve_symbols,
    window_options,
)
from crupto_nautilus.cli.output import Result


@command("backtest")
@catalog_option
@click.option("--symbols", type=Names(), help="Instrument ids or coins, separated by commas; default: all.")
@window_options
@click.option(
    "--equity",
    type=Amount(min=0, min_open=True, max=1e9),
    default=300.0,
    show_default=True,
    help="Starting equity, USDT.",
)
@click.option("--strategies", type=Names(), help="Strategies, separated by commas; default: all.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    metavar="DIR",
    help="Folder of the runs.",
)
@click.option("--run-id", metavar="NAME", help="Name of the run; default: from the time of the start.")
@click.option(
    "--costs",
    type=click.Choice(["on", "off"]),
    default="on",
    show_default=True,
    help="Off: no fees, no slippage; the run is marked as not comparable.",
)
@click.option("--base", metavar="TIMEFRAME", help="Finest bars to use, such as 5m; default: the finest held.")
@click.option(
    "--unlock-after-hours",
    type=Amount(min=0),
    default=24.0,
    show_default=True,
    help="A simulated operator unlocks a kill switch after so many hours; 0: never.",
)
@click.option(
    "--journal/--no-journal",
    default=True,
    show_default=True,
    help="Store the run in the journal too (CRUPTO_DB_URL, else journal.db in the folder of the runs).",
)
@config_option
def backtest(
    *,
    catalog_dir: Path,
    symbols: tuple[str, ...] | None,
    start_ns: int | None,
    end_ns: int | None,
    equity: float,
    strategies: tuple[str, ...] | None,
    out: Path,
    run_id: str | None,
    costs: str,
    base: str | None,
    unlock_after_hours: float,
    journal: bool,
    config_dir: Path | None,
) -> Result:
    """Run the desk over recorded history.

    Without --start and --end: all that the finest bars cover.  The run folder appears when the run has
    ended; a run that was stopped leaves nothing that looks finished.
    """
    from catalog.timeframes import parse_timeframe
    from crupto_nautilus.config import load_config
    from strategies import registry

    check_window(start_ns, end_ns)
    config = load_config(config_dir)
    for name in strategies or ():
        registry.get(name)
    base_minutes = parse_timeframe(base) if base else None
    catalog = open_catalog(catalog_dir)
    chosen = resolve_symbols(symbols, catalog.instruments()) if symbols else None

    from crupto_nautilus.cli.running import new_run_id, run_desk
    from crupto_nautilus.desk.backtest import run_backtest
    from crupto_nautilus.desk.options import BacktestOptions
    from crupto_nautilus.journal.database import default_url

    return run_desk(
        BacktestOptions(
            catalog=catalog_dir,
            config=config,
            out=out,
            run_id=run_id or config.runtime.run_id or new_run_id("backtest", out),
            symbols=chosen,
            start_ns=start_ns,
            end_ns=end_ns,
            equity=equity,
            strategies=strategies,
            costs=costs == "on",
            base_minutes=base_minutes,
            journal_url=(config.runtime.journal_url() or default_url(out)) if journal else None,
            unlock_after_hours=unlock_after_hours or None,
        ),
        run_backtest,
    )
