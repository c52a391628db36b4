"""The decision in the chain of a trace: guards, size and portfolio, each with its numbers and its settings.

Guarantees: figures are those of the run's tables, settings those of its record; where a stage refused, the
stages behind it say that they were not reached.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from crupto_nautilus.cli.reason_settings import setting, settings_of
from crupto_nautilus.reports.facts import RunFacts
from crupto_nautilus.reports.run_folder import RunFolder
from risk.sizing import position_sizer
from risk.vocabulary import MINUTE_NS, RefusalReason

GUARDS, SIZE, PORTFOLIO, TICKET = "guards", "size", "portfolio", "ticket"
_STAGES = (GUARDS, SIZE, PORTFOLIO, TICKET)
_FIRST = (  # the first reason of each stage but the first, in the order of the checks
    (RefusalReason.NO_RISK_LEFT, SIZE),
    (RefusalReason.PORTFOLIO_CAP, PORTFOLIO),
    (RefusalReason.SPREAD_TOO_WIDE, TICKET),
)
_ORDER = [str(reason) for reason in RefusalReason]


class Stage(NamedTuple):
    """One stage of a decision: what it said and the numbers behind it."""

    name: str
    text: str
    numbers: Mapping[str, object]


def stage_of(reason: str) -> str:
    """Return the stage at which a reason refuses."""
    found = GUARDS
    for first, stage in _FIRST:
        if reason in _ORDER and _ORDER.index(reason) >= _ORDER.index(str(first)):
            found = stage
    return found


def stages(run: RunFolder, signal: Mapping[str, Any], decision: Mapping[str, Any]) -> list[Stage]:
    """Return guards, size and portfolio of a decision."""
    refused = "" if not decision or decision["approved"] else str(decision["reason"])
    at = _STAGES.index(stage_of(refused)) if refused else len(_STAGES)
    found = [
        Stage(GUARDS, "passed", _guards(run, signal, decision)),
        Stage(SIZE, _size_text(decision), _size(run, signal, decision)),
        Stage(PORTFOLIO, "fits", _portfolio(run, signal, decision)),
    ]
    for position, stage in enumerate(found):
        if position == at:
            behind = settings_of(refused, run.facts)
            text = ": ".join(["refused", refused, *filter(None, [str(decision["detail"])])])
            text += f" ({behind})" if behind else ""
            found[position] = stage._replace(text=text)
        elif position > at:
            found[position] = Stage(stage.name, "not reached", {})
    return found


def bounded(value: float, limit: object, name: str) -> str:
    """Return a figure beside the setting that bounds it."""
    shown = f"{limit:g}" if isinstance(limit, int | float) else str(limit)
    return f"{value:.6g} (limit {shown}, {name})"


def _governed(value: float, name: str, facts: RunFacts, sign: float = 1.0) -> str:
    limit = setting(f"governance.{name}", facts)
    return bounded(value, sign * limit if isinstance(limit, int | float) else limit, name)


def _guards(run: RunFolder, signal: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, object]:
    facts, ts = run.facts, int(signal["ts_event"])
    numbers: dict[str, object] = {}
    equity = run.table("equity")
    before = equity[equity["ts_event"] <= ts].tail(1)
    for column, name in (
        ("daily_pnl_pct", "max_daily_loss_pct"),
        ("drawdown_72h_pct", "kill_switch_drawdown_72h"),
    ):
        if len(before):
            numbers[column] = _governed(float(before[column].iloc[0]), name, facts, -1.0)
    numbers["desk_mode"] = decision.get("desk_mode") or "unknown"
    bars = _bars_since_entry(run, signal)
    if bars is not None:
        numbers["bars_since_last_entry"] = bounded(
            bars, setting("enable_map.cooldown_bars", facts), "cooldown_bars"
        )
    for column, name in (
        ("cost_r", "max_cost_r"),
        ("expected_slippage_bps", "max_slippage_bps"),
    ):
        value = decision.get(column)
        if decision and decision["approved"] and not pd.isna(value):
            numbers[column] = _governed(float(value or 0.0), name, facts)
    return numbers


def _bars_since_entry(run: RunFolder, signal: Mapping[str, Any]) -> float | None:
    fills, ts = run.table("fills"), int(signal["ts_event"])
    mine = fills[
        (fills["strategy"] == signal["strategy"])
        & (fills["instrument"] == signal["instrument"])
        & (fills["role"] == "entry")
        & (fills["trace_id"] != signal["trace_id"])
        & (fills["ts_event"] <= ts)
    ]
    if mine.empty:
        return None
    last = mine[mine["trace_id"] == mine["trace_id"].iloc[-1]]["ts_event"].iloc[0]
    return float((ts - int(last)) / (int(signal["minutes"]) * MINUTE_NS))


def _size_text(decision: Mapping[str, Any]) -> str:
    if not decision or not decision["approved"]:
        return "worked out"
    clamps = ", ".join(json.loads(decision["clamps"] or "[]"))
    return f"{decision['quantity']:g}" + (
        f"; made smaller: {clamps}" if clamps else "; nothing made it smaller"
    )


def _size(run: RunFolder, signal: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, object]:
    facts = run.facts
    atr_fraction = float(signal["atr"]) / float(signal["reference_price"])
    confidence = float(signal["confidence"])
    numbers: dict[str, object] = {
        "confidence": confidence,
        "atr_fraction": atr_fraction,
        "multiplier": position_sizer(confidence, atr_fraction),
        "per_trade_r_pct_base": setting("governance.per_trade_r_pct_base", facts),
        "losing_streak": _losing_streak(run, int(signal["ts_event"])),
    }
    if not decision or not decision["approved"]:
        return numbers
    numbers["risk_equity"] = decision["risk_equity"]
    numbers["risk_pct"] = _governed(float(decision["risk_pct"]), "max_per_trade_r_pct", facts)
    numbers["risk_usd"] = decision["risk_usd"]
    numbers["notional_usd"] = decision["notional_usd"]
    leverage = float(decision["notional_usd"]) / float(decision["risk_equity"])
    numbers["leverage"] = _governed(leverage, "leverage_cap", facts)
    return numbers


def _losing_streak(run: RunFolder, ts: int) -> int:
    trades = run.table("trades")
    streak = 0
    for r in reversed(trades[trades["ts_event"] <= ts]["r"].tolist()):
        if r >= 0.0:
            break
        streak += 1
    return streak


def _portfolio(run: RunFolder, signal: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, object]:
    """Return the book with the candidate in it, and what it is correlated with."""
    facts, ts = run.facts, int(signal["ts_event"])
    numbers: dict[str, object] = {}
    if decision and decision["approved"]:
        used = float(decision["open_risk_pct"]) + float(decision["reserved_risk_pct"])
        numbers["open_risk_pct"] = decision["open_risk_pct"]
        numbers["reserved_risk_pct"] = decision["reserved_risk_pct"]
        numbers["open_and_reserved_pct"] = bounded(used, decision["effective_cap_pct"], "effective_cap_pct")
        numbers["max_portfolio_r_pct"] = setting("governance.max_portfolio_r_pct", facts)
        numbers["gross_pct"] = _governed(float(decision["gross_pct"]), "max_gross_exposure_pct", facts)
        numbers["net_pct"] = _governed(float(decision["net_pct"]), "max_net_exposure_pct", facts)
    modes = run.table("safe_mode")
    last = modes[modes["ts_event"] <= ts].tail(1)
    if len(last) and bool(last["active"].iloc[0]):
        pair = f"{last['pair_a'].iloc[0]} and {last['pair_b'].iloc[0]}"
        largest = _governed(float(last["largest"].iloc[0]), "max_abs_correlation", facts)
        numbers["safe_mode"] = f"{largest}: {pair}"
    trades = run.table("trades")
    held = trades[(trades["ts_open"] < ts) & (trades["ts_event"] > ts)]
    if len(held):
        numbers["held"] = ", ".join(
            f"{s} {i}" for s, i in zip(held["strategy"], held["instrument"], strict=True)
        )
    return numbers
