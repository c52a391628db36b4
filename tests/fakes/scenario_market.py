"""The market of a scenario: bars of each coin written one by one, and a history of a stated shape before.

Bars are counted from 1: bar `k` closes at `at(k)`.  Before the first bar lie 760 hours of history, so that
regime, volatility and correlation are known from the start.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from catalog.store import Catalog
from catalog.timeframes import BarArrays
from risk.vocabulary import HOUR_NS, MINUTE_NS
from tests.fakes.markets import START_NS, Ohlcv, bar_arrays, from_closes, write_catalog

BASE = 15  # minutes of a bar unless told otherwise
VOLUME = 5_000.0  # coins a bar: 48 million USDT a day at a price of 100
HISTORY_HOURS = 760
LEAD_HOURS = 24  # of the history that exist as fine bars: the market view wants a day of them
DIGITS = {"BTC": 1}  # price decimals of a coin, 2 if not named


def at(k: int, minutes: int = BASE) -> int:
    """Return the close of the k-th bar, ns UTC."""
    return START_NS + k * minutes * MINUTE_NS


def instrument(coin: str) -> str:
    """Return the instrument id of a coin."""
    return f"{coin}-USDT.TEST"


class Tape:
    """Bars of one coin, written one after the other; each method returns the tape."""

    def __init__(self, price: float = 100.0, volume: float = VOLUME) -> None:
        self.first, self.price, self._volume = price, price, volume
        self.rows: list[Ohlcv | None] = []

    def hold(self, bars: int) -> Tape:
        """Let the price stand still."""
        return self.to(*[self.price] * bars)

    def to(self, *closes: float) -> Tape:
        """Add a bar to each close; it opens at the close before and has no wicks."""
        for close in closes:
            self.bar(self.price, max(self.price, close), min(self.price, close), close)
        return self

    def bar(self, opened: float, high: float, low: float, close: float) -> Tape:
        """Add one bar."""
        self.rows.append((opened, high, low, close, self._volume))
        self.price = close
        return self

    def gap(self, price: float) -> Tape:
        """Jump: a bar that trades at `price` only."""
        return self.bar(price, price, price, price)

    def silent(self, bars: int) -> Tape:
        """Leave bars out."""
        self.rows += [None] * bars
        return self

    def volume(self, coins: float) -> Tape:
        """Trade `coins` a bar from here on."""
        self._volume = coins
        return self

    def bars(self, minutes: int) -> BarArrays:
        """Return the bars there are."""
        kept = [k for k, row in enumerate(self.rows) if row is not None]
        full = bar_arrays([row or (1.0,) * 5 for row in self.rows], minutes)
        return full.take(np.array(kept, np.int64))


@dataclass(frozen=True)
class Past:
    """Shape of the hours before the start; the same seed gives the same returns (correlation 1).

    `quiet` ends in range_lowvol, `wild` in range_highvol, `up` and `down` in a trend.  `rho` mixes in the
    returns of seed `of`: their correlation is about `rho`.
    """

    shape: str = "quiet"
    seed: int | None = None  # None: one of the coin's own
    of: int = 0
    rho: float = 0.0
    hours: int = HISTORY_HOURS
    size: float = 0.001  # of an hourly return, at the end


@cache
def _closes(past: Past, seed: int) -> tuple[float, ...]:
    """Return the hourly closes of a past, the last one 1: noise around a level or a trend line."""
    n = past.hours
    signs = _signs(seed, n)
    if past.rho:
        signs = past.rho * _signs(past.of, n) + np.sqrt(1.0 - past.rho**2) * signs
    first, last = {"wild": (1.0, 4.0)}.get(past.shape, (2.0, 1.0))
    path = past.size * np.geomspace(first, last, n) * signs
    drift = {"up": 0.0015, "down": -0.0015}.get(past.shape, 0.0)
    path[-120:] += drift * np.arange(1, 121)[-n:]
    return tuple(np.exp(path - path[-1]).tolist())


def _signs(seed: int, n: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).choice([-1.0, 1.0], n)


def write_market(
    folder: Path,
    tapes: Mapping[str, Tape],
    past: Mapping[str, Past],
    minutes: int,
    funding: Mapping[str, Mapping[int, float]],
) -> Catalog:
    """Write the catalog of a scenario: 1h bars first, then fine bars from a day before the start."""
    for coin, tape in sorted(tapes.items()):
        shape = past.get(coin, past.get("*", Past()))
        seed = shape.seed if shape.seed is not None else 1_000 + crc32(coin.encode()) % 1_000
        digits = DIGITS.get(coin, 2)
        closes = [round(tape.first * c, digits) for c in _closes(shape, seed)]
        cut = max(0, len(closes) - LEAD_HOURS)
        begin = START_NS - len(closes) * HOUR_NS
        if cut:
            hourly = from_closes(closes[:cut], volume=VOLUME * 60 / minutes)
            write_catalog(folder, {instrument(coin): hourly}, 60, start_ns=begin)
        lead = _fine(closes[max(0, cut - 1) :], 60 // minutes, digits)
        rows = from_closes(lead, volume=VOLUME)[1:]
        fine = bar_arrays(rows, minutes, START_NS - len(rows) * minutes * MINUTE_NS)
        bars = tape.bars(minutes)
        columns = (
            np.concatenate([getattr(a, f.name) for a in (fine, bars)]) for f in dataclasses.fields(bars)
        )
        write_catalog(folder, {instrument(coin): BarArrays(*columns)}, minutes)
    settled = {
        instrument(coin): [(at(k, minutes), rate) for k, rate in sorted(rates.items())]
        for coin, rates in funding.items()
    }
    return write_catalog(folder, {}, minutes, funding=settled)


def _fine(closes: Sequence[float], parts: int, digits: int) -> list[float]:
    """Return closes of finer bars on straight lines through hourly ones, the first close included."""
    hours = np.arange(len(closes))
    steps = np.arange((len(closes) - 1) * parts + 1) / parts
    return [float(price) for price in np.round(np.interp(steps, hours, closes), digits)]
