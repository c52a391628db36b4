"""The summary of a run as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crupto_nautilus.cli.output import Table

if TYPE_CHECKING:
    from crupto_nautilus.reports.facts import RunFacts


def money(value: object) -> str:
    """Return USDT with a sign, or a dash where there is no value."""
    return f"{value:+,.2f}" if isinstance(value, int | float) else "-"


def number(value: object, digits: int = 2) -> str:
    """Return a number, or a dash where there is none."""
    return f"{value:,.{digits}f}" if isinstance(value, int | float) else "-"


def blocks(summary: Mapping[str, Any]) -> tuple[str | Table, ...]:
    """Return a run's tables (the whole, by strategy, by instrument, refusals) and the verdict."""
    found: list[str | Table] = [_whole(summary)]
    found += [
        _group(title, summary[key])
        for title, key in (("strategy", "strategies"), ("instrument", "instruments"))
    ]
    found += _challengers(summary)
    refused = summary.get("refused_by_reason") or {}
    if refused:
        cells = tuple((str(reason), str(count)) for reason, count in refused.items())
        found.append(Table("", ("refused because", "signals"), cells, frozenset({"signals"})))
    found.append(f"verdict: {summary['verdict']['text']}")
    return tuple(found)


def _challengers(summary: Mapping[str, Any]) -> list[str | Table]:
    from crupto_nautilus.reports.words import challenger_name

    rows = tuple(
        (
            challenger_name(name, row),
            row["strategy"],
            str(row["approved"]),
            str(row["trades"]),
            money(row["pnl_usd"]),
            money(row["pnl_r"]),
        )
        for name, row in (summary.get("challengers") or {}).items()
    )
    columns = ("challenger in shadow", "strategy", "approved", "trades", "net usd", "R")
    return [Table("", columns, rows, frozenset(columns[2:]))] if rows else []


def remarks(facts: RunFacts) -> tuple[str, ...]:
    """Return what a reader must know before the figures mean anything."""
    from catalog.timeframes import label
    from strategies.registry import REGISTRY

    found = [f"note: {note}" for note in facts.notes]
    finest = min((item.base_minutes for item in facts.instruments), default=0)
    found += [
        f"note: {name} had no bars to work on: it needs {label(REGISTRY[name].minutes)}, "
        f"the finest are {label(finest)}"
        for name in facts.strategies
        if name in REGISTRY and REGISTRY[name].minutes < finest
    ]
    if any("synthetic" in item.label for item in facts.instruments):
        found.append("note: the market is SYNTHETIC: this result says nothing about a real one")
    return tuple(found)


def _whole(summary: Mapping[str, Any]) -> Table:
    hold = (summary.get("benchmark") or {}).get("buy_and_hold") or {}
    rows = (
        ("data", ", ".join(summary.get("data_labels") or ())),
        ("costs", str(summary.get("costs", "-"))),
        ("equity", f"{number(summary['equity_start'])} -> {number(summary['equity_end'])} USDT"),
        ("PnL", f"{money(summary['pnl_usd'])} USDT = {money(summary['pnl_pct'])} %"),
        ("closed trades", f"{summary['trades']}, {money(summary['pnl_r'])} R"),
        ("mean R (95 %)", _interval(summary)),
        ("win rate", f"{number(summary['win_rate_pct'])} %"),
        ("fees, slippage", f"{number(summary['fees_usd'])}, {number(summary['slippage_usd'])} USDT"),
        ("funding", f"{money(summary['funding_usd'])} USDT"),
        *_liquidated(summary),
        ("funding coverage", f"{number(summary.get('funding_coverage_pct'))} %"),
        ("max drawdown", f"{number(summary.get('max_drawdown_pct'))} %"),
        ("Sharpe", number(summary.get("sharpe"))),
        ("buy and hold", f"{money(hold.get('pnl_pct'))} %"),
        ("signals", f"{summary['signals']}, approved {summary['approved']}"),
        (
            "bars",
            f"{number(summary.get('bars_processed'), 0)}, {number(summary.get('bars_per_second'), 0)}/s",
        ),
    )
    return Table("", ("", "whole desk"), rows)


def _liquidated(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    taken = summary.get("liquidations") or ()  # summaries of older versions do not know of any
    if not taken:
        return []
    return [("LIQUIDATED", f"{len(taken)}, the venue bore {money(summary['liquidation_usd'])} USDT")]


def _interval(summary: Mapping[str, Any]) -> str:
    low, high = (number(summary.get(f"mean_r_{end}"), 3) for end in ("low", "high"))
    return f"{number(summary.get('mean_r'), 3)} ({low} .. {high})"


def _group(title: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    cells = tuple(
        (
            name,
            str(row["signals"]),
            str(row["approved"]),
            str(row["trades"]),
            number(row["win_rate_pct"], 0),
            money(row["net_usd"]),
            money(row["pnl_r"]),
        )
        for name, row in rows.items()
    )
    columns = (title, "signals", "approved", "trades", "win %", "net usd", "R")
    return Table("", columns, cells, frozenset(columns[1:]))
