"""summary.md: the run in a few lines, for a terminal, a commit or a chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crupto_nautilus.reports.facts import RunFacts
from crupto_nautilus.reports.verify import VerifyReport
from crupto_nautilus.reports.words import (
    LABELS,
    challenger_name,
    count,
    interval,
    money,
    number,
    percent,
    price,
    stamp,
)
from risk.vocabulary import side_name


def render_markdown(facts: RunFacts, summary: Mapping[str, Any], report: VerifyReport) -> str:
    """Return the page."""
    hold = summary["benchmark"]["buy_and_hold"]
    passed = sum(check.ok for check in report.checks)
    refused = ", ".join(f"{name} {n}" for name, n in summary["refused_by_reason"].items()) or "none"
    lines = [
        f"# {facts.run_id}",
        "",
        f"**{summary['verdict']['text']}**",
        "",
        f"{facts.mode}, {stamp(facts.start_ns)} to {stamp(facts.end_ns)} UTC, costs {facts.costs}, "
        f"{', '.join(LABELS.get(label, label) for label in summary['data_labels'])}, "
        f"funding coverage {percent(summary['funding_coverage_pct'], 1, sign=False)}.",
        "",
        "| | desk | buy-and-hold | no trade |",
        "|---|---:|---:|---:|",
        f"| result, USDT | {money(summary['pnl_usd'])} | {money(hold and hold['pnl_usd'])} | 0.00 |",
        f"| result | {percent(summary['pnl_pct'])} | {percent(hold and hold['pnl_pct'])} | 0.00\u00a0% |",
        f"| largest drawdown | {percent(summary['max_drawdown_pct'])} | "
        f"{percent(hold and hold['max_drawdown_pct'])} | 0.00\u00a0% |",
        f"| Sharpe | {number(summary['sharpe'])} | {number(hold and hold['sharpe'])} | |",
        "",
        "| strategy | signals | approved | trades | wins | mean R (95 %) | gross | fees | slippage | funding "
        "| net USDT |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    rows = [*summary["strategies"].items(), ("all", {**summary, **summary["closed"]})]
    lines += [
        f"| {name} | {count(row['signals'])} | {count(row['approved'])} | {count(row['trades'])} | "
        f"{percent(row['win_rate_pct'], 0, sign=False)} | {number(row['mean_r'], 2, sign=True)} "
        f"{interval(row['mean_r_low'], row['mean_r_high'])} | {money(row['gross_usd'])} | "
        f"{money(-row['fees_usd'])} | {money(-row['slippage_usd'])} | {money(row['funding_usd'])} | "
        f"{money(row['net_usd'])} |"
        for name, row in rows
    ]
    lines += [
        "",
        *_challengers(summary),
        *_machine(summary),
        *_liquidated(summary),
        f"Open positions add {money(summary['open_usd'])} USDT. Refused: {refused}.",
        "",
        f"Verification: {passed} of {len(report.checks)} checks passed.",
        *(f"- {line}" for line in report.violations[:10]),
        "",
        f"Run hash `{summary['run_hash']}`, data `{facts.data_fingerprint}`, "
        f"configuration `{facts.config_hash}`.",
    ]
    return "\n".join(lines) + "\n"


def _liquidated(summary: Mapping[str, Any]) -> list[str]:
    """Return a line for each position that the venue took over."""
    lines = [
        f"- LIQUIDATED {stamp(row['ts_event'])}: {row['strategy']} {side_name(row['side'])} "
        f"{row['instrument']}, {price(row['entry_price'])} to {price(row['exit_price'])}, "
        f"net {money(row['net_usd'])} USDT; the venue bore {money(row['liquidation_usd'])} USDT"
        for row in summary["liquidations"]
    ]
    return [*lines, ""] if lines else []


def _challengers(summary: Mapping[str, Any]) -> list[str]:
    """Return a table of the challengers in shadow."""
    found = summary.get("challengers") or {}
    if not found:
        return []
    lines = [
        "| challenger in shadow | strategy | approved | trades | mean R (95 %) | net USDT | of equity |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {challenger_name(name, row)} | {row['strategy']} | {count(row['approved'])} | "
        f"{count(row['trades'])} | "
        f"{number(row['mean_r'], 2, sign=True)} {interval(row['mean_r_low'], row['mean_r_high'])} | "
        f"{money(row['pnl_usd'])} | {percent(row['pnl_pct'])} |"
        for name, row in found.items()
    ]
    return [*lines, ""]


def _machine(summary: Mapping[str, Any]) -> list[str]:
    """Return slippage expected and paid, and the slowest tool."""
    lines = [
        f"Slippage of {count(row['entries'])} entries that took liquidity: {number(row['expected_bps'])} bps "
        f"expected, {number(row['paid_bps'])} bps paid."
        for row in summary.get("slippage", ())[-1:]
    ]
    called = [row for row in summary.get("agents", ()) if row["calls"]]
    if called:
        slow = max(called, key=lambda row: row["p99_us"])
        errors = sum(row["errors"] for row in called)
        lines.append(
            f"Tools: {count(sum(row['calls'] for row in called))} calls, {count(errors)} errors; slowest "
            f"{slow['agent']}/{slow['tool']}, p99 {number(slow['p99_us'] / 1000, 2)} ms."
        )
    return [*lines, ""] if lines else []
