"""Rounding to the venue's grid: quantities down to a step, prices to a tick in a stated direction.

Guarantees: results lie on the grid to the last bit that `round(x, digits)` allows; a value that is on the
grid already (up to float noise of 1e-9 grid units) is not moved by a whole unit.
"""

from __future__ import annotations

import math

_NOISE = 1e-9


def floor_quantity(quantity: float, step: float, digits: int) -> float:
    """Return the largest multiple of `step` that is at most `quantity` (never up)."""
    return round(math.floor(quantity / step + _NOISE) * step, digits)


def price_down(price: float, tick: float, digits: int) -> float:
    """Return the largest price on the grid that is at most `price`."""
    return round(math.floor(price / tick + _NOISE) * tick, digits)


def price_up(price: float, tick: float, digits: int) -> float:
    """Return the smallest price on the grid that is at least `price`."""
    return round(math.ceil(price / tick - _NOISE) * tick, digits)


def price_away(price: float, side: int, tick: float, digits: int) -> float:
    """Round a stop price away from the position's entry: down for a long (+1), up for a short (-1)."""
    return price_down(price, tick, digits) if side > 0 else price_up(price, tick, digits)
