"""`crupto research lookahead`: does a strategy know what it cannot know?"""

from __future__ import annotations

from pathlib import Path

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import (
    catalog_option,
    check_window,
    open_catalog,
    resolve_symbols,
    window_options,
)
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.errors import ExitCode, UsageError


@command("lookahead")
@click.argument("subject")
@catalog_option
@click.option("--symbol", required=True, help="Instrument id or coin: BTCUSDT-PERP.BINANCE, BTC.")
@window_options
@click.option("--timeframe", help="For a class without `minutes`: 5m, 15m, 1h, 4h.")
@click.option("--bars", type=click.IntRange(200), default=6000, show_default=True, help="At most so many.")
@click.option("--warmup", type=click.IntRange(1), help="Bars a class needs before it decides.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def lookahead(
    *,
    subject: str,
    catalog_dir: Path,
    symbol: str,
    start_ns: int | None,
    end_ns: int | None,
    timeframe: str | None,
    bars: int,
    warmup: int | None,
    seed: int,
) -> Result:
    """Check a strategy for look-ahead and for sensitivity to its start-up length.

    SUBJECT is a built-in strategy (breakout_4h), a document (candidate.yaml), or a class of your own, as
    package.module:Class or file.py:Class: a `Rule`, or a class with compute(table) -> table, pandas in and
    out.  A class is imported, so name only code you trust.  Exit code 1: it leaks, or nothing could be told.
    """
    from catalog.timeframes import parse_timeframe
    from research.dsl import Document
    from research.lookahead import check_document, check_subject, load_subject
    from research.market import make_frame

    check_window(start_ns, end_ns)
    loaded, minutes = load_subject(subject, warmup)
    if timeframe is not None:
        minutes = minutes or parse_timeframe(timeframe)
    if not minutes:
        raise UsageError(
            f"{subject} does not say its timeframe", expected="--timeframe 1h, or an attribute `minutes`"
        )
    catalog = open_catalog(catalog_dir)
    instrument = resolve_symbols((symbol,), catalog.instruments())[0]
    found = catalog.bars(instrument, minutes, start_ns, end_ns)
    chosen = found.take(slice(max(0, len(found) - bars), None))
    if len(chosen) == 0:
        raise UsageError(f"{instrument} has no {minutes}-minute bars in the window", expected="other dates")
    frame = make_frame(
        instrument, minutes, chosen, catalog.funding(instrument, None, end_ns),
        catalog.references(instrument, None, end_ns),
    )  # fmt: skip
    if isinstance(loaded, Document):
        report = check_document(loaded, frame, seed=seed)
    else:
        report = check_subject(loaded, frame, seed=seed)
    data = {
        "ok": report.ok,
        "subject": report.subject,
        "instrument": instrument,
        "bars": report.bars,
        "random_cuts": report.cuts,
        "trade_cuts": report.trade_cuts,
        "values_compared": report.values,
        "leaks": [
            {"check": leak.check, "what": leak.what, "cut": leak.cut, "bar": leak.row,
             "found": repr(leak.found), "expected": repr(leak.expected)}
            for leak in report.leaks
        ],
        "inconclusive": report.inconclusive,
    }  # fmt: skip
    verdict = "no look-ahead" if report.ok else "LOOK-AHEAD" if report.leaks else "INCONCLUSIVE"
    head = (
        f"{report.subject} on {instrument}, {report.bars} bars: {verdict} "
        f"({report.values:,} values compared at {report.cuts} random cuts and {report.trade_cuts} at trades)"
    )
    rows = tuple(
        (leak.check, leak.what, str(leak.cut), str(leak.row), repr(leak.found)[:40], repr(leak.expected)[:40])
        for leak in report.leaks
    )
    shown: list[Table | str] = [head, *(f"inconclusive: {reason}" for reason in report.inconclusive)]
    if rows:
        shown.append(Table("", ("check", "value", "cut", "bar", "found", "expected"), rows))
    return Result(data, tuple(shown), exit_code=ExitCode.DONE if report.ok else ExitCode.CHECK_FAILED)
