"""The checks of a signal, in the order of `RefusalReason`: the first that applies wins.

Guarantees: each control answers for one reason and tells the value found, the limit and the setting's name.
The last three reasons belong to `risk.ticket`, which looks at the final quantity.
"""

from __future__ import annotations

from risk.context import DecisionContext
from risk.control import Control
from risk.desk_controls import (
    Cooldown,
    Cooling,
    DailyLock,
    DirectionOff,
    InvalidInput,
    KillSwitch,
    NotWarm,
    OperatorHalt,
    Reconciling,
    RegimeOff,
    Rested,
    StaleData,
    StrategyDisabled,
    ToolError,
)
from risk.trade_controls import (
    AlreadyOpen,
    BelowMinimum,
    Correlated,
    CostTooHigh,
    InstrumentTaken,
    InvalidStop,
    NetLimit,
    NoRiskLeft,
    OpposingPosition,
    SafeModeBlock,
    SizeLimit,
)
from risk.vocabulary import RefusalReason, Refused

CONTROLS: tuple[Control, ...] = (
    ToolError(),
    InvalidInput(),
    Reconciling(),
    KillSwitch(),
    OperatorHalt(),
    DailyLock(),
    Cooling(),
    StrategyDisabled(),
    StaleData(),
    NotWarm(),
    RegimeOff(),
    DirectionOff(),
    Rested(),
    Cooldown(),
    AlreadyOpen(),
    OpposingPosition(),
    InstrumentTaken(),
    InvalidStop(),
    NoRiskLeft(),
    CostTooHigh(),
    BelowMinimum(),
    SizeLimit(RefusalReason.PER_TRADE_CAP),
    SizeLimit(RefusalReason.PORTFOLIO_CAP),
    SizeLimit(RefusalReason.GROSS_EXPOSURE),
    NetLimit(),
    Correlated(),
    SafeModeBlock(),
)


def first_refusal(context: DecisionContext, controls: tuple[Control, ...] = CONTROLS) -> Refused | None:
    """Return the first refusal in the order of the controls, or None if all agree."""
    for control in controls:
        finding = control.finding(context)
        if finding is not None:
            return Refused(context.ts, context.signal, control.reason, finding)
    return None
