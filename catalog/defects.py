"""What can be wrong with raw rows, and the named repairs an operator may choose for each.

A defect of severity `error` makes the rows unusable until a repair is recorded; a `warning` is usable market
data that somebody should look at (a gap, an outlier).  Zero volume and zero range are valid.  A repair never
changes a raw file: readers apply it, and the manifest records it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.schema import (
    EVENTS,
    POSITIVE,
    TIME,
    VALUES,
    Columns,
    Kind,
    close_offset_ns,
    snap_settlements,
    take,
)
from catalog.timeframes import Ints
from risk.vocabulary import MINUTE_NS

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]

ERROR, WARNING, INFO = "error", "warning", "info"

# What each defect is called, how bad it is and which repairs answer it.
RULES: dict[str, tuple[str, tuple[str, ...]]] = {
    "nan": (ERROR, ("drop_broken",)),
    "not_positive": (ERROR, ("drop_broken",)),
    "high_below_low": (ERROR, ("drop_broken",)),
    "crossed": (ERROR, ("drop_broken",)),
    "misaligned": (ERROR, ("drop_misaligned",)),
    "unsorted": (ERROR, ("sort",)),
    "duplicate": (ERROR, ("drop_duplicates", "keep_first", "keep_last")),
    "conflicting_duplicate": (ERROR, ("keep_first", "keep_last")),
    "source_disagreement": (ERROR, ("prefer_finest",)),
    "lost_file": (ERROR, ("forget_lost_files",)),
    "changed_file": (ERROR, ("forget_lost_files",)),
    "gap": (WARNING, ()),
    "funding_hole": (WARNING, ()),
    "bad_tick": (ERROR, ("drop_outliers", "accept_outliers")),
    "outlier": (WARNING, ("drop_outliers",)),
    "source_difference": (WARNING, ()),
    "leftover": (INFO, ("remove_leftovers",)),
    "unfinished_recording": (WARNING, ("import_recordings",)),
}

# An outlier is a jump of more than OUTLIER_FLOOR and OUTLIER_SPREADS typical moves that mostly comes back in
# the next bar; a wick counts from three times that.
OUTLIER_FLOOR = 0.05
OUTLIER_SPREADS = 25.0
BAD_TICK = 0.5  # log: beyond 65 % up or 40 % down within one bar and back in the next
OUTLIER_RATE = 0.03  # a settled funding rate beyond 3 % in one interval


@dataclass(frozen=True, slots=True)
class Defect:
    """Rows of one source that share a defect; `rows` are positions in the columns examined."""

    code: str
    rows: Rows

    @property
    def severity(self) -> str:
        """error, warning or info."""
        return RULES[self.code][0]


def row_defects(kind: Kind, minutes: int, columns: Columns) -> list[Defect]:
    """Return the defects of single rows; the rows are in time order, equal stamps allowed.

    Gaps and prices far from their neighbours (`strange_rows`) are apart: they need rows that are sound.
    """
    found = [
        Defect("nan", np.flatnonzero(_not_finite(kind, columns))),
        Defect("not_positive", np.flatnonzero(_not_positive(kind, columns))),
        Defect("high_below_low", np.flatnonzero(_impossible_range(kind, columns))),
        Defect("crossed", np.flatnonzero(_crossed(kind, columns))),
        Defect("misaligned", np.flatnonzero(_misaligned(kind, minutes, columns))),
        *_duplicates(kind, columns),
    ]
    return [defect for defect in found if len(defect.rows)]


def strange_rows(kind: Kind, columns: Columns) -> list[Defect]:
    """Return bad ticks and outliers of sound rows."""
    bad = bad_ticks(kind, columns)
    odd = np.setdiff1d(outliers(kind, columns), bad)
    return [defect for defect in (Defect("bad_tick", bad), Defect("outlier", odd)) if len(defect.rows)]


def out_of_order(stamps: Ints) -> Rows:
    """Return the rows that come after a later one."""
    if len(stamps) < 2:
        return np.empty(0, np.intp)
    newest = np.maximum.accumulate(stamps)
    return np.flatnonzero(stamps[1:] < newest[:-1]) + 1


def outliers(kind: Kind, columns: Columns) -> Rows:
    """Return rows whose price leaves its neighbourhood and comes back, or whose rate is beyond all custom.

    A move that stays is a market that moved.  The typical move is the median absolute log return.
    """
    if kind is Kind.FUNDING:
        return np.flatnonzero(np.abs(columns["funding_rate"]) > OUTLIER_RATE)
    if kind in EVENTS:
        return np.empty(0, np.intp)
    moves = np.abs(np.diff(np.log(columns[_close(kind)])))
    typical = float(np.median(moves)) if len(moves) else 0.0
    return _spikes(kind, columns, max(OUTLIER_FLOOR, OUTLIER_SPREADS * typical))


def bad_ticks(kind: Kind, columns: Columns) -> Rows:
    """Return rows that leave by so much and come back that a mistyped price is likelier than a trade."""
    if kind is Kind.FUNDING or kind in EVENTS:
        return np.empty(0, np.intp)
    return _spikes(kind, columns, BAD_TICK)


def _spikes(kind: Kind, columns: Columns, limit: float) -> Rows:
    """Return rows whose close jumps by over `limit` (log) and gives half of it back, or with a wick of 3x."""
    log = np.log(columns[_close(kind)])
    suspect = np.zeros(len(log), bool)
    if len(log) > 2:
        there, back = np.diff(log)[:-1], np.diff(log)[1:]
        suspect[1:-1] = (np.abs(there) > limit) & (there * back < 0) & (np.abs(back) > 0.5 * np.abs(there))
    if kind is not Kind.BASIS:
        open_ = np.log(columns["open"])
        suspect |= np.log(columns["high"]) - np.maximum(log, open_) > 3 * limit
        suspect |= np.minimum(log, open_) - np.log(columns["low"]) > 3 * limit
    return np.flatnonzero(suspect)


def _close(kind: Kind) -> str:
    return "perp_close" if kind is Kind.BASIS else "close"


def gaps(kind: Kind, minutes: int, stamps: Ints) -> list[tuple[int, int, int]]:
    """Return (first missing stamp, last missing stamp, count) of each hole in strictly increasing stamps."""
    if kind in EVENTS:
        return []
    step = minutes * MINUTE_NS
    clean = snap_settlements(stamps) if kind is Kind.FUNDING else stamps
    missing = (np.diff(clean) + step // 2) // step - 1
    return [
        (int(clean[k]) + step, int(clean[k]) + int(missing[k]) * step, int(missing[k]))
        for k in np.flatnonzero(missing > 0)
    ]


def _not_finite(kind: Kind, columns: Columns) -> Mask:
    bad = np.zeros(len(columns[TIME]), bool)
    for name in VALUES[kind]:
        bad |= ~np.isfinite(columns[name])
    return bad


def _not_positive(kind: Kind, columns: Columns) -> Mask:
    bad = np.zeros(len(columns[TIME]), bool)
    for name in POSITIVE[kind]:
        bad |= columns[name] <= 0
    if "volume" in columns:
        bad |= columns["volume"] < 0
    return bad


def _impossible_range(kind: Kind, columns: Columns) -> Mask:
    if "high" not in VALUES[kind]:
        return np.zeros(len(columns[TIME]), bool)
    open_, high, low, close = (columns[n] for n in ("open", "high", "low", "close"))
    return (high < low) | (high < np.maximum(open_, close)) | (low > np.minimum(open_, close))


def _crossed(kind: Kind, columns: Columns) -> Mask:
    if kind is not Kind.QUOTES:
        return np.zeros(len(columns[TIME]), bool)
    bad: Mask = columns["bid"] > columns["ask"]
    return bad


def _misaligned(kind: Kind, minutes: int, columns: Columns) -> Mask:
    stamps: Ints = columns[TIME]
    if kind in EVENTS:
        return np.zeros(len(stamps), bool)
    step = minutes * MINUTE_NS
    if kind is Kind.FUNDING:
        stamps, step = snap_settlements(stamps), 60 * MINUTE_NS
    bad: Mask = stamps % step != 0
    return bad


def _duplicates(kind: Kind, columns: Columns) -> list[Defect]:
    stamps = columns[TIME]
    again = np.flatnonzero(stamps[1:] == stamps[:-1]) + 1
    same = np.ones(len(again), bool)
    for name in VALUES[kind]:
        values = columns[name]
        same &= (values[again] == values[again - 1]) | (np.isnan(values[again]) & np.isnan(values[again - 1]))
    return [Defect("duplicate", again[same]), Defect("conflicting_duplicate", again[~same])]


def _drop_broken(kind: Kind, minutes: int, columns: Columns) -> Columns:
    del minutes
    bad = _not_finite(kind, columns) | _not_positive(kind, columns) | _impossible_range(kind, columns)
    return take(columns, ~(bad | _crossed(kind, columns)))


def _drop_misaligned(kind: Kind, minutes: int, columns: Columns) -> Columns:
    return take(columns, ~_misaligned(kind, minutes, columns))


def _drop_duplicates(kind: Kind, minutes: int, columns: Columns) -> Columns:
    del minutes
    keep = np.ones(len(columns[TIME]), bool)
    keep[_duplicates(kind, columns)[0].rows] = False
    return take(columns, keep)


def _keep_first(kind: Kind, minutes: int, columns: Columns) -> Columns:
    del kind, minutes
    stamps = columns[TIME]
    return take(columns, np.concatenate(([True], stamps[1:] != stamps[:-1])) if len(stamps) else slice(None))


def _keep_last(kind: Kind, minutes: int, columns: Columns) -> Columns:
    del kind, minutes
    stamps = columns[TIME]
    return take(columns, np.concatenate((stamps[1:] != stamps[:-1], [True])) if len(stamps) else slice(None))


def _drop_outliers(kind: Kind, minutes: int, columns: Columns) -> Columns:
    del minutes
    sound = np.flatnonzero(~(_not_finite(kind, columns) | _not_positive(kind, columns)))
    keep = np.ones(len(columns[TIME]), bool)
    for defect in strange_rows(kind, take(columns, sound)):
        keep[sound[defect.rows]] = False
    return take(columns, keep)


_Mend = Callable[[Kind, int, Columns], Columns]

# In the order in which they are applied, to rows already in time order.
_ROW_REPAIRS: dict[str, _Mend] = {
    "drop_broken": _drop_broken,
    "drop_misaligned": _drop_misaligned,
    "drop_duplicates": _drop_duplicates,
    "keep_first": _keep_first,
    "keep_last": _keep_last,
    "drop_outliers": _drop_outliers,
}

REPAIRS: dict[str, str] = {
    "sort": "put rows into time order",
    "drop_broken": "leave out rows with NaN, prices at or below zero, an impossible range or a bid above the "
    "ask (a gap remains)",
    "drop_misaligned": "leave out rows whose stamp is not on the grid of their timeframe",
    "drop_duplicates": "of identical rows keep one",
    "keep_first": "of rows with one stamp keep the one that was imported first",
    "keep_last": "of rows with one stamp keep the one that was imported last",
    "drop_outliers": "leave out rows that leave their neighbourhood and come back",
    "accept_outliers": "trust rows that leave their neighbourhood and come back",
    "prefer_finest": "where two timeframes disagree trust the finest",
    "forget_lost_files": "take files that are missing or were changed off the list",
    "import_recordings": "take over what a killed run recorded of its feed",
    "remove_leftovers": "delete files that a killed import left and no list names",
}


def mended(kind: Kind, minutes: int, columns: Columns, repairs: tuple[str, ...]) -> Columns:
    """Return rows in time order with the row repairs applied that are named."""
    for name, mend in _ROW_REPAIRS.items():
        if name in repairs:
            columns = mend(kind, minutes, columns)
    return columns


def known_stamps(kind: Kind, minutes: int, raw: Ints) -> Ints:
    """Return when rows became known: bar closes, settlement times on their boundary."""
    return snap_settlements(raw) if kind is Kind.FUNDING else raw + close_offset_ns(kind, minutes)
