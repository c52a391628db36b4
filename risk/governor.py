"""The desk's state machine: ACTIVE, REDUCE_ONLY (daily lock), HALTED (kill switch or operator).

Guarantees: a kill switch or an operator halt ends only by `unlock` with a reason; a daily lock ends only
with the next day, also when an unlock comes in between; entries cool for `cooling_period_minutes` after an
unlock or after a daily lock was set, whichever ends later.  The limits are read from governance and nowhere
else.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from risk.drawdown import daily_loss_reached, kill_switch_reached
from risk.settings import RiskSettings
from risk.vocabulary import MINUTE_NS, DeskMode, DeskState, RefusalReason


class DeskGovernor:
    """Turn the two drawdown figures and the operator's word into desk states.

    Attributes
    ----------
    current : DeskState
        The state in force; `ts_event` says since when.

    """

    def __init__(self, settings: RiskSettings) -> None:
        self._settings = settings
        self._daily_locked = False
        self.current = DeskState(0, DeskMode.ACTIVE)

    def evaluate(
        self, ts: int, daily_pnl_pct: float, drawdown_pct: float, new_day: bool = False
    ) -> DeskState | None:
        """Apply the limits; return the new state, or None if nothing changed.

        `new_day` resets the daily lock before the limits are applied, so a loss that is already beyond the
        limit on the new day's first sample locks the desk again.

        Raises
        ------
        ValueError
            If a figure is not finite: an unknown loss must never read as no loss.

        """
        if not (math.isfinite(daily_pnl_pct) and math.isfinite(drawdown_pct)):
            raise ValueError(
                f"daily PnL was {daily_pnl_pct} % and 72 h drawdown {drawdown_pct} %, expected finite numbers"
            )
        settings = self._settings
        released = new_day and self._daily_locked
        if new_day:
            self._daily_locked = False
        newly_locked = not self._daily_locked and daily_loss_reached(daily_pnl_pct, settings)
        if newly_locked:
            self._daily_locked = True
        if self._killed:
            return None
        if kill_switch_reached(drawdown_pct, settings):
            return self._enter(
                ts,
                DeskMode.HALTED,
                RefusalReason.KILL_SWITCH,
                f"72 h drawdown {drawdown_pct:.4f} % <= -kill_switch_drawdown_72h "
                f"{settings.kill_switch_drawdown_72h:g}",
                flatten=True,
            )
        if self.current.mode is DeskMode.HALTED:
            return None
        if newly_locked:
            detail = (
                f"daily PnL {daily_pnl_pct:.4f} % <= -max_daily_loss_pct {settings.max_daily_loss_pct:g}; "
                "until the next day (00:00 UTC)"
            )
            return self._enter(ts, DeskMode.REDUCE_ONLY, RefusalReason.DAILY_LOCK, detail, cool=True)
        if released and self.current.mode is DeskMode.REDUCE_ONLY:
            return self._enter(ts, DeskMode.ACTIVE, None, "daily lock released: a new day began")
        return None

    def halt(
        self,
        ts: int,
        detail: str,
        flatten: bool = False,
        reason: RefusalReason = RefusalReason.OPERATOR_HALT,
    ) -> DeskState:
        """Halt the desk on an operator's word (or on `reason`); a kill switch keeps its own reason."""
        current = self.current
        if self._killed:
            self.current = replace(current, detail=f"{current.detail}; halted again: {detail}")
            return self.current
        return self._enter(ts, DeskMode.HALTED, reason, detail, flatten=flatten)

    def unlock(self, ts: int, detail: str) -> DeskState:
        """End a halt; entries cool, and a daily lock of this day comes back into force.

        The caller starts the new 72 h window with `DrawdownGuard.restart_window`.

        Raises
        ------
        ValueError
            If the desk is not halted, or no reason is given.

        """
        if self.current.mode is not DeskMode.HALTED:
            raise ValueError(
                f"unlock was asked while the desk is {self.current.mode}, expected HALTED; "
                "a daily lock ends at 00:00 UTC by itself"
            )
        if not detail.strip():
            raise ValueError("unlock was asked without a reason, expected who unlocks and why")
        if self._daily_locked:
            text = f"unlocked: {detail}; the daily lock of this day stays in force"
            return self._enter(ts, DeskMode.REDUCE_ONLY, RefusalReason.DAILY_LOCK, text, cool=True)
        return self._enter(ts, DeskMode.ACTIVE, None, f"unlocked: {detail}", cool=True)

    def state(self) -> dict[str, Any]:
        """Return all of it as JSON-able values."""
        current = self.current
        return {
            "ts_event": current.ts_event,
            "mode": current.mode.value,
            "reason": None if current.reason is None else current.reason.value,
            "detail": current.detail,
            "cooling_until_ns": current.cooling_until_ns,
            "flatten": current.flatten,
            "daily_locked": self._daily_locked,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self.current = DeskState(
            ts_event=int(state["ts_event"]),
            mode=DeskMode(state["mode"]),
            reason=None if state["reason"] is None else RefusalReason(state["reason"]),
            detail=str(state["detail"]),
            cooling_until_ns=int(state["cooling_until_ns"]),
            flatten=bool(state["flatten"]),
        )
        self._daily_locked = bool(state["daily_locked"])

    @property
    def _killed(self) -> bool:
        return self.current.mode is DeskMode.HALTED and self.current.reason is RefusalReason.KILL_SWITCH

    def _enter(
        self,
        ts: int,
        mode: DeskMode,
        reason: RefusalReason | None,
        detail: str,
        cool: bool = False,
        flatten: bool = False,
    ) -> DeskState:
        until = self.current.cooling_until_ns
        if cool:
            until = max(until, ts + self._settings.cooling_period_minutes * MINUTE_NS)
        self.current = DeskState(ts, mode, reason, detail, until, flatten)
        return self.current
