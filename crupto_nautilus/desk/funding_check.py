"""Funding as the desk booked it against what the venue paid, settlement by settlement.

The desk books the rows of the account's income as they come; at the end of a run all of them are read once
more, and each must be in the books, with its amount.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from risk.vocabulary import HOUR_NS, FundingPaid

ROW_TOLERANCE_USD: Final = 1e-6  # the same rows: only the division among strategies is rounded
SHOWN: Final = 20


class Settled(NamedTuple):
    """A settlement in the books or at the venue; `amount_usd` above 0 was received."""

    instrument: str
    ts_ns: int
    amount_usd: float


class Difference(NamedTuple):
    """A settlement on which desk and venue differ; None: not booked there."""

    instrument: str
    ts_ns: int
    desk_usd: float | None
    venue_usd: float | None


def differences(ours: Iterable[Settled], settled: Iterable[Settled]) -> list[Difference]:
    """Return the settlements that differ by more than rounding explains, oldest first."""
    desk, venue = _by_hour(ours), _by_hour(settled)
    return [
        Difference(key[1], key[0], desk.get(key), venue.get(key))
        for key in sorted({*desk, *venue})
        if not _agree(desk.get(key, 0.0), venue.get(key, 0.0))
    ]


def figures(desk: Sequence[Settled], settled: Sequence[Settled]) -> dict[str, Any]:
    """Return the comparison for the run's summary."""
    found = differences(desk, settled)
    desk_usd, venue_usd = (math.fsum(row.amount_usd for row in rows) for rows in (desk, settled))
    return {
        "settlements": len(settled),
        "desk_usd": desk_usd,
        "venue_usd": venue_usd,
        "difference_usd": venue_usd - desk_usd,
        "differing_count": len(found),
        "differing": [row._asdict() for row in found[:SHOWN]],
    }


def in_words(found: dict[str, Any]) -> str:
    """Return the comparison as a note of the run."""
    text = (
        f"funding: {found['settlements']} settlements at the venue, {found['venue_usd']:+.4f} USDT; "
        f"the books hold {found['desk_usd']:+.4f}"
    )
    count = found["differing_count"]
    return f"{text}; {count} settlements differ, see venue_funding in summary.json" if count else text


def booked(rows: Iterable[object], earlier: Iterable[Mapping[str, Any]]) -> list[Settled]:
    """Return the settlements in the books: those of this session, and rows of the run's earlier ones."""
    found = [Settled(row["instrument"], int(row["ts_venue"]), float(row["amount_usd"])) for row in earlier]
    return found + [
        Settled(row.instrument, row.ts_venue, row.amount_usd) for row in rows if isinstance(row, FundingPaid)
    ]


def _by_hour(rows: Iterable[Settled]) -> dict[tuple[int, str], float]:
    found: dict[tuple[int, str], float] = {}
    for row in rows:
        key = _hour(row.ts_ns), row.instrument
        found[key] = found.get(key, 0.0) + row.amount_usd
    return found


def _hour(ts_ns: int) -> int:
    """Return the settlement's hour: the venue stamps it some seconds later."""
    return (ts_ns + HOUR_NS // 2) // HOUR_NS * HOUR_NS


def _agree(desk: float, venue: float) -> bool:
    return abs(desk - venue) <= ROW_TOLERANCE_USD
