"""`crupto catalog download`: history from an exchange into a catalog."""

from __future__ import annotations

from pathlib import Path

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import (
    Names,
    When,
    catalog_option,
    check_window,
)
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.cli.progress import progress
from crupto_nautilus.errors import UsageError


@command("download")
@catalog_option
@click.option("--venue", required=True, help="Exchange id of ccxt: bingx, binanceusdm, bybit ...")
@click.option("--symbols", type=Names(), required=True, help="Instrument ids or coins, separated by commas.")
@click.option(
    "--kinds", type=Names(), default=("ohlcv",), help="ohlcv, funding, mark, reference; default: ohlcv."
)
@click.option("--timeframe", default="1h", show_default=True, help="Of bars: 1m 5m 15m 1h 4h.")
@click.option("--funding-hours", type=click.IntRange(1, 24), default=8, show_default=True)
@click.option("--start", "start_ns", type=When(), required=True, metavar="TIME", help="First moment, UTC.")
@click.option("--end", "end_ns", type=When(), metavar="TIME", help="Exclusive end, UTC; default: now.")
def download(
    *,
    catalog_dir: Path,
    venue: str,
    symbols: tuple[str, ...],
    kinds: tuple[str, ...],
    timeframe: str,
    funding_hours: int,
    start_ns: int,
    end_ns: int | None,
) -> Result:
    """Fetch history from any exchange that ccxt knows.

    A stopped download goes on where it was when the command is given again.
    A coin means its USDT perpetual: BTC is BTC-USDT.BINGX or BTCUSDT-PERP.BINANCE.
    """
    import time

    from catalog.downloader import Request
    from catalog.downloader import download as fetch
    from catalog.schema import Kind
    from catalog.store import Catalog
    from catalog.timeframes import parse_timeframe
    from catalog.venues import open_exchange

    check_window(start_ns, end_ns)
    minutes = parse_timeframe(timeframe)
    known = tuple(kind.value for kind in Kind if kind is not Kind.BASIS)
    for name in kinds:
        if name not in known:
            raise UsageError(f"there is no kind {name}", found=name, expected=", ".join(known))
    instruments = [instrument_at(venue, name) for name in symbols]
    exchange = open_exchange(venue)
    held = Catalog.create(catalog_dir)
    reports = []
    with progress() as report:
        for instrument in instruments:
            for kind in map(Kind, kinds):
                step = funding_hours * 60 if kind is Kind.FUNDING else minutes
                request = Request(instrument, step, start_ns, end_ns or time.time_ns(), kind)
                reports.append(fetch(held, exchange, request, progress=report))
    rows = tuple(
        (
            item.request.instrument,
            item.request.kind.value,
            str(item.rows),
            str(item.written),
            str(item.pages_held),
        )
        for item in reports
    )
    columns = ("instrument", "kind", "rows", "new", "pages held")
    table = Table("", columns, rows, frozenset(columns[2:]))
    tail = f"`crupto catalog check --catalog {catalog_dir}` shows gaps"
    return Result({"catalog": catalog_dir, "venue": venue, "reports": reports}, (table, tail))


def instrument_at(venue: str, asked: str) -> str:
    """Return the instrument id that a full id or a coin means at an exchange of ccxt."""
    from catalog.symbols import parse_instrument
    from catalog.venues import venue_of

    if "." in asked:
        return parse_instrument(asked.upper()).id
    place = venue_of(venue)
    return f"{asked.upper()}-USDT.{place}" if place == "BINGX" else f"{asked.upper()}USDT-PERP.{place}"
