"""A strategy's rule over the history of a catalog: what `crupto signals` and `crupto why` read.

Indicators start at the first bar that the catalog holds, so a later `--start` shows fewer signals, never
other ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from catalog.schema import FundingArrays, PriceArrays
from catalog.timeframes import BarArrays
from crupto_nautilus.cli.options import iso, open_catalog, resolve_symbols
from crupto_nautilus.errors import UsageError
from risk.vocabulary import Signal
from strategies import batch, registry
from strategies.rule import Rule


class History(NamedTuple):
    """What a rule is fed: bars of its timeframe, settled funding and reference prices, where it uses them."""

    instrument: str
    bars: BarArrays
    funding: FundingArrays | None
    references: PriceArrays | None


def history(
    catalog_dir: Path, strategy: str, symbol: str, start_ns: int | None, end_ns: int | None
) -> History:
    """Return all that the catalog holds up to `end_ns` for a strategy on the instrument meant by a symbol.

    Raises
    ------
    UsageError
        The symbol is unknown, or no bar closes in (`start_ns`, `end_ns`].
    """
    spec = registry.get(strategy)
    catalog = open_catalog(catalog_dir)
    instrument = resolve_symbols([symbol], catalog.instruments())[0]
    bars = catalog.bars(instrument, spec.minutes, None, end_ns)
    require_bars(bars, instrument, start_ns, end_ns)
    funding = catalog.funding(instrument, None, end_ns) if spec.rule.uses_funding else None
    references = catalog.references(instrument, None, end_ns) if spec.rule.uses_reference else None
    return History(instrument, bars, funding, references)


def require_bars(bars: BarArrays, instrument: str, start_ns: int | None, end_ns: int | None) -> None:
    """Raise unless a bar closes in (`start_ns`, `end_ns`]."""
    if len(bars.slice(start_ns, end_ns)):
        return
    bounds = [iso(int(ts)) for ts in bars.ts_event[[0, -1]]] if len(bars) else []
    window = [f"--{name} {iso(ts)}" for name, ts in (("start", start_ns), ("end", end_ns)) if ts is not None]
    raise UsageError(
        f"{instrument} has no bars in the window",
        found=" ".join(window) or "no bars",
        expected=f"a window inside {bounds[0]} .. {bounds[1]}"
        if bounds
        else "a window later than the first bar",
        remedy="choose other dates, or import bars for these; `crupto catalog info` lists what is held",
    )


def signals(
    catalog_dir: Path, strategy: str, symbol: str, start_ns: int | None, end_ns: int | None
) -> tuple[str, list[Signal]]:
    """Return the instrument and the raw signals of a strategy in (`start_ns`, `end_ns`]."""
    fed = history(catalog_dir, strategy, symbol, start_ns, end_ns)
    found = batch.raw_signals(registry.get(strategy), fed.instrument, fed.bars, fed.funding, fed.references)
    return fed.instrument, [signal for signal in found if start_ns is None or signal.ts_event > start_ns]


def replay(catalog_dir: Path, strategy: str, symbol: str, end_ns: int) -> Rule:
    """Return a strategy's rule as it stood after its last bar closed by `end_ns`."""
    fed = history(catalog_dir, strategy, symbol, None, end_ns)
    rule = registry.get(strategy).rule()
    for _ in batch.replay(rule, fed.instrument, fed.bars, fed.funding, fed.references):
        pass
    return rule
