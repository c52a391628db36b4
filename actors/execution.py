"""ExecutionActor: the last look at the market before an entry: spread, liquidity, slippage, slices, price.

Guarantees: a plan becomes a ticket or a refusal inside the same publish; a tool that raises refuses the
signal with TOOL_ERROR.
"""

from __future__ import annotations

from typing import ClassVar

from actors.agent import DeskAgent
from actors.toolbox import ToolFailure
from risk.vocabulary import Approved, Decision, RefusalReason, Refused, TradePlan
from strategies import bus
from strategies.guarded import guarded


class ExecutionActor(DeskAgent):
    """Turns an approved plan into the ticket that the strategy may send."""

    agent: ClassVar[str] = "execution"

    def on_start(self) -> None:
        """Subscribe to plans."""
        self.hear(bus.PLAN, self.on_plan, bus.EXECUTION_PRIORITY)

    @guarded
    def on_plan(self, plan: TradePlan) -> None:
        """Answer a plan."""
        self.publish_message(bus.decision(plan.signal.strategy), self._answer(plan))

    def _answer(self, plan: TradePlan) -> Decision:
        signal, ts = plan.signal, self.desk_clock.now_ns
        context = self.context(signal.instrument, signal.trace_id)
        try:
            slippage_bps = self.use("estimate_slippage", plan, context=context)
            refusal = self.use("check_liquidity", plan, context=context)
            answer = refusal or self.use("place_order", plan, context=context)
        except ToolFailure as failure:
            return Refused(ts, signal, RefusalReason.TOOL_ERROR, str(failure.args[0]))
        if isinstance(answer, Refused):
            return answer
        estimate = f"slippage of the whole at market {slippage_bps:.2f} bps"
        return Approved(ts, answer, "; ".join((*plan.clamps, estimate)))
