"""The words of the desk: every value that crosses a room's border, with no engine type in it.

Guarantees: values are immutable (NamedTuples wherever many are made, frozen dataclasses elsewhere); every
timestamp is desk time in nanoseconds UTC (`ts_event`); money is USDT, prices are quote per base coin,
quantities are base coins; `side` is +1 (long) or -1 (short).  A refusal is a value, never an exception.
"""

from __future__ import annotations

from risk.vocabulary.agents import (
    Alarm,
    DeskMode,
    DeskState,
    Mandate,
    MandateRow,
    Regime,
    RegimeLabel,
    SafeMode,
    ToolCall,
    ToolState,
    TradingState,
)
from risk.vocabulary.basics import (
    DAY_NS,
    HOUR_NS,
    LONG,
    MINUTE_NS,
    SHORT,
    RefusalReason,
    side_name,
)
from risk.vocabulary.execution import (
    AccountFunding,
    EntryDone,
    EquityPoint,
    Fill,
    FundingPaid,
    OrderEvent,
    Protection,
    Role,
    Trade,
)
from risk.vocabulary.market import (
    Bar,
    Funding,
    Instant,
    InstrumentRules,
    Quote,
)
from risk.vocabulary.plan import (
    Approved,
    CostEstimate,
    Decision,
    EntryStyle,
    ExitSpec,
    Refused,
    Signal,
    Ticket,
    TradePlan,
)

__all__ = [
    "DAY_NS",
    "HOUR_NS",
    "LONG",
    "MINUTE_NS",
    "SHORT",
    "AccountFunding",
    "Alarm",
    "Approved",
    "Bar",
    "CostEstimate",
    "Decision",
    "DeskMode",
    "DeskState",
    "EntryDone",
    "EntryStyle",
    "EquityPoint",
    "ExitSpec",
    "Fill",
    "Funding",
    "FundingPaid",
    "Instant",
    "InstrumentRules",
    "Mandate",
    "MandateRow",
    "OrderEvent",
    "Protection",
    "Quote",
    "RefusalReason",
    "Refused",
    "Regime",
    "RegimeLabel",
    "Role",
    "SafeMode",
    "Signal",
    "Ticket",
    "ToolCall",
    "ToolState",
    "Trade",
    "TradePlan",
    "TradingState",
    "side_name",
]
