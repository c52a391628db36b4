"""`crupto vst`: the operator's tools for a BingX demo (VST) account."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crupto_nautilus.cli.command import CONTEXT_SETTINGS, LazyGroup, command
from crupto_nautilus.cli.options import config_option
from crupto_nautilus.cli.output import Result, Table

if TYPE_CHECKING:
    from adapters.bingx.config import Endpoints
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
        )
    },
    context_settings=CONTEXT_SETTINGS,
)
def vst() -> None:
    """BingX demo account: ask it what only a real key can tell.

    Orders there are matched by BingX, with money that is none (VST).
    """


@command("check")
@click.option("--symbol", default="BTC-USDT", show_default=True, help="Contract that stands for all.")
@click.option(
    "--round-trip/--read-only",
    default=None,
    help="Open and close a minimal position; unset: asked on a terminal.",
)
@click.option("--provoke-limit", is_flag=True, help="Ask too often once, to see how the rate limit answers.")
@click.option("--stop-wait", default=90.0, show_default=True, help="Seconds to wait for the stop to fire.")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    help="File with key and secret, mode 0600; else BINGX_API_KEY and BINGX_API_SECRET.",
)
@click.option("--rest", help="REST address, such as that of a fake exchange on loopback.")
@click.option("--stream", help="Stream address that belongs to it.")
@config_option
def check(
    symbol: str,
    round_trip: bool | None,
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
    from adapters.bingx.config import LIVE_DATA, VST, Credentials, ExecutionSettings, at
    from adapters.bingx.vst_check import CheckOptions, check_vst

    endpoints = at(VST, rest=rest, stream=stream)
    endpoints.require_virtual()
    credentials = Credentials.from_file(key_file) if key_file else Credentials.from_environment(os.environ)
    options = CheckOptions(
        symbol=symbol,
        market=_market(endpoints, LIVE_DATA),
        round_trip=_confirmed(symbol) if round_trip is None else round_trip,
        provoke_limit=provoke_limit,
        stop_wait_s=stop_wait,
    )
    settings = ExecutionSettings(credentials, endpoints, symbols=(symbol,))
    findings = asyncio.run(check_vst(settings, _table(config_dir), options))
    return _result(findings, round_trip=options.round_trip)


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
