"""Where prices come from: a seeded wave, a script of bars, or a replayed catalog."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from tests.fakes.bingx.contracts import Contract
from tests.fakes.bingx.minutes import HOUR_MS, MINUTE_MS, Floats, Ints, Minutes


class Source(Protocol):
    """Gives one-minute bars of a symbol, and its settled funding rates."""

    def minutes(self, contract: Contract, start_ms: int, end_ms: int) -> Minutes:
        """Return the bars that open in [start, end); a minute without a bar had no trade."""
        ...

    def funding(self, contract: Contract, time_ms: int) -> float:
        """Return the rate that settles at a time, as a fraction of the notional."""
        ...


def _noise(times: Ints, seed: int) -> Floats:
    """Return a number in [-1, 1) for each time: the same time and seed give the same number."""
    x = (times.astype(np.uint64) // np.uint64(1000)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) / 2**52 - 1


class Waves:
    """A market of waves and noise that can be asked for any minute of any year in any order."""

    def __init__(self, seed: int = 7, swing: float = 1.0) -> None:
        self.seed = seed
        self.swing = swing  # 1: a few per cent a day

    def _seed(self, contract: Contract) -> int:
        return zlib.crc32(contract.symbol.encode()) * 1_000 + self.seed

    def _price(self, contract: Contract, times: Ints) -> Floats:
        rng = np.random.default_rng(self._seed(contract))
        total = np.zeros(len(times))
        for hours, size in ((0.4, 0.002), (1.7, 0.004), (7, 0.008), (31, 0.02), (190, 0.04)):
            period, phase = hours * rng.uniform(0.8, 1.25) * HOUR_MS, rng.uniform(0, 2 * np.pi)
            total += size * np.sin(2 * np.pi * (times / period) + phase)
        total += 0.0006 * _noise(times, self._seed(contract))
        return np.round(contract.price * np.exp(self.swing * total), contract.price_precision)

    def minutes(self, contract: Contract, start_ms: int, end_ms: int) -> Minutes:
        first = max(-(-start_ms // MINUTE_MS) * MINUTE_MS, contract.launch_ms)
        times = np.arange(first, end_ms, MINUTE_MS, dtype=np.int64)
        if not len(times):
            return Minutes.empty()
        price = self._price(contract, np.append(times, times[-1] + MINUTE_MS))
        opens, closes = price[:-1], price[1:]
        wick = self.swing * 0.0005 * contract.price
        up, down = (np.abs(_noise(times, self._seed(contract) + n)) for n in (1, 2))
        high = np.round(np.maximum(opens, closes) + wick * up, contract.price_precision)
        low = np.round(np.minimum(opens, closes) - wick * down, contract.price_precision)
        busy = 1 + np.abs(_noise(times, self._seed(contract) + 3)) * 3 + 400 * np.abs(closes / opens - 1)
        volume = np.round(busy * float(contract.level_quantity), contract.quantity_precision)
        return Minutes(times, opens, high, low, closes, volume)

    def funding(self, contract: Contract, time_ms: int) -> float:
        return round(0.0001 * (1 + float(_noise(np.array([time_ms]), self._seed(contract) + 4)[0])), 8)


class Script:
    """Bars given by hand: {symbol: [(open_ms, open, high, low, close, volume), ...]}; funding by time."""

    def __init__(
        self,
        bars: Mapping[str, Iterable[tuple[int, float, float, float, float, float]]] | None = None,
        funding: Mapping[tuple[str, int], float] | None = None,
    ) -> None:
        self._bars = {symbol: _minutes(rows) for symbol, rows in (bars or {}).items()}
        self._funding = dict(funding or {})

    def minutes(self, contract: Contract, start_ms: int, end_ms: int) -> Minutes:
        bars = self._bars.get(contract.symbol)
        return bars.slice(start_ms, end_ms) if bars is not None else Minutes.empty()

    def funding(self, contract: Contract, time_ms: int) -> float:
        return self._funding.get((contract.symbol, time_ms), 0.0001)


class Replayed:
    """The bars of a catalog; a coarser bar is walked through minute by minute.

    Parameters
    ----------
    path
        A catalog folder of this project.
    names
        Instrument of the catalog for each venue symbol, for instance {"BTC-USDT": "BTCUSDT-PERP.BINANCE"}.
    """

    def __init__(self, path: Path, names: Mapping[str, str]) -> None:
        from catalog.store import Catalog

        self._catalog = Catalog(path)
        self._names = dict(names)
        self._held: dict[str, Minutes] = {}

    def minutes(self, contract: Contract, start_ms: int, end_ms: int) -> Minutes:
        if contract.symbol not in self._held:
            self._held[contract.symbol] = self._load(contract)
        return self._held[contract.symbol].slice(start_ms, end_ms)

    def funding(self, contract: Contract, time_ms: int) -> float:
        rates = self._catalog.funding(self._names[contract.symbol], (time_ms - 1) * 10**6, time_ms * 10**6)
        return float(rates.rate[-1]) if len(rates) else 0.0

    def _load(self, contract: Contract) -> Minutes:
        name = self._names.get(contract.symbol)
        if name is None:
            return Minutes.empty()
        step = self._catalog.base_minutes(name)
        bars = self._catalog.bars(name, step)
        opens = bars.ts_event // 10**6 - step * MINUTE_MS
        rows = Minutes(opens, bars.open, bars.high, bars.low, bars.close, bars.volume)
        return rows if step == 1 else walked(rows, step, contract)


def walked(bars: Minutes, step: int, contract: Contract) -> Minutes:
    """Split bars of `step` minutes into minutes along the path O, L, H, C (or O, H, L, C when it fell).

    The minutes add up to the bars they came from.
    """
    rising = bars.close >= bars.open
    first, second = np.where(rising, bars.low, bars.high), np.where(rising, bars.high, bars.low)
    corners = np.stack([bars.open, first, second, bars.close], axis=1)
    # A corner lies inside a minute, so that minute's high or low must reach it.
    edges = np.linspace(0, 3, step + 1)
    at = [_along(corners, float(edge)) for edge in edges]
    rows: list[Minutes] = []
    for n in range(step):
        inside = [at[n], at[n + 1]]
        inside += [corners[:, k] for k in range(4) if edges[n] <= k <= edges[n + 1]]
        stacked = np.round(np.stack(inside), contract.price_precision)
        rows.append(
            Minutes(
                bars.time_ms + n * MINUTE_MS,
                stacked[0],
                stacked.max(axis=0),
                stacked.min(axis=0),
                stacked[1],
                bars.volume / step,
            )
        )
    joined = rows[0]
    for more in rows[1:]:
        joined = joined.append(more)
    return joined.take(np.argsort(joined.time_ms, kind="stable"))


def _along(corners: Floats, at: float) -> Floats:
    left = min(int(at), 2)
    return corners[:, left] + (corners[:, left + 1] - corners[:, left]) * (at - left)


def _minutes(rows: Iterable[tuple[int, float, float, float, float, float]]) -> Minutes:
    held = sorted(rows)
    if not held:
        return Minutes.empty()
    table = np.array(held, dtype=np.float64)
    return Minutes(np.array([row[0] for row in held], np.int64), *(table[:, n] for n in range(1, 6)))
