"""`crupto catalog download`: history from an exchange into a catalog."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import (
    Names,
    When,
    catalog_option,
    check_window,
    iso,
)
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.cli.progress import progress
from crupto_nautilus.errors import UsageError


@command("download")
@catalog_option
@click.option("--venue", required=True, help="bingx, or an exchange id of ccxt: binanceusdm, ccxt:bybit ...")
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
    from catalog.schema import EVENTS, Kind
    from catalog.store import Catalog
    from catalog.timeframes import parse_timeframe
    from catalog.venues import instrument_at

    check_window(start_ns, end_ns)
    minutes = parse_timeframe(timeframe)
    known = tuple(kind.value for kind in Kind if kind is not Kind.BASIS and kind not in EVENTS)
    for name in kinds:
        if name not in known:
            raise UsageError(f"there is no kind {name}", found=name, expected=", ".join(known))
    instruments = [instrument_at(venue, name) for name in symbols]
    reports = []
    with opened(venue) as exchange, progress() as report:
        held = Catalog.create(catalog_dir)
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
            str(item.missing),
            iso(item.first_gap_ns) if item.gaps else "",
        )
        for item in reports
    )
    columns = ("instrument", "kind", "rows", "new", "pages held", "missing", "first gap")
    table = Table("", columns, rows, frozenset(columns[2:6]))
    tail = [f"`crupto catalog check --catalog {catalog_dir}` shows gaps"]
    clipped = max((item.clipped_ns for item in reports), default=0)
    if clipped:
        days = clipped / (24 * 3600 * 10**9)
        tail.insert(0, f"{venue} keeps no older rows: the first {days:.1f} days were not asked for")
    return Result({"catalog": catalog_dir, "venue": venue, "reports": reports}, (table, *tail))


@contextmanager
def opened(venue: str) -> Iterator[Any]:
    """Open an exchange: BingX by its own adapter, any other (`bybit` or `ccxt:bybit`) through ccxt."""
    import os

    name = venue.removeprefix("ccxt:")
    if venue == "bingx":
        from adapters.bingx.config import data_endpoints
        from adapters.bingx.download import BingxHistory

        with BingxHistory(data_endpoints(os.environ)) as history:
            yield history
        return
    from catalog.venues import open_exchange

    yield open_exchange(name)
