"""Several timeframes of one instrument: whether they agree, and one series out of them.

Only buckets that the finer source fills completely are compared: a hole in it is a gap, not a disagreement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from catalog.timeframes import BarArrays, Floats, Ints, resample
from risk.vocabulary import MINUTE_NS

PRICE_TOLERANCE = 1e-6  # relative; the same trades give the same prices
VOLUME_TOLERANCE = 0.02  # venues revise volumes a little


@dataclass(frozen=True, slots=True)
class Comparison:
    """Bars compared, the close times at which prices differ, and the relative difference of closes."""

    compared: int
    differing: Ints
    volume_differing: Ints
    close_difference: Floats  # fraction, one a compared bar
    stamps: Ints


def compare_sources(fine: BarArrays, fine_minutes: int, coarse: BarArrays, coarse_minutes: int) -> Comparison:
    """Compare a finer source, brought to the coarser timeframe, with the coarser source."""
    built = resample(fine, fine_minutes, coarse_minutes)
    step = coarse_minutes * MINUTE_NS
    bucket = (fine.ts_event - fine_minutes * MINUTE_NS) // step
    _, counts = np.unique(bucket, return_counts=True)
    built = built.take(np.flatnonzero(counts == coarse_minutes // fine_minutes))
    _, left, right = np.intersect1d(built.ts_event, coarse.ts_event, assume_unique=True, return_indices=True)
    a, b = built.take(left), coarse.take(right)
    differs = np.zeros(len(a), bool)
    for name in ("open", "high", "low", "close"):
        differs |= np.abs(getattr(a, name) / getattr(b, name) - 1) > PRICE_TOLERANCE
    volume = np.abs(a.volume - b.volume) > VOLUME_TOLERANCE * np.maximum(a.volume, b.volume)
    return Comparison(
        len(a), a.ts_event[differs], a.ts_event[volume], np.abs(a.close / b.close - 1), a.ts_event
    )


def whole(built: BarArrays, own: BarArrays, source_minutes: int, minutes: int) -> Ints:
    """Return positions of built bars that do not reach beyond the ends of their source."""
    if not len(own):
        return np.empty(0, np.int64)
    opens = built.ts_event - minutes * MINUTE_NS
    covered = (opens >= own.ts_event[0] - source_minutes * MINUTE_NS) & (built.ts_event <= own.ts_event[-1])
    return np.flatnonzero(covered)


def overlay(fine: BarArrays, whole: Ints, coarse: BarArrays) -> BarArrays:
    """Put finer bars over coarser ones.

    A bar cut off by an end of the finer source (not `whole`) gives way to a coarser one that saw it all.
    """
    if not len(coarse):
        return fine
    whole_or_alone = np.isin(np.arange(len(fine)), whole) | ~np.isin(fine.ts_event, coarse.ts_event)
    fine = fine.take(whole_or_alone)
    rest = coarse.take(~np.isin(coarse.ts_event, fine.ts_event))
    joined = BarArrays(*(np.concatenate([getattr(fine, n), getattr(rest, n)]) for n in BarArrays.__slots__))
    return joined.take(np.argsort(joined.ts_event, kind="stable"))
