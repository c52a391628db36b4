"""parity.md and parity.json of a run: what was compared, what differs, what it means."""

from __future__ import annotations

from typing import Any

from crupto_nautilus.reports.parity import Difference, Parity
from crupto_nautilus.reports.words import stamp


def parity_json(found: Parity) -> dict[str, Any]:
    """Return the comparison as JSON-able values."""
    return {
        "run": found.run_id,
        "same": found.same,
        "cause": found.cause,
        "unexplained": found.unexplained,
        "data_same": found.circumstances.data_same,
        "interrupted_ns": found.circumstances.interrupted_ns,
        "resumed_ns": list(found.circumstances.resumed_ns),
        "tables": [
            {"table": t.table, "rows": t.rows, "rows_backtest": t.rows_backtest, "equal": t.equal,
             "cut": t.cut, "same": t.same}
            for t in found.tables
        ],
        "findings": [
            {"kind": f.kind, "count": f.count, "meaning": f.meaning, "look_at": f.look_at,
             "first": _difference(f.first)}
            for f in found.findings
        ],
    }  # fmt: skip


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "table": one.table,
        "ts_event": one.ts_event,
        "trace_id": one.trace_id,
        "columns": list(one.columns),
        "run": None if one.ours is None else dict(one.ours),
        "backtest": None if one.theirs is None else dict(one.theirs),
        "text": one.text,
    }


def parity_lines(found: Parity) -> list[str]:
    """Return the findings as lines for a person, the first cause first."""
    lines = []
    for one in found.findings:
        lines += [
            f"{one.kind}: {one.count} rows, the first at {stamp(one.first.ts_event)} UTC",
            f"  {one.first.text}",
            f"  meaning: {one.meaning}",
            f"  look at: {one.look_at}",
        ]
    cut = sum(table.cut for table in found.tables)
    if cut:
        lines.append(
            f"{cut} rows of the last moment exist in the backtest only: the run was interrupted there"
        )
    return lines


def verdict(found: Parity) -> str:
    """Return the result in one sentence."""
    rows = sum(table.equal for table in found.tables)
    if found.same:
        return f"identical: {rows:,} rows, every time, quantity and price"
    differing = sum(one.count for one in found.findings)
    kinds = ", ".join(f"{one.kind} {one.count}" for one in found.findings)
    return f"DIFFERENT: {differing:,} rows ({kinds}), {rows:,} equal; first cause: {found.cause}"


def render_parity(found: Parity) -> str:
    """Return parity.md."""
    lines = [
        f"# Parity of {found.run_id}",
        "",
        f"**{verdict(found)}**",
        "",
        "The run beside the backtest of its data, matched row by row: desk times to the nanosecond,",
        "quantities and prices to the last bit. Left out: the venue's wall time of a fill.",
        "",
        "| table | run | backtest | equal | cut off by an interruption |",
        "|---|---:|---:|---:|---:|",
        *(f"| {t.table} | {t.rows:,} | {t.rows_backtest:,} | {t.equal:,} | {t.cut} |" for t in found.tables),
        "",
        *(f"- {line}" if not line.startswith("  ") else f"  {line}" for line in parity_lines(found)),
    ]
    return "\n".join(lines).rstrip() + "\n"
