"""Fine and built bars of one moment put together in the order in which the desk reads them."""

from __future__ import annotations

from collections.abc import Mapping

from catalog.panel import by_time_and_name
from risk.vocabulary import Bar, Instant


def silent_instruments(fine: Instant) -> frozenset[str]:
    """Return the instruments whose bar of this moment is not there."""
    here = {bar.instrument for bars in fine.bars.values() for bar in bars if bar.ts_event == fine.ts_event}
    return frozenset(name for name in fine.late if name not in here)


def merged(
    fine: Mapping[int, tuple[Bar, ...]], built: Mapping[int, tuple[Bar, ...]]
) -> dict[int, tuple[Bar, ...]]:
    """Return all bars by timeframe, slowest first, ordered by time and instrument id."""
    found = {**built, **fine}
    for minutes in found:
        if minutes in built and minutes in fine:
            found[minutes] = tuple(sorted([*built[minutes], *fine[minutes]], key=by_time_and_name))
    return {minutes: found[minutes] for minutes in sorted(found, reverse=True)}
