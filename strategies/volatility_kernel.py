"""The compiled part of volatility_expansion_15m: what every bar of every instrument costs.

One row of numbers holds what the rule remembers of one instrument.  Import this only where bars are about to
flow (see `strategies.compiled`).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from strategies.compiled import compiled
from strategies.indicators.steps import ATR_FLOATS, WINDOW_FLOATS, Floats, Ints, atr_step, push, rank

ATR_BARS: Final = 14
RANK_BARS: Final = 480

# A row begins with what the newest bar said.  Both ranks are of the last bar on which they were counted.
OPEN, CLOSE, VOLUME, ATR, WIDTH, WIDTH_BEFORE, WIDTH_RANK, VOLUME_RANK = range(8)
SAID: Final = 8
_ATR_END: Final = SAID + ATR_FLOATS + ATR_BARS
_WIDTHS_END: Final = _ATR_END + WINDOW_FLOATS + RANK_BARS
_VOLUMES_END: Final = _WIDTHS_END + WINDOW_FLOATS + RANK_BARS

WIDTHS: Final = slice(_ATR_END, _WIDTHS_END)
VOLUMES: Final = slice(_WIDTHS_END, _VOLUMES_END)


def table(instruments: int) -> Floats:
    """Return the rows of as many instruments, before their first bar: ATR and width are not known yet."""
    rows = np.zeros((instruments, _VOLUMES_END))
    rows[:, [ATR, WIDTH_RANK, VOLUME_RANK]] = np.nan
    return rows


@compiled
def step(
    row: Floats, open_: float, high: float, low: float, close: float, volume: float, least_rank: float
) -> bool:
    """Take the next bar into a row; return whether it meets every condition of an entry.

    Width is ATR / close.  The ranks are counted only on bars that pass the plain comparisons.
    """
    row[OPEN], row[CLOSE], row[VOLUME] = open_, close, volume
    push(row[_WIDTHS_END:_VOLUMES_END], volume)
    atr = row[ATR] = atr_step(row[SAID:_ATR_END], ATR_BARS, high, low, close)
    if math.isnan(atr):
        return False
    before, width = row[WIDTH], atr / close
    row[WIDTH_BEFORE], row[WIDTH] = before, width
    push(row[_ATR_END:_WIDTHS_END], width)
    if width <= before or close == open_:
        return False
    row[VOLUME_RANK] = rank(row[_WIDTHS_END:_VOLUMES_END])
    if not row[VOLUME_RANK] >= least_rank:
        return False
    row[WIDTH_RANK] = rank(row[_ATR_END:_WIDTHS_END])
    return bool(row[WIDTH_RANK] >= least_rank)


@compiled
def steps(rows: Floats, which: Ints, bars: Floats, least_rank: float, meets: Ints) -> None:
    """Take bar k into the row `which[k]`, for every k, and set `meets[k]` to 1 if `step` says so, else 0.

    `bars` holds open, high, low, close and volume, one line each.
    """
    for k in range(len(which)):
        row = rows[which[k]]
        met = step(row, bars[0, k], bars[1, k], bars[2, k], bars[3, k], bars[4, k], least_rank)
        meets[k] = 1 if met else 0
