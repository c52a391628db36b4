"""BrainActor: owns the desk state: daily lock, kill switch, operator halt, and the halt after too many
errors.

Guarantees: the state changes in the same instant or fill in which a limit is reached; a lock ends before
the first decisions of the next day; a kill switch ends only by an unlock with a reason; every change is
published.
"""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

from actors.agent import DeskAgent
from risk.engine import RiskDesk
from risk.governor import DeskGovernor
from risk.vocabulary import DAY_NS, HOUR_NS, Alarm, DeskMode, DeskState, Fill, Instant, RefusalReason
from strategies import bus
from strategies.guarded import HANDLER_ERROR, guarded

ERRORS_BEFORE_HALT = 5
ERROR_WINDOW_NS = DAY_NS  # a strategy that fails at every 4h bar is halted too


class BrainActor(DeskAgent):
    """Watches equity and alarms and says what the desk as a whole may do."""

    agent: ClassVar[str] = "brain"

    def setup(
        self, governor: DeskGovernor, risk_desk: RiskDesk, unlock_after_ns: int | None = None
    ) -> BrainActor:
        """Hand over the state machine and the books it reads.

        `unlock_after_ns` makes a simulated operator unlock a kill switch in backtests; None in paper runs.
        """
        self.governor, self._desk, self._unlock_after_ns = governor, risk_desk, unlock_after_ns
        self._errors: deque[int] = deque()
        return self

    def on_start(self) -> None:
        """Subscribe to instants, fills and alarms."""
        self.hear(bus.INSTANT, self.on_instant, bus.BRAIN_PRIORITY)
        self.hear(bus.fill("*"), self.on_fill, bus.BRAIN_PRIORITY - 10)
        self.hear(bus.ALARM, self.on_alarm, bus.BRAIN_PRIORITY)

    @property
    def desk_state(self) -> DeskState:
        """The state in force."""
        return self.governor.current

    @guarded
    def on_instant(self, instant: Instant) -> None:
        """Judge the equity of the instant, before anyone decides on it."""
        if instant.warm_only:
            return
        self._judge(instant.ts_event)
        state = self.governor.current
        if (
            self._unlock_after_ns is not None
            and state.mode is DeskMode.HALTED
            and state.reason is RefusalReason.KILL_SWITCH
            and instant.ts_event - state.ts_event >= self._unlock_after_ns
        ):
            hours = self._unlock_after_ns // HOUR_NS
            self.unlock(f"simulated operator: unlocked after {hours} h")

    @guarded
    def on_fill(self, fill: Fill) -> None:
        """Judge the equity after a fill (the books have booked it: they hear of fills first)."""
        self._judge(fill.ts_event)

    def _judge(self, ts: int) -> None:
        guard = self._desk.guard
        change = self.governor.evaluate(ts, guard.daily_pnl_pct, guard.drawdown_72h_pct, guard.take_new_day())
        if change is not None:
            self.publish_message(bus.STATE, change)

    @guarded
    def on_alarm(self, alarm: Alarm) -> None:
        """Halt when handlers raise too often: a desk that fails in parts must not go on trading."""
        if alarm.kind != HANDLER_ERROR:
            return
        errors = self._errors
        errors.append(alarm.ts_event)
        while errors and errors[0] <= alarm.ts_event - ERROR_WINDOW_NS:
            errors.popleft()
        if len(errors) >= ERRORS_BEFORE_HALT and self.governor.current.mode is not DeskMode.HALTED:
            self.halt(f"{len(errors)} handler errors within a day, last: {alarm.subject}", flatten=False)

    def halt(self, detail: str, *, flatten: bool) -> None:
        """Halt the desk; positions are closed only if asked."""
        self.publish_message(bus.STATE, self.governor.halt(self.desk_clock.now_ns, detail, flatten))

    def unlock(self, detail: str) -> None:
        """Clear a halt; a new 72 h window begins at the current equity."""
        ts = self.desk_clock.now_ns
        self._desk.restart_window(ts)
        self.publish_message(bus.STATE, self.governor.unlock(ts, detail))

    def end_halt(self, detail: str) -> None:
        """End an operator's halt; the 72 h window goes on."""
        self.publish_message(bus.STATE, self.governor.unlock(self.desk_clock.now_ns, detail))

    def saved_state(self) -> dict[str, Any]:
        """Return what must survive a restart."""
        return {"governor": self.governor.state(), "errors": list(self._errors)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what `saved_state` returned."""
        self.governor.load(state["governor"])
        self._errors = deque(int(ts) for ts in state["errors"])
