"""`crupto signals`: what a strategy's rule says on history, before regimes, risk and money."""

from __future__ import annotations

from pathlib import Path

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import catalog_option, check_window, iso, window_options
from crupto_nautilus.cli.output import Result, Table


@command("signals")
@click.argument("strategy")
@catalog_option
@click.option("--symbol", required=True, help="Instrument id or coin: BTCUSDT-PERP.BINANCE, BTC.")
@window_options
def signals(
    *, strategy: str, catalog_dir: Path, symbol: str, start_ns: int | None, end_ns: int | None
) -> Result:
    """Print the raw output of one strategy's rule.

    Each signal comes with the indicator values behind it.  Indicators start at the first bar of the catalog;
    --start and --end choose what is shown.
    """
    from crupto_nautilus.cli.rules import signals as of_rule
    from risk.vocabulary import side_name

    check_window(start_ns, end_ns)
    instrument, shown = of_rule(catalog_dir, strategy, symbol, start_ns, end_ns)
    rows = [
        {
            "ts_event": signal.ts_event,
            "side": side_name(signal.side),
            "reference_price": signal.reference_price,
            "stop_distance": signal.exits.stop_distance,
            "confidence": signal.confidence,
            "indicators": dict(signal.indicators),
        }
        for signal in shown
    ]
    names = tuple(name for name, _ in shown[0].indicators) if shown else ()
    table = Table(
        f"{strategy} on {instrument}: {len(shown)} signals",
        ("time", "side", "price", "stop distance", "confidence", *names),
        tuple(
            (
                iso(signal.ts_event),
                side_name(signal.side),
                f"{signal.reference_price:g}",
                f"{signal.exits.stop_distance:.6g}",
                f"{signal.confidence:.3f}",
                *(f"{dict(signal.indicators)[name]:.6g}" for name in names),
            )
            for signal in shown
        ),
        right=frozenset({"price", "stop distance", "confidence", *names}),
    )
    return Result({"strategy": strategy, "instrument": instrument, "signals": rows}, (table,))
