"""Plain language for the desk's own words, and how numbers are written for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from risk.vocabulary import RefusalReason

NOT_DEFINED = "\u2013"
_MINUS = "\u2212"

REFUSALS: dict[str, str] = {
    RefusalReason.TOOL_ERROR: "an agent or a tool failed, or gave no answer",
    RefusalReason.INVALID_INPUT: "a number of the signal was missing or not a number",
    RefusalReason.RECONCILING: "the desk's books were being compared with the venue",
    RefusalReason.KILL_SWITCH: "the 72 h drawdown limit was hit; closed until an operator unlocks",
    RefusalReason.OPERATOR_HALT: "an operator had halted the desk",
    RefusalReason.DAILY_LOCK: "the daily loss limit was hit; closed until 00:00 UTC",
    RefusalReason.COOLING: "the pause after a lock or an unlock was not over",
    RefusalReason.STRATEGY_DISABLED: "the strategy was switched off",
    RefusalReason.STALE_DATA: "the newest bar was too old to trust",
    RefusalReason.NOT_WARM: "not enough history yet, or funding missing",
    RefusalReason.REGIME_OFF: "the strategy is not used in this market regime",
    RefusalReason.DIRECTION_OFF: "this direction is not used in this market regime",
    RefusalReason.RESTED: "the strategy's recent score was too low",
    RefusalReason.COOLDOWN: "too soon after the last entry, or after two losses",
    RefusalReason.ALREADY_OPEN: "the strategy already held, or was entering, this instrument",
    RefusalReason.OPPOSING_POSITION: "another strategy held the other side of this instrument",
    RefusalReason.INSTRUMENT_TAKEN: "the venue nets positions, and another one was on this instrument",
    RefusalReason.INVALID_STOP: "the stop was missing or on the wrong side",
    RefusalReason.NO_RISK_LEFT: "limits left less than half of the smallest worthwhile risk",
    RefusalReason.COST_TOO_HIGH: "costs would eat too much of what the trade risks",
    RefusalReason.BELOW_MINIMUM: "smaller than the venue's minimum order",
    RefusalReason.PER_TRADE_CAP: "more than one trade may risk",
    RefusalReason.PORTFOLIO_CAP: "more than all positions together may risk",
    RefusalReason.GROSS_EXPOSURE: "longs plus shorts would be too large for the equity",
    RefusalReason.NET_EXPOSURE: "longs minus shorts would be too large for the equity",
    RefusalReason.CORRELATED: "too many positions that move together",
    RefusalReason.SAFE_MODE: "correlated positions had put the desk in safe mode",
    RefusalReason.SPREAD_TOO_WIDE: "the spread was too wide",
    RefusalReason.ILLIQUID: "too little is traded in this instrument",
    RefusalReason.SLIPPAGE_TOO_HIGH: "the order would have moved the price too much",
}

EXITS: dict[str, str] = {
    "stop": "the protective stop was hit (initial, break-even or trailed)",
    "target_1": "the first, or only, target was reached",
    "target_2": "the last target was reached",
    "time_stop": "held for as long as the rule allows",
    "trail": "the trailing stop lay beyond the market",
    "basis_reverted": "the contract was back at its usual distance from spot",
    "funding_normal": "the funding rate was back to an ordinary one",
    "stop_passed": "price went through the stop before it could work",
    "unprotected": "no stop could be placed, so the position was closed",
    "kill_switch": "closed by the kill switch",
    "operator_halt": "closed by the operator",
    "liquidation": "liquidated by the venue",
    "exit": "closed at market",
}

REGIMES: dict[str, str] = {
    "trend_up": "trend up",
    "trend_down": "trend down",
    "range_lowvol": "quiet range",
    "range_highvol": "wild range",
    "panic": "panic",
    "unknown": "not warm",
}

LABELS: dict[str, str] = {
    "real": "real market data",
    "spot-as-perp": "spot prices in place of perpetuals",
    "synthetic": "synthetic market: invented prices",
}


def number(value: object, digits: int = 2, *, sign: bool = False, unit: str = "") -> str:
    """Return a number as people read it, or a dash where it is not defined."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return NOT_DEFINED
    text = f"{abs(value):,.{digits}f}"
    negative = value < 0 and any(digit not in "0.," for digit in text)
    lead = _MINUS if negative else "+" if sign and any(digit not in "0.," for digit in text) else ""
    return f"{lead}{text}{unit}"


def money(value: object, digits: int = 2) -> str:
    """Return a gain or loss in USDT, with its sign."""
    return number(value, digits, sign=True)


def percent(value: object, digits: int = 2, *, sign: bool = True) -> str:
    """Return a percentage."""
    return number(value, digits, sign=sign, unit="\u00a0%")


def count(value: object) -> str:
    """Return a whole number."""
    return number(value, 0)


def price(value: object) -> str:
    """Return a price with the digits it has, at most 8."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return NOT_DEFINED
    return f"{value:,.8f}".rstrip("0").rstrip(".")


def stamp(ts: int, *, minutes: bool = True) -> str:
    """Return a time as `2024-10-04 08:00` UTC."""
    return pd.Timestamp(ts, unit="ns").strftime("%Y-%m-%d %H:%M" if minutes else "%Y-%m-%d")


def interval(low: object, high: object, digits: int = 2) -> str:
    """Return `[low, high]`, or a dash where it is not defined."""
    if low is None or high is None:
        return NOT_DEFINED
    return f"[{number(low, digits, sign=True)}, {number(high, digits, sign=True)}]"


def coin(instrument: str) -> str:
    """Return an instrument id without its venue."""
    return instrument.partition(".")[0]


def challenger_name(name: str, row: Mapping[str, Any]) -> str:
    """Return a challenger's name as reports show it: a document that no ledger proves is called so."""
    return f"{name} (unproven)" if row.get("document_hash") and not row.get("ledger_head") else name
