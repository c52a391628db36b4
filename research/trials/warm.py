"""Imported by a fork server before it forks: loads the compiled kernels once, for all workers to come.

A worker that reads them from the compiler's cache by itself needs about two seconds of processor time before
its first candidate.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from catalog.timeframes import BarArrays
from research.dsl import parse_document
from research.market import MarketArrays, make_frame
from research.screen import screen

_BARS = 60
_CLOSE: dict[str, Any] = {"op": "close"}


def _conditions() -> list[dict[str, Any]]:
    """Return one condition for each compiled operator, none of them hard to meet."""
    ratio = [{"op": op, "x": _CLOSE, "n": 5} for op in ("zscore", "rank")]
    price = [{"op": op, "x": _CLOSE, "n": 5} for op in ("sma", "ema", "highest", "lowest", "median")]
    osc: list[dict[str, Any]] = [{"op": "rsi", "x": _CLOSE, "n": 5}, {"op": "adx", "n": 5}]
    number: dict[str, Any] = {"op": "const", "value": 0.5}
    level: dict[str, Any] = {"op": "const", "value": 50.0, "unit": "osc"}
    return [
        *({"op": "ge", "a": one, "b": number} for one in ratio),
        *({"op": "ge", "a": one, "b": _CLOSE} for one in price),
        *({"op": "ge", "a": one, "b": level} for one in osc),
    ]


def warm() -> int:
    """Screen a few candidates over a few made-up bars and return how many."""
    steps = np.arange(_BARS)
    close = np.round(100.0 + np.sin(steps / 3.0) * 5.0, 2)
    open_ = np.concatenate((close[:1], close[:-1]))
    stamps = (1 + steps.astype(np.int64)) * 3_600_000_000_000
    high, low = np.maximum(open_, close) + 0.5, np.minimum(open_, close) - 0.5
    bars = BarArrays(stamps, open_, high, low, close, np.full(_BARS, 9.0))
    documents = [
        parse_document(
            {
                "version": 1, "name": f"warm_{number}", "timeframe": "1h", "direction": "long",
                "entry": {"long": condition}, "stop": {"atr": 2.0}, "time_stop": {"bars": 5},
            }
        )
        for number, condition in enumerate(_conditions())
    ]  # fmt: skip
    return len(screen(documents, MarketArrays([make_frame("BTC-USDT.WARM", 60, bars)])))


warm()
