"""`crupto regimes`: the market regime of every 1h bar, with the numbers that decide it."""

from __future__ import annotations

from pathlib import Path

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import (
    catalog_option,
    check_window,
    config_option,
    iso,
    open_catalog,
    resolve_symbols,
    window_options,
)
from crupto_nautilus.cli.output import Result, Table


@command("regimes")
@catalog_option
@click.option("--symbol", required=True, help="Instrument id or coin: BTCUSDT-PERP.BINANCE, BTC.")
@click.option("--raw", is_flag=True, help="Each bar's own label, without hysteresis.")
@config_option
@window_options
def regimes(
    *,
    catalog_dir: Path,
    symbol: str,
    raw: bool,
    config_dir: Path | None,
    start_ns: int | None,
    end_ns: int | None,
) -> Result:
    """Print the market regime of every hour, with its features.

    Indicators start at the first bar of the catalog; --start and --end choose what is shown.
    """
    from actors.regimes import MINUTES, raw_regimes
    from crupto_nautilus.cli.rules import require_bars
    from crupto_nautilus.config import load_config

    check_window(start_ns, end_ns)
    rules = load_config(config_dir).enable_map
    catalog = open_catalog(catalog_dir)
    instrument = resolve_symbols([symbol], catalog.instruments())[0]
    bars = catalog.bars(instrument, MINUTES, None, end_ns)
    require_bars(bars, instrument, start_ns, end_ns)
    found = raw_regimes(instrument, bars, rules.min_bars_hold, rules.panic_min_bars)
    rows: list[dict[str, object]] = []
    for regime in found:
        if start_ns is not None and regime.ts_event <= start_ns:
            continue
        label = regime.raw if raw else regime.label
        rows.append(
            {
                "ts_event": regime.ts_event,
                "label": label.value,
                "code": label.code,
                "features": dict(regime.features),
            }
        )
    names = tuple(name for name, _ in found[-1].features)
    table = Table(
        f"{instrument}: {len(rows)} bars{' without hysteresis' if raw else ''}",
        ("time", "label", "code", *names),
        tuple(_cells(row, names) for row in rows),
        right=frozenset({"code", *names}),
    )
    return Result({"instrument": instrument, "raw": raw, "regimes": rows}, (table,))


def _cells(row: dict[str, object], names: tuple[str, ...]) -> tuple[str, ...]:
    features = row["features"]
    assert isinstance(features, dict)
    ts_event = row["ts_event"]
    assert isinstance(ts_event, int)
    values = (f"{features[name]:.6g}" if name in features else "" for name in names)
    return (iso(ts_event), str(row["label"]), str(row["code"]), *values)
