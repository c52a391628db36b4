"""What a live feed reports besides instants: gaps to fill by request, and what could not be used.

Guarantee: these are plain values, so that a client, the recorder, the metrics and a test read the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from risk.vocabulary import MINUTE_NS, Bar

REMEMBERED_NS: Final = 6 * 60 * MINUTE_NS  # longer than the widest timeframe built
CLOCK_TOLERANCE_NS: Final = 2_000_000_000  # between the venue's clock and ours


class Gap(NamedTuple):
    """Bars of one instrument that did not come: closes `first_ns` to `last_ns`, both missing."""

    instrument: str
    minutes: int
    first_ns: int
    last_ns: int

    @property
    def bars(self) -> int:
        """How many bars are missing."""
        return (self.last_ns - self.first_ns) // (self.minutes * MINUTE_NS) + 1


class FeedFault(StrEnum):
    """Why something that arrived was not used."""

    CONFLICT = "conflict"  # other values for a bar or settlement that was taken already
    MALFORMED = "malformed"  # not a number, not positive, high below low, off the grid
    FORMING = "forming"  # its close lies in the future
    UNKNOWN = "unknown"  # an instrument or timeframe that nobody asked for


@dataclass(frozen=True, slots=True)
class FeedError:
    """Something that arrived and was refused; `arrived_ns` is wall time."""

    fault: FeedFault
    instrument: str
    ts_event: int
    arrived_ns: int
    detail: str


@dataclass(slots=True)
class FeedCounts:
    """What has arrived since the start; every arrival is counted once in `bars` or in one reason below it."""

    instants: int = 0
    bars: int = 0  # used on time
    late: int = 0  # used, but after their instant or after the grace period
    backfilled: int = 0  # came after a newer bar of their instrument
    duplicate: int = 0
    expired: int = 0  # before the start, or too old to complete any timeframe
    refused: int = 0  # see `FeedError`
    missing: int = 0  # were not there when their instant closed, whatever became of them later
    funding: int = 0
    quotes: int = 0
    quotes_late: int = 0  # older than the newest instant: of no use


def bar_problem(bar: Bar) -> str:
    """Return what is wrong with a bar's values, empty if nothing is."""
    prices = bar[3:7]
    if not all(map(math.isfinite, bar[3:])):
        return f"prices {prices}, volume {bar.volume}: not all are finite numbers"
    if min(prices) <= 0.0 or bar.volume < 0.0:
        return f"prices {prices}, volume {bar.volume}: expected prices above and volume not below zero"
    if bar.high < max(bar.open, bar.close) or bar.low > min(bar.open, bar.close):
        return f"open {bar.open}, high {bar.high}, low {bar.low}, close {bar.close}: outside of its range"
    if bar.ts_event % (bar.minutes * MINUTE_NS):
        return f"close time {bar.ts_event} is not a multiple of {bar.minutes} minutes"
    return ""


def coalesce(instrument: str, minutes: int, stamps: list[int]) -> list[Gap]:
    """Return the gaps that missing closes (in time order) form."""
    step = minutes * MINUTE_NS
    gaps: list[Gap] = []
    for ts in stamps:
        if gaps and ts - gaps[-1].last_ns == step:
            gaps[-1] = gaps[-1]._replace(last_ns=ts)
        else:
            gaps.append(Gap(instrument, minutes, ts, ts))
    return gaps
