"""RiskManagerActor: answers each signal inside the same publish and keeps the desk's own books.

Guarantees: books are marked before the brain looks at them and hear of fills before anyone else; what is
approved stays reserved until its entry is over; a refusal by execution, or no answer at all, releases it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from actors.account_funding import AccountFundingIntake
from actors.agent import DeskAgent
from actors.regimes import RegimeClassifier
from actors.sinks import FundingSource
from actors.toolbox import ToolFailure
from risk.engine import RiskDesk
from risk.vocabulary import (
    Alarm,
    Decision,
    DeskState,
    EntryDone,
    Fill,
    Instant,
    Mandate,
    Protection,
    RefusalReason,
    Refused,
    Signal,
    TradePlan,
)
from strategies import bus
from strategies.guarded import guarded

UNPROTECTED = "unprotected"
"""Kind of the alarm of a position that has had no working stop for a bar."""


class RiskManagerActor(DeskAgent):
    """Thin shell of `RiskDesk`."""

    agent: ClassVar[str] = "risk"

    def setup(
        self,
        risk_desk: RiskDesk,
        classifiers: dict[str, RegimeClassifier],
        desk_state: Callable[[], DeskState],
        flags: Callable[[], frozenset[str]],
        funding: FundingSource | None = None,
    ) -> RiskManagerActor:
        """Hand over the pure desk, the classifiers (for volatility), and readers of desk state and flags.

        `funding` is there where the venue's account settles it: the desk books what that says.
        """
        self._account = None if funding is None else AccountFundingIntake(funding, risk_desk)
        self.risk_desk, self._classifiers = risk_desk, classifiers
        self._desk_state, self._flags = desk_state, flags
        self._mandates: dict[str, Mandate] = {}
        self._alarmed: list[str] = []
        return self

    def on_start(self) -> None:
        """Subscribe to everything that moves the books."""
        self.hear(bus.INSTANT, self.on_instant, bus.BOOKS_PRIORITY)
        for topic, handler in (
            (bus.signal("*"), self.on_desk_signal),
            (bus.fill("*"), self.on_fill),
            (bus.protection("*"), self.on_protection),
            (bus.entry_done("*"), self.on_entry_done),
            (bus.decision("*"), self.on_decision),
            (bus.mandate("*"), self.on_mandate),
            (bus.QUIET, self.on_quiet),
        ):
            self.hear(topic, handler, bus.RISK_PRIORITY + 15)
        if self._account is not None:  # before the monitor: what is booked belongs to the same checkpoint
            self.hear(bus.SETTLED, self.on_settled, bus.RISK_PRIORITY + 15)

    @guarded
    def on_instant(self, instant: Instant) -> None:
        """Mark the books and book funding."""
        self.risk_desk.on_instant(instant)
        if instant.warm_only:
            return
        for funding in instant.funding:
            for paid in self.risk_desk.on_funding(funding):
                self.publish_message(bus.FUNDING_PAID, paid)
        self._tell_unprotected(instant.ts_event)
        self._tell_safe_mode()

    @guarded
    def on_settled(self, ts: int) -> None:
        """Book what the venue's account has settled since."""
        if self._account is not None:
            for found in self._account.take(self.desk_clock.now_ns):
                self.publish_message(bus.ALARM if isinstance(found, Alarm) else bus.FUNDING_PAID, found)

    @guarded
    def on_quiet(self, ts: int) -> None:
        """Do ahead what the next signal would have to wait for."""
        self.risk_desk.rest()

    @guarded
    def on_desk_signal(self, signal: Signal) -> None:
        """Answer a signal with a refusal, or hand its plan to execution."""
        answer = self._plan(signal)
        if isinstance(answer, Refused):
            self.publish_message(bus.decision(signal.strategy), answer)
        else:
            self.publish_message(bus.PLAN, answer)
        self._tell_safe_mode()

    def _plan(self, signal: Signal) -> TradePlan | Refused:
        context = self.context(signal.instrument, signal.trace_id)
        classifier = self._classifiers[signal.instrument]
        try:
            inside_limits = self.use("guard_drawdown", context=context)
            signal = self.use("plan_stops", signal, context=context)
            answer: TradePlan | Refused = self.use(
                "plan_position",
                signal,
                self._mandates.get(signal.instrument),
                self._desk_state(),
                classifier.daily_volatility,
                classifier.warm,
                self._flags(),
                context=context,
            )
        except ToolFailure as failure:
            return Refused(self.desk_clock.now_ns, signal, RefusalReason.TOOL_ERROR, str(failure.args[0]))
        if not inside_limits and isinstance(answer, TradePlan):
            # The pipeline reads the same limits: two locks that disagree mean that one of them is broken.
            detail = "guard_drawdown says no, but the pipeline approved"
            return Refused(self.desk_clock.now_ns, signal, RefusalReason.TOOL_ERROR, detail)
        return answer

    @guarded
    def on_decision(self, decision: Decision) -> None:
        """Release what was reserved for a signal that is not traded after all."""
        if isinstance(decision, Refused):
            self.risk_desk.release(decision.signal.trace_id)
            self._tell_safe_mode()

    @guarded
    def on_fill(self, fill: Fill) -> None:
        """Book a fill; a position that became flat is a trade."""
        trade = self.risk_desk.on_fill(fill)
        if trade is not None:
            self.publish_message(bus.trade(fill.strategy), trade)
        self._tell_safe_mode()

    @guarded
    def on_protection(self, protection: Protection) -> None:
        """Take over the stop that works."""
        self.risk_desk.on_protection(protection)

    @guarded
    def on_entry_done(self, entry: EntryDone) -> None:
        """Release the reservation of an entry that is over."""
        self.risk_desk.on_entry_done(entry)
        self._tell_safe_mode()

    @guarded
    def on_mandate(self, mandate: Mandate) -> None:
        """Take over a mandate."""
        self._mandates[mandate.instrument] = mandate

    def _tell_unprotected(self, ts: int) -> None:
        """Alarm once for each position that has been without a working stop for a bar."""
        found = self.risk_desk.unprotected(ts)
        for trace_id in found:
            if trace_id not in self._alarmed:
                detail = "no stop has worked for one finest bar or longer"
                self.publish_message(bus.ALARM, Alarm(ts, UNPROTECTED, trace_id, detail))
        self._alarmed = found

    def _tell_safe_mode(self) -> None:
        changes = self.risk_desk.safe_mode_changes
        while changes:
            self.publish_message(bus.SAFE_MODE, changes.popleft())

    def saved_state(self) -> dict[str, Any]:
        """Return what must survive a restart; mandates come back from the selection."""
        return {"desk": self.risk_desk.state(), "alarmed": list(self._alarmed)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what `saved_state` returned."""
        self.risk_desk.load(state["desk"])
        self._alarmed = list(state["alarmed"])
