"""virtual_summary.md: what a virtual run did with its virtual money, in one page.

Guarantees: every figure is counted from the tables of the run; amounts and percentages are of the virtual
equity; a limit that was not touched says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from crupto_nautilus.reports.ledger import rows_of
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.words import count, money, number, percent, stamp
from risk.vocabulary import RefusalReason, side_name

VIRTUAL_SUMMARY = "virtual_summary.md"

# Refusals that are a limit of money, not of opinion: they count as touched.
_LIMITS = (
    RefusalReason.KILL_SWITCH,
    RefusalReason.DAILY_LOCK,
    RefusalReason.COOLING,
    RefusalReason.NO_RISK_LEFT,
    RefusalReason.COST_TOO_HIGH,
    RefusalReason.BELOW_MINIMUM,
    RefusalReason.PER_TRADE_CAP,
    RefusalReason.PORTFOLIO_CAP,
    RefusalReason.GROSS_EXPOSURE,
    RefusalReason.NET_EXPOSURE,
    RefusalReason.CORRELATED,
    RefusalReason.SAFE_MODE,
    RefusalReason.SLIPPAGE_TOO_HIGH,
)
_SHOWN_TRADES = 20


def render_virtual_summary(folder: RunFolder, summary: Mapping[str, Any]) -> str:
    """Return the page of a virtual run."""
    facts = folder.facts
    asset = facts.virtual_asset
    lines = [
        f"# {facts.run_id}: virtual trading in {asset}",
        "",
        f"{facts.mode}, {stamp(facts.start_ns)} to {stamp(facts.end_ns)} UTC, ended: {facts.exit_reason}. "
        f"No real money, data: {', '.join(summary['data_labels'])}.",
        "",
        "| | |",
        "|---|---:|",
        f"| virtual asset | {asset} |",
        f"| virtual equity | {number(summary['equity_start'])} to {number(summary['equity_end'])} |",
        f"| equity of the account | {number(facts.starting_equity)} at the start |",
        f"| PnL | {money(summary['pnl_usd'])} ({percent(summary['pnl_pct'])}) |",
        f"| in R | {number(summary['pnl_r'], 2, sign=True)} |",
        f"| largest drawdown | {percent(summary['max_drawdown_pct'])} |",
        f"| fees, slippage, funding | {number(summary['fees_usd'])}, {number(summary['slippage_usd'])}, "
        f"{money(summary['funding_usd'])} |",
        f"| signals, approved | {count(summary['signals'])}, {count(summary['approved'])} |",
        f"| closed trades | {count(summary['trades'])} |",
        f"| open positions | {len(summary['open_positions'])} |",
        "",
        "## Orders",
        "",
        *_orders(folder.table("orders"), asset),
        "",
        "## Limits touched",
        "",
        *_limits(folder, summary),
        "",
        "## Trades",
        "",
        *_trades(folder.table("trades"), asset),
    ]
    return "\n".join(lines) + "\n"


def _orders(orders: pd.DataFrame, asset: str) -> list[str]:
    if orders.empty:
        return ["No order was sent."]
    sent = orders[orders["action"] == "submit"]
    tagged = int((orders["virtual_asset"] == asset).sum())
    counts = orders.groupby(["role", "action"]).size()
    actions = ("submit", "accepted", "updated", "canceled", "rejected", "denied", "expired")
    lines = [
        f"{len(sent)} orders sent; {tagged} of {len(orders)} order events carry `virtual_asset` {asset}.",
        "",
        f"| role | {' | '.join(actions)} |",
        f"|---|{'---:|' * len(actions)}",
    ]
    for role in sorted(set(orders["role"])):
        cells = " | ".join(str(int(counts.get((role, action), 0))) for action in actions)
        lines.append(f"| {role} | {cells} |")
    return lines


def _limits(folder: RunFolder, summary: Mapping[str, Any]) -> list[str]:
    return list(_touched(folder, summary)) or ["None."]


def _touched(folder: RunFolder, summary: Mapping[str, Any]) -> Iterator[str]:
    for row in rows_of(folder.table("states")):
        if row.reason:
            yield f"- {stamp(int(row.ts_event))} {row.mode}: {row.reason}, {row.detail}"
    refused = summary["refused_by_reason"]
    for reason in _LIMITS:
        if refused.get(reason):
            yield f"- {reason}: refused {refused[reason]} signals"
    decisions = folder.table("decisions")
    shrunk = int(((decisions["clamps"] != "[]") & (decisions["clamps"] != "") & decisions["approved"]).sum())
    if shrunk:
        yield f"- {shrunk} approved trades were made smaller by a limit"
    entered = int(folder.table("safe_mode")["active"].sum())
    if entered:
        yield f"- safe mode (correlated positions) was entered or tightened {entered} times"
    for row in rows_of(folder.table("alarms")):
        yield f"- {stamp(int(row.ts_event))} alarm {row.kind}: {row.detail}"


def _trades(trades: pd.DataFrame, asset: str) -> list[str]:
    if trades.empty:
        return ["No trade was closed."]
    lines = [
        "| closed | strategy | instrument | side | net | R | exit | asset |",
        "|---|---|---|---|---:|---:|---|---|",
    ]
    lines += [
        f"| {stamp(int(row.ts_event))} | {row.strategy} | {row.instrument} | {side_name(row.side)} | "
        f"{money(row.net_usd)} | {number(row.r, 2, sign=True)} | {row.exit_reason} | {row.virtual_asset} |"
        for row in rows_of(trades.tail(_SHOWN_TRADES))
    ]
    if len(trades) > _SHOWN_TRADES:
        lines.append(f"\nThe last {_SHOWN_TRADES} of {len(trades)}; all are in `trades.parquet`.")
    return lines
