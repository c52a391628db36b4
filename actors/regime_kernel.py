"""The compiled part of the market regime: what every 1h bar of every instrument costs.

One row of numbers holds what is remembered of one instrument.  Import this only where bars are about to flow
(see `strategies.compiled`).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from strategies.compiled import compiled
from strategies.indicators.steps import (
    ADX_FLOATS,
    ATR_FLOATS,
    SLOPE_FLOATS,
    WINDOW_FLOATS,
    Floats,
    Ints,
    adx_step,
    atr_step,
    push,
    rank,
    slope_step,
)

AVERAGE_BARS: Final = 14
SLOPE_BARS: Final = 200
SLOPE_SPAN_BARS: Final = 5
RANK_BARS: Final = 720
FALL_BARS: Final = 24

MIN_TREND_ADX: Final = 22.0
MIN_TREND_SLOPE: Final = 0.02
HIGH_VOLATILITY_RANK: Final = 0.5
PANIC_RETURN_SIGMAS: Final = 4.0
PANIC_VOLATILITY_RANK: Final = 0.80
PANIC_MIN_FALL: Final = 0.08
PANIC_FALL_DAILY_SIGMAS: Final = 4.0
DAILY: Final = math.sqrt(24.0)

# What a bar says by itself.
UNKNOWN, PANIC, TREND_UP, TREND_DOWN, RANGE_HIGHVOL, RANGE_LOWVOL = range(6)

# A row begins with the numbers of the last bar that said something.
ATR, ADX, SLOPE, VOLATILITY, VOLATILITY_RANK, LOG_RETURN, FALL = range(7)
SAID: Final = 7
_VOLATILITY_BEFORE: Final = 7  # of the bar before, known or NaN
_ATR_ROW: Final = 8
_ADX_ROW: Final = _ATR_ROW + ATR_FLOATS + AVERAGE_BARS
_SLOPE_ROW: Final = _ADX_ROW + ADX_FLOATS + 3 * AVERAGE_BARS
_CLOSES: Final = _SLOPE_ROW + SLOPE_FLOATS + SLOPE_BARS + SLOPE_SPAN_BARS
_VOLATILITIES: Final = _CLOSES + WINDOW_FLOATS + FALL_BARS
_END: Final = _VOLATILITIES + WINDOW_FLOATS + RANK_BARS


def table(instruments: int) -> Floats:
    """Return the rows of as many instruments, before their first bar."""
    rows = np.zeros((instruments, _END))
    rows[:, _VOLATILITY_BEFORE] = np.nan
    return rows


@compiled
def _highest_before(row: Floats, close: float) -> float:
    """Return the highest close of the 24 bars before (NaN: there are fewer), then take this one in."""
    closes = row[_CLOSES:_VOLATILITIES]
    highest = math.nan
    if closes[0] >= FALL_BARS:
        highest = closes[WINDOW_FLOATS:].max()
    push(closes, close)
    return highest


@compiled
def step(row: Floats, high: float, low: float, close: float, volatility: float, log_return: float) -> int:
    """Take the next bar into a row; return what it says by itself, UNKNOWN until every window is filled.

    `volatility` is that of the bar and the 29 before, NaN until it is known.
    """
    atr = atr_step(row[_ATR_ROW:_ADX_ROW], AVERAGE_BARS, high, low, close)
    adx = adx_step(row[_ADX_ROW:_SLOPE_ROW], AVERAGE_BARS, high, low)
    slope = slope_step(row[_SLOPE_ROW:_CLOSES], SLOPE_BARS, SLOPE_SPAN_BARS, close, atr)
    highest = _highest_before(row, close)
    before = row[_VOLATILITY_BEFORE]
    row[_VOLATILITY_BEFORE] = volatility
    if math.isnan(volatility):
        return UNKNOWN
    volatilities = row[_VOLATILITIES:_END]
    push(volatilities, volatility)
    ranked = rank(volatilities)
    # One sum is NaN if any of its terms is.
    if math.isnan(ranked + before + atr + adx + slope + highest):
        return UNKNOWN
    row[ATR], row[ADX], row[SLOPE], row[VOLATILITY] = atr, adx, slope, volatility
    row[VOLATILITY_RANK], row[LOG_RETURN], row[FALL] = ranked, log_return, close / highest - 1.0
    daily = PANIC_FALL_DAILY_SIGMAS * before * DAILY
    fall = daily if daily > PANIC_MIN_FALL else PANIC_MIN_FALL
    if (log_return <= -PANIC_RETURN_SIGMAS * before and ranked >= PANIC_VOLATILITY_RANK) or (
        close <= (1.0 - fall) * highest
    ):
        return PANIC
    if adx >= MIN_TREND_ADX and slope > MIN_TREND_SLOPE:
        return TREND_UP
    if adx >= MIN_TREND_ADX and slope < -MIN_TREND_SLOPE:
        return TREND_DOWN
    return RANGE_HIGHVOL if ranked >= HIGH_VOLATILITY_RANK else RANGE_LOWVOL


@compiled
def steps(
    rows: Floats, which: Ints, bars: Floats, volatilities: Floats, log_returns: Floats, said: Ints
) -> None:
    """Take bar k into the row `which[k]`, for every k, and write what it says into `said[k]`.

    `bars` holds open, high, low, close and volume, one line each.
    """
    for k in range(len(which)):
        high, low, close = bars[1, k], bars[2, k], bars[3, k]
        said[k] = step(rows[which[k]], high, low, close, volatilities[k], log_returns[k])
