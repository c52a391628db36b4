"""Figures of the machinery: time of the agents' tools, refusals day by day, slippage expected and paid."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from crupto_nautilus.reports.run_folder import RunFolder
from risk.vocabulary import DAY_NS, Role

BINS = 60  # stretches of time of the refusals' chart, at most


def agent_latency(folder: RunFolder) -> list[dict[str, Any]]:
    """Return a row a tool, by agent: calls, errors, warnings, mean, p50, p99 and largest, microseconds."""
    rows = []
    for row in folder.table("calls").sort_values(["agent", "capability"]).to_dict("records"):
        calls = int(row["count"])
        rows.append(
            {
                "agent": str(row["agent"]),
                "tool": str(row["capability"]),
                "calls": calls,
                "errors": int(row["errors"]),
                "warnings": int(row["warnings"]),
                "mean_us": float(row["total_ns"]) / calls / 1e3 if calls else None,
                "p50_us": float(row["p50_ns"]) / 1e3 if calls else None,
                "p99_us": float(row["p99_ns"]) / 1e3 if calls else None,
                "max_us": float(row["max_ns"]) / 1e3 if calls else None,
                "total_s": float(row["total_ns"]) / 1e9,
            }
        )
    return rows


def refusals_over_time(folder: RunFolder) -> tuple[list[int], dict[str, list[int]]]:
    """Return the starts of equal stretches (whole days where the run is long) and, by reason, the counts.

    Reasons come with the most frequent first.
    """
    facts = folder.facts
    first, last = facts.start_ns // DAY_NS * DAY_NS, facts.end_ns
    days = max(1, -(-(last - first) // DAY_NS))
    step = max(1, -(-days // BINS)) * DAY_NS if days > 3 else max(1, (last - first) // 24)
    starts = list(range(first, last, step))
    refused = folder.table("decisions").query("not approved")
    counted: dict[str, list[int]] = {}
    for reason, part in refused.groupby("reason"):
        places = np.clip((part["ts_event"].to_numpy() - first) // step, 0, len(starts) - 1)
        counted[str(reason)] = np.bincount(places, minlength=len(starts)).tolist()
    return starts, dict(sorted(counted.items(), key=lambda item: -sum(item[1])))


def slippage_check(folder: RunFolder) -> list[dict[str, Any]]:
    """Return expected against paid slippage of entries that took liquidity, by strategy and over all.

    Expected is what execution said when it approved (of the whole entry at market); paid is the cost of the
    fills by their own notional.  Entries that rested in the book paid none and are left out.
    """
    approved = folder.table("decisions").query("approved")[["trace_id", "strategy", "expected_slippage_bps"]]
    fills = folder.table("fills")
    taken = fills[(fills["role"] == Role.ENTRY.value) & ~fills["maker"]]
    if taken.empty or approved.empty:
        return []
    notional = (taken["quantity"] * taken["price"]).groupby(taken["trace_id"]).sum()
    cost = taken["slippage_usd"].groupby(taken["trace_id"]).sum()
    paid = (1e4 * cost / notional).rename("paid_bps")
    both = approved.dropna().merge(paid, left_on="trace_id", right_index=True)
    rows = [_slippage_row(str(name), part) for name, part in both.groupby("strategy")]
    return [*rows, _slippage_row("all", both)] if rows else []


def _slippage_row(name: str, part: pd.DataFrame) -> dict[str, Any]:
    gap = part["paid_bps"] - part["expected_slippage_bps"]
    return {
        "strategy": name,
        "entries": len(part),
        "expected_bps": float(part["expected_slippage_bps"].mean()),
        "paid_bps": float(part["paid_bps"].mean()),
        "gap_bps": float(gap.mean()),
        "worst_gap_bps": float(gap.max()),
        "share_above": float((gap > 0).mean()),
    }
