"""Exits worked out by hand from raw bars: what trading rules 2 say, written without the desk's own machines.

Inside a bar price goes open, then the nearer of high and low, the other one, close.  A stop fills at its
price, or at the open behind a gap; a limit fills at its price when price goes beyond it.  What a strategy
decides at a bar's close (time stop, trail, condition) fills at that close.  The desk moves a stop to
break-even when the bar that filled the first target has ended.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MINUTE = 60_000_000_000
FRAMES = {
    "breakout_4h": 240,
    "volatility_expansion_15m": 15,
    "range_reversion_5m": 5,
    "funding_reversion": 60,
}
TIME_STOPS = {"breakout_4h": 30, "volatility_expansion_15m": 16, "range_reversion_5m": 24}

Exit = tuple[int, str, float, float]  # ts, how, price, quantity


class RawMarket:
    """Raw bars of one instrument, its higher bars by pandas, ATR(14) by its definition."""

    def __init__(self, path: Path, minutes: int) -> None:
        rows = pd.read_parquet(path)
        self.ts = rows["ts_utc"].to_numpy() + minutes * MINUTE
        self.bars = list(zip(*(rows[k].tolist() for k in ("open", "high", "low", "close")), strict=True))
        self._rows = rows.set_index(pd.to_datetime(rows["ts_utc"]))
        self._frames: dict[int, dict[int, tuple[float, float]]] = {}

    def frame(self, minutes: int) -> dict[int, tuple[float, float]]:
        """Return (close, ATR) by bar close."""
        if minutes not in self._frames:
            rule = self._rows.resample(f"{minutes}min", label="right", closed="left")
            high, low, close = (
                rule["high"].max().dropna(),
                rule["low"].min().dropna(),
                rule["close"].last().dropna(),
            )
            before = close.shift().fillna(close.iloc[0])
            ranges = np.maximum(high - low, np.maximum((high - before).abs(), (low - before).abs())).tolist()
            ranges[0] = high.iloc[0] - low.iloc[0]
            atr = [math.nan] * 13 + [sum(ranges[:14]) / 14]
            for true_range in ranges[14:]:
                atr.append((atr[-1] * 13 + true_range) / 14)
            stamps = close.index.as_unit("ns").asi8.tolist()
            self._frames[minutes] = dict(zip(stamps, zip(close.tolist(), atr, strict=True), strict=True))
        return self._frames[minutes]


class FundingView:
    """Basis deviation and settled rates of one instrument, straight from the raw files."""

    def __init__(self, market: Path, name: str) -> None:
        settled = pd.read_parquet(market / "funding" / f"{name}.funding_8h.parquet")
        self.stamps = ((settled["ts_utc"] + MINUTE // 2) // MINUTE * MINUTE).to_numpy()
        self.rates = settled[next(c for c in settled.columns if c != "ts_utc")]
        self.medians = self.rates.abs().rolling(270).median().shift().tolist()
        coin = name.partition("-")[0]
        if not (market / "basis_1h" / f"{coin}.BINANCE.perp_minus_spot.1h.parquet").exists():
            return
        basis = pd.read_parquet(market / "basis_1h" / f"{coin}.BINANCE.perp_minus_spot.1h.parquet")
        perp = pd.read_parquet(market / "perp_1h" / f"{name}.1h.parquet").set_index("ts_utc")["close"]
        gap = 10_000 * (perp.reindex(basis["ts_utc"]).to_numpy() / basis["spot_close"] - 1)
        deviation = gap - gap.rolling(720).median().shift()
        self.deviation = dict(zip((basis["ts_utc"] + 60 * MINUTE).tolist(), deviation.tolist(), strict=True))

    def last(self, ts: int) -> int:
        """Return the position of the last settlement at or before `ts`."""
        return int(np.searchsorted(self.stamps, ts, side="right")) - 1

    def expected(self, side: int, ts: int, hours: int) -> float:
        """Return the funding to be paid in some hours at the last rate, a fraction of price."""
        k = self.last(ts)
        if k < 0:
            return 0.0
        interval = self.stamps[k] - self.stamps[k - 1]
        settlements = (ts + hours * 60 * MINUTE) // interval - ts // interval
        return max(0.0, side * float(self.rates[k]) * int(settlements))

    def leaves(self, side: int, ts: int) -> str:
        """Return why a position of funding_reversion is closed at `ts`, or nothing."""
        deviation = self.deviation.get(ts, math.nan)
        if side * deviation >= -1.0:
            return "basis_reverted"
        k = self.last(ts)
        fresh = ts - self.stamps[k] <= 9 * 60 * MINUTE
        return "funding_normal" if fresh and abs(self.rates[k]) <= self.medians[k] else ""


@dataclass
class Walk:
    """One position on its way from the entry fill to flat."""

    side: int
    quantity: float
    entry: float
    ts: int
    resting: bool
    strategy: str
    distance: float
    facts: Any
    break_even: float  # fees and slippage both ways, a fraction of price
    target: float | None  # the middle band of range_reversion
    settlements: list[int]
    bars: RawMarket
    funding: FundingView | None
    done: list[Exit] = field(default_factory=list)

    def grid(self, price: float, towards_profit: bool) -> float:
        """Round to a tick, for a long up where it is towards profit, down where it is away."""
        ticks = price / self.facts.tick
        up = (self.side > 0) == towards_profit
        return float(
            round(
                (math.ceil(ticks - 1e-9) if up else math.floor(ticks + 1e-9)) * self.facts.tick,
                self.facts.price_digits,
            )
        )

    def plan_targets(self) -> list[list[Any]]:
        """Return [role, quantity, price] of each target."""
        if self.target is not None:
            return [["target_1", self.quantity, self.grid(self.target, True)]]
        if self.strategy != "breakout_4h":
            return []
        facts = self.facts
        half = round(math.floor(self.quantity / 2 / facts.step + 1e-9) * facts.step, facts.size_digits)
        rest = round(self.quantity - half, facts.size_digits)
        first, second = (self.entry + self.side * r * self.distance for r in (1, 2))
        sizes = ((half, first), (rest, second))
        if all(q >= facts.min_quantity and q * p >= facts.min_notional_usd for q, p in sizes):
            return [["target_1", half, self.grid(first, True)], ["target_2", rest, self.grid(second, True)]]
        return [["target_2", self.quantity, self.grid(second, True)]]

    def run(self) -> list[Exit]:
        """Return the exit fills in order."""
        side, frame = self.side, FRAMES[self.strategy] * MINUTE
        self.stop, self.left, self.best = (
            self.grid(self.entry - side * self.distance, False),
            self.quantity,
            self.entry,
        )
        planned = self.plan_targets()
        self.halved = len(planned) < 2  # whether the stop may still go to break-even on a target
        self.single = self.strategy == "breakout_4h" and len(planned) == 1
        self.zero = -(-self.ts // frame) * frame
        targets = [] if self.resting else list(planned)
        k = int(np.searchsorted(self.bars.ts, self.ts, side="left" if self.resting else "right"))
        while True:
            ts, bar = int(self.bars.ts[k]), self.bars.bars[k]
            entry_bar = self.resting and ts == self.ts
            if self._inside(ts, bar, targets, entry_bar):
                return self.done
            if entry_bar:
                targets = list(planned)
            begin = int(self.bars.ts[k - 1]) // frame * frame
            for closed in range(begin + frame, ts + 1, frame):
                if (
                    closed in self.bars.frame(frame // MINUTE)
                    and closed > self.zero
                    and self._at_close(ts, closed, bar[3])
                ):
                    return self.done
            k += 1

    def _leave(self, ts: int, how: str, price: float, quantity: float) -> bool:
        self.done.append((ts, how, price, quantity))
        self.left = round(self.left - quantity, self.facts.size_digits)
        return self.left <= 1e-12

    def _inside(self, ts: int, bar: tuple[float, ...], targets: list[list[Any]], entry_bar: bool) -> bool:
        side, (opened, high, low, close) = self.side, bar
        path = (
            (opened, high, low, close)
            if abs(high - opened) < abs(low - opened)
            else (opened, low, high, close)
        )
        filled = not entry_bar
        overrun = False
        for step, price in enumerate(path):
            if not filled:
                filled = (price - self.entry) * side < 0
                # One step over entry and stop: the stop is touched, and nothing was there to fill yet.
                overrun = filled and (price - self.stop) * side <= 0
                continue
            if (price - self.stop) * side <= 0:
                if overrun and price == path[step - 1]:
                    continue  # price stands still beyond the stop: nothing trades that could touch it
                # Behind a gap there is only this price.
                return self._leave(ts, "stop", price if step == 0 else self.stop, self.left)
            for target in [t for t in targets if (price - t[2]) * side > 0]:
                targets.remove(target)
                if self._leave(ts, target[0], target[2], target[1]):
                    return True
        if overrun:
            return self._leave(ts, "stop_passed", close, self.left)
        if not self.halved and self.done:
            self.halved = True
            return self._to_break_even(ts, close, "stop_passed")
        return False

    def _to_break_even(self, ts: int, close: float, how: str) -> bool:
        price = self.grid(self.entry * (1 + self.side * self.break_even), True)
        if (price - self.stop) * self.side > 0:
            self.stop = price
        return (close - self.stop) * self.side <= 0 and self._leave(ts, how, close, self.left)

    def _at_close(self, ts: int, closed: int, close: float) -> bool:
        side, minutes = self.side, FRAMES[self.strategy]
        bar_close, atr = self.bars.frame(minutes)[closed]
        if closed - self.zero >= TIME_STOPS.get(self.strategy, 10**9) * minutes * MINUTE:
            return self._leave(ts, "time_stop", close, self.left)
        if self.funding is not None:
            settled = sum(1 for moment in self.settlements if moment <= ts)
            why = "time_stop" if settled >= 3 else self.funding.leaves(side, closed)
            return bool(why) and self._leave(ts, why, close, self.left)
        self.best = max(self.best, bar_close) if side > 0 else min(self.best, bar_close)
        if self.strategy == "volatility_expansion_15m":
            trail = self.grid(self.best - side * 1.5 * atr, False)
            if (trail - self.stop) * side > 0:
                self.stop = trail
                return (bar_close - trail) * side <= 0 and self._leave(ts, "trail", close, self.left)
        if self.single and (bar_close - (self.entry + side * self.distance)) * side > 0:
            self.single = False
            return self._to_break_even(ts, bar_close, "trail")
        return False


def band_of(signal: Any) -> float | None:
    """Return the middle band that a signal of range_reversion named."""
    named = dict(json.loads(signal.indicators))
    return named.get("bollinger_middle")
