"""Daily PnL and trailing 72 h drawdown of equity, in desk time only.

Guarantees: the peak is the exact maximum of all samples in (t - 72 h, t]; a day turns with the first sample
at or after 00:00 UTC and starts from the last sample before it; nothing here reads a clock.  Refuses
samples that are not finite.  Cost per sample is O(1) amortised (monotonic deque).
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from risk.settings import RiskSettings
from risk.vocabulary import DAY_NS, HOUR_NS

WINDOW_NS = 72 * HOUR_NS


class DrawdownGuard:
    """Remember what the two drawdown limits are measured against.

    Attributes
    ----------
    equity : float
        The last sample (0 before the first one).
    day_start_equity : float
        What today's PnL is measured from.
    day_start_estimated : bool
        True when no sample existed before the day began, so that its start is the first equity seen.
    daily_pnl_pct : float
        PnL since the day began, percent of the equity it began with (-100 if that was not positive).
    drawdown_72h_pct : float
        Distance from the 72 h peak, percent, never positive (-100 if the peak was not positive).

    """

    __slots__ = (
        "_day",
        "_new_day",
        "_window",
        "daily_pnl_pct",
        "day_start_equity",
        "day_start_estimated",
        "drawdown_72h_pct",
        "equity",
    )

    def __init__(self) -> None:
        self._day = -1
        self._new_day = False
        self._window: deque[tuple[int, float]] = deque()  # equities fall from left to right
        self.equity = 0.0
        self.day_start_equity = 0.0
        self.day_start_estimated = False
        self.daily_pnl_pct = 0.0
        self.drawdown_72h_pct = 0.0

    def sample(self, ts: int, equity: float) -> bool:
        """Take the equity at `ts`; return True if a new day began with it.

        Raises
        ------
        ValueError
            If `equity` is not finite.

        """
        if not math.isfinite(equity):
            raise ValueError(f"equity sample was {equity}, expected a finite amount")
        day = ts // DAY_NS
        began = day != self._day
        if began:
            self.day_start_estimated = self._day < 0
            self.day_start_equity = equity if self._day < 0 else self.equity
            self._day = day
            self._new_day = True
        self.equity = equity
        window = self._window
        while window and window[-1][1] <= equity:
            window.pop()
        window.append((ts, equity))
        oldest = ts - WINDOW_NS
        while window[0][0] <= oldest:
            window.popleft()
        self._measure()
        return began

    def _measure(self) -> None:
        """Work out both figures: they are read a dozen times between two samples."""
        start, peak = self.day_start_equity, self._window[0][1]
        self.daily_pnl_pct = 100.0 * (self.equity / start - 1.0) if start > 0.0 else -100.0
        self.drawdown_72h_pct = 100.0 * (self.equity / peak - 1.0) if peak > 0.0 else -100.0

    @property
    def peak_72h(self) -> float:
        """Largest sample of the last 72 h (0 before the first one)."""
        return self._window[0][1] if self._window else 0.0

    @property
    def day(self) -> int:
        """Number of the current day since 1970 (-1 before the first sample)."""
        return self._day

    def take_new_day(self) -> bool:
        """Return True once for each day that began since the last call."""
        new_day, self._new_day = self._new_day, False
        return new_day

    def restart_window(self, ts: int, equity: float) -> None:
        """Begin a new 72 h window at `equity` (after an unlock); the day is not touched."""
        self._window.clear()
        self.sample(ts, equity)

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        return {
            "day": self._day,
            "new_day": self._new_day,
            "equity": self.equity,
            "day_start_equity": self.day_start_equity,
            "day_start_estimated": self.day_start_estimated,
            "window": [list(sample) for sample in self._window],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self._day = int(state["day"])
        self._new_day = bool(state["new_day"])
        self.equity = float(state["equity"])
        self.day_start_equity = float(state["day_start_equity"])
        self.day_start_estimated = bool(state["day_start_estimated"])
        self._window = deque((int(ts), float(equity)) for ts, equity in state["window"])
        self.daily_pnl_pct = self.drawdown_72h_pct = 0.0
        if self._window:
            self._measure()


def daily_loss_reached(daily_pnl_pct: float, settings: RiskSettings) -> bool:
    """Return True if the daily loss is at or beyond its limit, or not a number."""
    return not daily_pnl_pct > -settings.max_daily_loss_pct


def kill_switch_reached(drawdown_72h_pct: float, settings: RiskSettings) -> bool:
    """Return True if the 72 h drawdown is at or beyond its limit, or not a number."""
    return not drawdown_72h_pct > -settings.kill_switch_drawdown_72h


def guard_drawdown(daily_pnl_pct: float, drawdown_72h_pct: float, settings: RiskSettings) -> bool:
    """Return True if both drawdown limits allow trading (limits are inclusive: at the limit it is False)."""
    return not (
        daily_loss_reached(daily_pnl_pct, settings) or kill_switch_reached(drawdown_72h_pct, settings)
    )
