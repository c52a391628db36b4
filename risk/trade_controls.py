"""Controls of the trade: positions that exist, the stop, the size and every limit it must fit under.

Guarantees: a limit refuses only with its own numbers; with `shrink_to_fit` it refuses only where it takes
the size below what the venue takes, without it wherever it would have to shrink.
"""

from __future__ import annotations

from risk.context import DecisionContext
from risk.control import Control
from risk.costs import cost_refusal
from risk.proposal import cap_text, exhausted
from risk.rounding import floor_quantity
from risk.stops import stop_problem
from risk.vocabulary import InstrumentRules, RefusalReason, side_name

_NOISE = 1e-9


class AlreadyOpen(Control):
    """The strategy has a position or a pending entry on the instrument."""

    reason = RefusalReason.ALREADY_OPEN

    def finding(self, context: DecisionContext) -> str | None:
        """Look through the holders of the instrument."""
        signal = context.signal
        for strategy, side in context.books.holders(signal.instrument):
            if strategy == signal.strategy:
                return f"{strategy} is {side_name(side)} {signal.instrument} already, or about to be"
        return None


class OpposingPosition(Control):
    """Another strategy holds, or is about to hold, the other side."""

    reason = RefusalReason.OPPOSING_POSITION

    def finding(self, context: DecisionContext) -> str | None:
        """Look through the holders of the instrument."""
        signal = context.signal
        for strategy, side in context.books.holders(signal.instrument):
            if side != signal.side:
                return f"{strategy} is {side_name(side)} {signal.instrument}, or about to be"
        return None


class InstrumentTaken(Control):
    """The account nets an instrument, and something of another position is on it.

    The venue has one position then, whoever opened it: an exit of one strategy would close the other's.
    """

    reason = RefusalReason.INSTRUMENT_TAKEN

    def finding(self, context: DecisionContext) -> str | None:
        """Look through the holders, then for an order of an earlier position that has not ended."""
        if not context.netted:
            return None
        name = context.signal.instrument
        for strategy, side in context.books.holders(name):
            return f"{strategy} is {side_name(side)} {name}, or about to be, and the account nets positions"
        for flag in sorted(context.flags):
            what, _, detail = flag.partition(":")
            if what == f"working@{name}":
                return f"{detail} has not ended, and the account nets positions"
        return None


class InvalidStop(Control):
    """The stop cannot protect."""

    reason = RefusalReason.INVALID_STOP

    def finding(self, context: DecisionContext) -> str | None:
        """Check the stop's side, place and distance."""
        return stop_problem(context.signal, context.rules_checked, context.settings)


class NoRiskLeft(Control):
    """Half the floor cannot be risked any more."""

    reason = RefusalReason.NO_RISK_LEFT

    def finding(self, context: DecisionContext) -> str | None:
        """Compare with half the floor what the limits of risk leave, then what the final size risks."""
        settings = context.settings
        half = context.half_floor_pct
        if context.equity <= 0.0:
            return f"equity {context.equity:.2f} <= 0"
        nothing = exhausted(context)
        if nothing is not None:
            return nothing
        found = context.proposal
        limit = context.half_floor_text
        if found.risk_pct_wanted < half:
            used = found.state.portfolio_risk_pct
            return (
                f"risk {found.risk_pct_wanted:.4f} % < {limit}: budget {found.reduced_pct:.4f} % x "
                f"{found.multiplier:.3f}, open and reserved {used:.4f} % of {cap_text(context)}"
            )
        # Without shrink_to_fit a limit that binds refuses under its own name.
        shrunk = settings.shrink_to_fit or not found.clamps
        if shrunk and found.quantity >= found.minimum and found.risk_pct < half:
            why = "; ".join(found.clamps) or "rounding to the step"
            return f"risk {found.risk_pct:.4f} % of quantity {found.quantity:g} < {limit}: {why}"
        return None


class CostTooHigh(Control):
    """The round trip costs too large a part of the stop distance."""

    reason = RefusalReason.COST_TOO_HIGH

    def finding(self, context: DecisionContext) -> str | None:
        """Compare the cost in R with its limit."""
        return cost_refusal(context.proposal.costs, context.settings)


class BelowMinimum(Control):
    """Even without any limit the budget does not buy what the venue takes."""

    reason = RefusalReason.BELOW_MINIMUM

    def finding(self, context: DecisionContext) -> str | None:
        """Compare the budget's quantity with the venue's minimum."""
        found, rules = context.proposal, context.rules_checked
        if floor_quantity(found.first_quantity, rules.step, rules.size_digits) >= found.minimum:
            return None
        return f"quantity {found.first_quantity:.8g} < {_minimum_text(found.minimum, rules)}"


class SizeLimit(Control):
    """A limit that the size does not fit under.

    With `shrink_to_fit` the size shrinks, and the limit refuses only when what it leaves is below the
    venue's minimum although the limits before it left more; without, it refuses whatever it would have to
    shrink.
    """

    def __init__(self, reason: RefusalReason) -> None:
        self.reason = reason

    def finding(self, context: DecisionContext) -> str | None:
        """Look up the limit's step in the size."""
        found, rules = context.proposal, context.rules_checked
        for step in found.steps:
            if step.reason is not self.reason or not step.binds:
                continue
            if not context.settings.shrink_to_fit:
                return f"{step.text}; quantity {step.before:.8g} does not fit and shrink_to_fit is false"
            if floor_quantity(step.after, rules.step, rules.size_digits) < found.minimum:
                return f"{step.text}; quantity {step.after:.8g} left < {_minimum_text(found.minimum, rules)}"
        return None


class NetLimit(SizeLimit):
    """Net exposure; a candidate against a net that drifted beyond the limit must bring it back under."""

    def __init__(self) -> None:
        super().__init__(RefusalReason.NET_EXPOSURE)

    def finding(self, context: DecisionContext) -> str | None:
        """Look at the size, then at the book with the candidate in it."""
        found = super().finding(context)
        if found is not None:
            return found
        settings, equity = context.settings, context.equity
        notional = context.proposal.quantity * context.signal.reference_price
        net_pct = 100.0 * (context.used.net_usd + context.signal.side * notional) / equity
        limit = settings.max_net_exposure_pct
        if abs(net_pct) <= limit * (1.0 + _NOISE):
            return None
        return f"net exposure {net_pct:.2f} % with the candidate, beyond max_net_exposure_pct {limit:g}"


def _minimum_text(minimum: float, rules: InstrumentRules) -> str:
    return (
        f"minimum {minimum:g} (min_quantity {rules.min_quantity:g}, step {rules.step:g}, "
        f"min_notional_usd {rules.min_notional_usd:g})"
    )


class Correlated(Control):
    """Too many positions are concentrated with the candidate."""

    reason = RefusalReason.CORRELATED

    def finding(self, context: DecisionContext) -> str | None:
        """Count the concentrated positions and pending entries."""
        found, limit = context.concentrated, context.settings.max_high_corr_positions
        if len(found) < limit:
            return None
        names = ", ".join(f"{side_name(e.side)} {e.instrument}" for e in found)
        threshold = context.settings.max_abs_correlation
        return (
            f"{len(found)} >= max_high_corr_positions {limit} at max_abs_correlation {threshold:g}: {names}"
        )


class SafeModeBlock(Control):
    """Safe mode is on and its action is to block."""

    reason = RefusalReason.SAFE_MODE

    def finding(self, context: DecisionContext) -> str | None:
        """Read safe mode of the book with the candidate in it."""
        if context.settings.safe_mode_action != "block" or not context.concentration.active:
            return None
        found = context.concentration
        pair, threshold = "-".join(found.pair or ()), context.settings.max_abs_correlation
        return (
            f"{pair} {found.largest:.3f} >= max_abs_correlation {threshold:g} and safe_mode_action is block"
        )
