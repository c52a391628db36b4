"""`crupto vst`: the operator's tools for a BingX demo (VST) account."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crupto_nautilus.cli.command import CONTEXT_SETTINGS, LazyGroup, command
from crupto_nautilus.cli.options import config_option
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.errors import UsageError

if TYPE_CHECKING:
    from adapters.bingx.config import Endpoints, ExecutionSettings
    from adapters.bingx.findings import Finding
    from adapters.bingx.questions import Known


@click.group(
    "vst",
    cls=LazyGroup,
    table={
        "check": (
            "crupto_nautilus.cli.vst",
            "check",
            "Ask BingX's demo account what only a real key can tell.",
        ),
        "cycle": (
            "crupto_nautilus.cli.vst",
            "cycle",
            "Open and close one position through the desk's own adapter.",
        ),
    },
    context_settings=CONTEXT_SETTINGS,
)
def vst() -> None:
    """BingX demo account: ask it what only a real key can tell.

    Orders there are matched by BingX, with money that is none (VST).
    """


def key_file_option(body: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--key-file`."""
    return click.option(
        "--key-file",
        type=click.Path(path_type=Path),
        help="File with key and secret, mode 0600; else BINGX_API_KEY and BINGX_API_SECRET.",
    )(body)


def address_options(body: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--rest` and `--stream`."""
    stream = click.option("--stream", help="Stream address that belongs to it.")
    rest = click.option("--rest", help="REST address, such as that of a fake exchange on loopback.")
    return rest(stream(body))


@command("check")
@click.option("--symbol", default="BTC-USDT", show_default=True, help="Contract that stands for all.")
@click.option(
    "--round-trip/--read-only",
    default=None,
    help="Open and close a minimal position; unset: asked on a terminal.",
)
@click.option("--dead-man", is_flag=True, help="With --round-trip: what the dead man's switch does to stops.")
@click.option("--provoke-limit", is_flag=True, help="Ask too often once, to see how the rate limit answers.")
@click.option("--stop-wait", default=90.0, show_default=True, help="Seconds to wait for the stop to fire.")
@key_file_option
@address_options
@config_option
def check(
    symbol: str,
    round_trip: bool | None,
    dead_man: bool,
    provoke_limit: bool,
    stop_wait: float,
    key_file: Path | None,
    rest: str | None,
    stream: str | None,
    config_dir: Path | None,
) -> Result:
    """Ask BingX's demo account what only a real key can tell: first reading, then a minimal round trip.

    Each answer is ok, differs (from what the adapter relies on) or unknown; a difference exits with 1.  A
    host where real money could be traded is refused with 4.
    """
    from adapters.bingx.config import LIVE_DATA
    from adapters.bingx.vst_check import CheckOptions, check_vst

    if dead_man and round_trip is False:
        raise UsageError("--dead-man places orders", found="--read-only", expected="--round-trip")
    settings = _settings(key_file, rest, stream, symbol)
    options = CheckOptions(
        symbol=symbol,
        market=_market(settings.endpoints, LIVE_DATA),
        round_trip=_confirmed(symbol) if round_trip is None else round_trip,
        dead_man=dead_man,
        provoke_limit=provoke_limit,
        stop_wait_s=stop_wait,
    )
    findings = asyncio.run(check_vst(settings, _table(config_dir), options))
    return _result(findings, round_trip=options.round_trip)


def _settings(key_file: Path | None, rest: str | None, stream: str | None, symbol: str) -> ExecutionSettings:
    """Return settings of the demo account; a real-money host is refused before the key is read."""
    from adapters.bingx.config import Credentials, ExecutionSettings, at, virtual_endpoints

    endpoints = at(virtual_endpoints(os.environ), rest=rest, stream=stream)
    endpoints.require_virtual()
    credentials = Credentials.from_file(key_file) if key_file else Credentials.from_environment(os.environ)
    return ExecutionSettings(credentials, endpoints, symbols=(symbol,))


def _market(endpoints: Endpoints, live: Endpoints) -> Endpoints:
    """Return where live market data is read: of a fake exchange, the fake itself."""
    return endpoints if endpoints.is_loopback else live


def _confirmed(symbol: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return click.confirm(f"Open and close a minimal position in {symbol} on the demo account?", err=True)


def _table(config_dir: Path | None) -> dict[str, Known]:
    """Return the contracts of the configuration by venue symbol."""
    from adapters.bingx.questions import Known
    from crupto_nautilus.config import load_config

    table = load_config(config_dir).instruments
    defaults = table.defaults

    def or_default(value: float | None, default: float) -> float:
        return default if value is None else value

    return {
        f"{coin}-USDT": Known(
            tick=row.tick,
            step=row.step,
            min_quantity=row.min_quantity,
            min_notional_usd=or_default(row.min_notional_usd, defaults.min_notional_usd),
            maker_fee=or_default(row.maker_fee, defaults.maker_fee),
            taker_fee=or_default(row.taker_fee, defaults.taker_fee),
        )
        for coin, row in table.instruments.items()
        if "." not in coin
    }


def _result(findings: list[Finding], *, round_trip: bool) -> Result:
    from adapters.bingx.findings import Verdict, worst

    counts = {verdict.value: sum(f.verdict is verdict for f in findings) for verdict in Verdict}
    rows = tuple((str(f.number or ""), f.verdict.value, f.question, f.answer, f.expected) for f in findings)
    table = Table("", ("no", "verdict", "question", "answer", "relied on"), rows, frozenset({"no"}))
    data = {
        "round_trip": round_trip,
        "counts": counts,
        "findings": [
            {
                "number": f.number,
                "question": f.question,
                "expected": f.expected,
                "answer": f.answer,
                "verdict": f.verdict.value,
            }
            for f in findings
        ],
    }
    tail = f"{counts['ok']} ok, {counts['differs']} differ, {counts['unknown']} unknown"
    if not round_trip:
        tail += "; the round trip was not asked for (--round-trip)"
    return Result(data, (table, tail), exit_code=1 if worst(findings) is Verdict.DIFFERS else 0)


@command("cycle")
@click.option("--symbol", default="BTC-USDT", show_default=True, help="Contract to trade.")
@click.option("--quantity", type=click.FloatRange(min=0, min_open=True), help="Base coins; some ten dollars.")
@click.option("--short", is_flag=True, help="Open a short instead of a long.")
@click.option("--run-id", help="Name of the round trip; the same name never opens twice.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds for the whole of it.")
@key_file_option
@address_options
def cycle(
    symbol: str,
    quantity: float | None,
    short: bool,
    run_id: str | None,
    timeout: float,
    key_file: Path | None,
    rest: str | None,
    stream: str | None,
) -> Result:
    """Open and close one position on the demo account through the desk's own adapter.

    Virtual trading must be on: USE_VIRTUAL_TRADING=1 and VIRTUAL_ASSET.
    """
    from decimal import Decimal

    from adapters.bingx.virtual import run_virtual_vst_cycle
    from crupto_nautilus.config import load_config

    runtime = load_config().runtime
    if not runtime.virtual.enabled:
        raise UsageError(
            "virtual trading is off",
            found="USE_VIRTUAL_TRADING unset or false",
            expected="USE_VIRTUAL_TRADING=1 and VIRTUAL_ASSET=VST",
            remedy="USE_VIRTUAL_TRADING=1 VIRTUAL_ASSET=VST crupto vst cycle",
        )
    settings = replace(_settings(key_file, rest, stream, symbol), virtual_asset=runtime.virtual.asset)
    name = run_id or runtime.run_id or f"cycle-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    size = None if quantity is None else Decimal(repr(quantity))
    done = run_virtual_vst_cycle(settings, name, symbol=symbol, quantity=size, short=short, timeout_s=timeout)
    rows = tuple(
        (o.client_order_id, o.side, o.filled, f"{o.average_price:g}", o.status, o.virtual_asset)
        for o in done.orders
    )
    columns = ("order", "side", "filled", "price", "status", "asset")
    held = f"{done.position.side} {done.position.quantity} {symbol}"
    tail = f"{held}, {done.pnl:+.6f} {done.virtual_asset} after fees"
    return Result({"cycle": done, "orders": done.orders}, (Table("", columns, rows), tail))
