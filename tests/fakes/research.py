"""Small markets and documents for tests of the research room."""

from __future__ import annotations

from typing import Any

import numpy as np

from catalog.schema import FundingArrays, PriceArrays
from catalog.timeframes import BarArrays
from research.dsl import Document, parse_document
from research.generators import GenerationContext, RandomGrammar
from research.market import Frame, make_frame
from risk.vocabulary import MINUTE_NS, InstrumentRules
from tests.fakes.histories import START_NS, History, synthetic_bars, synthetic_funding_history

NAME = "BTC-USDT.TEST"
RULES = InstrumentRules(NAME, 2, 4, 0.01, 0.0001, 0.0001, 2.0, 0.0002, 0.0005)


def frame_of(history: History, minutes: int = 60, name: str = NAME) -> Frame:
    """Return the columns of a history."""
    return make_frame(
        name,
        minutes,
        history.bars,
        FundingArrays(history.funding.ts_event, history.funding.rate),
        PriceArrays(history.references.ts_event, history.references.price),
    )


def traded_history(n_bars: int, seed: int, minutes: int = 60) -> History:
    """Return a random history whose prices lie on a grid of 0.01 and whose every bar is traded."""
    made = synthetic_funding_history(n_bars, seed)
    bars = made.bars if minutes == 60 else synthetic_bars(n_bars, minutes, seed)
    prices = [np.round(column, 2) for column in (bars.open, bars.high, bars.low, bars.close)]
    return History(
        BarArrays(bars.ts_event, *prices, np.maximum(bars.volume, 10.0)), made.funding, made.references
    )


def with_gaps(history: History, seed: int) -> History:
    """Drop some bars and some runs of bars."""
    rng = np.random.default_rng(seed)
    keep = rng.random(len(history)) > 0.01
    for first in rng.integers(0, len(history), 4):
        keep[first : first + int(rng.integers(2, 12))] = False
    return History(history.bars.take(keep), history.funding, history.references)


def hand_made(rows: list[tuple[float, float, float, float]], minutes: int = 60, volume: float = 1e6) -> Frame:
    """Return bars of (open, high, low, close), one after the other from 2023-01-01."""
    columns = np.array(rows, float)
    stamps = START_NS + np.arange(1, len(rows) + 1, dtype=np.int64) * minutes * MINUTE_NS
    volumes = np.full(len(rows), volume)
    return make_frame(NAME, minutes, BarArrays(stamps, *(columns[:, k].copy() for k in range(4)), volumes))


def random_documents(count: int, seed: int, timeframes: tuple[str, ...] = ("1h",)) -> list[Document]:
    """Return documents of the random grammar with every source."""
    context = GenerationContext(timeframes=timeframes, has_funding=True, has_basis=True)
    return RandomGrammar().propose(count, seed, context)


def document(**changes: Any) -> Document:
    """Return a plain document with some parts replaced."""
    raw: dict[str, Any] = {
        "version": 1,
        "name": "plain",
        "timeframe": "1h",
        "direction": "long",
        "entry": {
            "long": {
                "op": "gt",
                "a": {"op": "close"},
                "b": {"op": "highest", "x": {"op": "lag", "x": {"op": "high"}, "n": 1}, "n": 5},
            }
        },
        "stop": {"atr": 2.0},
        "time_stop": {"bars": 10},
    }
    return parse_document(raw | changes)
