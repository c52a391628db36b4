"""Sides, time units and the reasons of refusals."""

from __future__ import annotations

from enum import StrEnum

LONG = 1
SHORT = -1

MINUTE_NS = 60_000_000_000
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS


def side_name(side: int) -> str:
    """Return `long` for +1 and `short` for -1."""
    return "long" if side > 0 else "short"


class RefusalReason(StrEnum):
    """Why a signal was not traded, in the order in which the checks run: the first that applies wins."""

    TOOL_ERROR = "TOOL_ERROR"
    INVALID_INPUT = "INVALID_INPUT"
    RECONCILING = "RECONCILING"
    KILL_SWITCH = "KILL_SWITCH"
    OPERATOR_HALT = "OPERATOR_HALT"
    DAILY_LOCK = "DAILY_LOCK"
    COOLING = "COOLING"
    STRATEGY_DISABLED = "STRATEGY_DISABLED"
    STALE_DATA = "STALE_DATA"
    NOT_WARM = "NOT_WARM"
    REGIME_OFF = "REGIME_OFF"
    DIRECTION_OFF = "DIRECTION_OFF"
    RESTED = "RESTED"
    COOLDOWN = "COOLDOWN"
    ALREADY_OPEN = "ALREADY_OPEN"
    OPPOSING_POSITION = "OPPOSING_POSITION"
    INSTRUMENT_TAKEN = "INSTRUMENT_TAKEN"
    INVALID_STOP = "INVALID_STOP"
    NO_RISK_LEFT = "NO_RISK_LEFT"
    COST_TOO_HIGH = "COST_TOO_HIGH"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    PER_TRADE_CAP = "PER_TRADE_CAP"
    PORTFOLIO_CAP = "PORTFOLIO_CAP"
    GROSS_EXPOSURE = "GROSS_EXPOSURE"
    NET_EXPOSURE = "NET_EXPOSURE"
    CORRELATED = "CORRELATED"
    SAFE_MODE = "SAFE_MODE"
    SPREAD_TOO_WIDE = "SPREAD_TOO_WIDE"
    ILLIQUID = "ILLIQUID"
    SLIPPAGE_TOO_HIGH = "SLIPPAGE_TOO_HIGH"
