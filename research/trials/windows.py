"""How a history is cut: research window, embargo, holdout; and returns as days.

Guarantees: windows are whole UTC days, do not overlap, and lie in this order: research, embargo, holdout; the
embargo is never shorter than the gate file says; a day is the sum of the bars that close in it, where a bar
that closes at midnight belongs to the day it ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from research.errors import ResearchError
from research.market import MarketArrays
from research.standards.spec import GateSpec
from research.statistics.sharpe import Floats, sharpe_ratio
from strategies.compiled import as_one_type, compiled

DAY_NS = 86_400_000_000_000

_SHORTEST_DAYS = 90


@dataclass(frozen=True, slots=True)
class Span:
    """Whole days from `first` (days since 1970) on, `days` of them."""

    first: int
    days: int

    @property
    def start_ns(self) -> int:
        """Return the moment after which bars of the span close."""
        return self.first * DAY_NS

    @property
    def end_ns(self) -> int:
        """Return the moment at which its last bar closes."""
        return (self.first + self.days) * DAY_NS

    def part(self, first: int, days: int) -> Span:
        """Return days of this span, counted from its first."""
        return Span(self.first + first, days)


@dataclass(frozen=True, slots=True)
class Windows:
    """Research and holdout, with the embargo between them."""

    research: Span
    embargo_days: int
    holdout: Span


def cut(market: MarketArrays, spec: GateSpec) -> Windows:
    """Return the windows of a market.

    Raises
    ------
    ResearchError
        The history that all its frames share is too short to learn anything from.
    """
    frames = [frame for minutes in market.timeframes for frame in market.frames(minutes)]
    start = min(int(frame.ts_event[0]) - frame.minutes * 60_000_000_000 for frame in frames)
    end = min(int(frame.ts_event[-1]) for frame in frames)
    first = -(-start // DAY_NS)
    return cut_days(first, end // DAY_NS - first, spec)


def cut_days(first: int, days: int, spec: GateSpec) -> Windows:
    """Return the windows of a history of whole days."""
    holdout = math.floor(days * spec.windows.holdout_share)
    research = days - holdout
    embargo = max(spec.windows.embargo_days_min, math.ceil(spec.windows.embargo_share * research))
    research -= embargo
    if research < _SHORTEST_DAYS:
        raise ResearchError(
            "the history is too short for research",
            found=f"{days} whole days, {max(research, 0)} of them for research",
            expected=f"at least {_SHORTEST_DAYS} days of research beside embargo and holdout",
            remedy="import a longer history: crupto catalog download",
        )
    return Windows(Span(first, research), embargo, Span(first + research + embargo, holdout))


def daily(ts_event: npt.NDArray[np.int64], values: Floats, span: Span) -> Floats:
    """Return the sums of `values` over the days of a span; `ts_event` rises."""
    return _by_day(as_one_type(ts_event), as_one_type(values), span.start_ns, span.days)


@compiled
def _by_day(ts: npt.NDArray[np.int64], values: Floats, start: int, days: int) -> Floats:
    out = np.zeros(days)
    day, end = 0, start + DAY_NS
    for k in range(len(ts)):
        while ts[k] > end:
            day += 1
            end += DAY_NS
        if day >= days:
            break
        if ts[k] > start:
            out[day] += values[k]
    return out


def annual_sharpe(returns: Floats, spec: GateSpec) -> float:
    """Return the Sharpe ratio of daily returns, a year."""
    return sharpe_ratio(returns) * math.sqrt(spec.windows.observations_per_year)
