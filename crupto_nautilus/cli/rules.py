"""A strategy's rule over the history of a catalog: what `crupto signals` and `crupto why` read.

Indicators start at the first bar that the catalog holds, so a later `--start` shows fewer signals, never
other ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crupto_nautilus.cli.options import iso, open_catalog, resolve_symbols
from crupto_nautilus.errors import UsageError
from risk.vocabulary import Signal
from strategies import batch, registry
from strategies.rule import Rule


def history(catalog_dir: Path, strategy: str, symbol: str, end_ns: int | None) -> tuple[str, Any, Any, Any]:
    """Return the instrument meant by a symbol, the bars of a strategy up to `end_ns`, funding, references.

    Raises
    ------
    UsageError
        The symbol is unknown, or the catalog has no bars that the strategy can use.
    """
    spec = registry.get(strategy)
    catalog = open_catalog(catalog_dir)
    instrument = resolve_symbols([symbol], catalog.instruments())[0]
    bars = catalog.bars(instrument, spec.minutes, None, end_ns)
    if not len(bars):
        raise UsageError(
            f"{instrument} has no {spec.minutes}-minute bars{f' before {iso(end_ns)}' if end_ns else ''}",
            found="no bars of this timeframe or a finer one",
            expected=f"bars of at most {spec.minutes} minutes, which {strategy} needs",
            remedy=f"crupto catalog info --catalog {catalog_dir}",
        )
    funding = catalog.funding(instrument, None, end_ns) if spec.rule.uses_funding else None
    references = catalog.references(instrument, None, end_ns) if spec.rule.uses_reference else None
    return instrument, bars, funding, references


def signals(catalog_dir: Path, strategy: str, symbol: str, end_ns: int | None) -> tuple[str, list[Signal]]:
    """Return the instrument and every raw signal of a strategy up to `end_ns`."""
    instrument, bars, funding, references = history(catalog_dir, strategy, symbol, end_ns)
    return instrument, batch.raw_signals(registry.get(strategy), instrument, bars, funding, references)


def replay(catalog_dir: Path, strategy: str, symbol: str, end_ns: int) -> Rule:
    """Return a strategy's rule as it stood after its last bar closed by `end_ns`."""
    instrument, bars, funding, references = history(catalog_dir, strategy, symbol, end_ns)
    rule = registry.get(strategy).rule()
    for _ in batch.replay(rule, instrument, bars, funding, references):
        pass
    return rule
