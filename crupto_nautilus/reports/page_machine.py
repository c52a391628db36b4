"""The machinery in report.html: refusals over time, slippage expected and paid, latency of the agents."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import groupby
from typing import Any

from crupto_nautilus.reports.charts import Window, strip_axis
from crupto_nautilus.reports.machine import agent_latency, refusals_over_time, slippage_check
from crupto_nautilus.reports.page_parts import empty, section, table, toned
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.words import NOT_DEFINED, REFUSALS, count, number, percent, stamp

_SHOWN_REASONS = 8


def refusals_over_time_section(folder: RunFolder) -> str:
    """Return when which refusals came: a strip a reason, darker where there were more."""
    starts, counted = refusals_over_time(folder)
    if not counted:
        return section("Refusals over time", empty("nothing was refused"))
    window = Window(folder.facts.start_ns, folder.facts.end_ns)
    rows = ""
    for reason, counts in list(counted.items())[:_SHOWN_REASONS]:
        words = f'<span title="{escape(REFUSALS.get(reason, ""))}">{escape(reason)}</span>'
        rows += f'<div class="strip-row">{words}{_heat(starts, counts, reason)}</div>'
    left = list(counted.items())[_SHOWN_REASONS:]
    note = ""
    if left:
        rest = ", ".join(f"{reason} {count(sum(counts))}" for reason, counts in left)
        note = f'<p class="foot">Rarer: {escape(rest)}.</p>'
    lead = "Darker is more; each row is scaled by itself. The number of a stretch shows when you point at it."
    return section("Refusals over time", rows + strip_axis(window) + note, lead)


def _heat(starts: list[int], counts: list[int], reason: str) -> str:
    """Return a strip of stretches, shaded by their counts."""
    most, width = max(counts), 1000.0 / len(counts)
    cells = "".join(
        f'<rect class="heat" x="{k * width:.2f}" y="0" width="{width:.2f}" height="20" '
        f'style="opacity:{0.15 + 0.85 * n / most:.2f}">'
        f"<title>{stamp(starts[k])}: {n} {escape(reason)}</title></rect>"
        for k, n in enumerate(counts)
        if n
    )
    return (
        f'<svg class="strip" viewBox="0 0 1000 20" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(reason)} over time">'
        f'<rect class="heat-ground" width="1000" height="20"/>{cells}</svg>'
    )


def slippage(folder: RunFolder) -> str:
    """Return what entries were expected to lose to slippage, and what they paid."""
    rows = [
        (
            escape(row["strategy"]),
            count(row["entries"]),
            number(row["expected_bps"]),
            number(row["paid_bps"]),
            toned(-row["gap_bps"], number(row["gap_bps"], 2, sign=True)),
            number(row["worst_gap_bps"], 2, sign=True),
            percent(100 * row["share_above"], 0, sign=False),
        )
        for row in slippage_check(folder)
    ]
    head = ("<Strategy", "Entries", "Expected|bps", "Paid|bps", "Gap|bps", "Worst gap|bps", "Above|estimate")
    body = table(head, rows[:-1], rows[-1]) if rows else empty("no entry took liquidity")
    where = (
        "Fills of a replay are priced by a model, so this shows whether estimate and model agree."
        if folder.facts.mode in {"backtest", "paper"}
        else "Paid is what the venue's fills cost against the price at the signal."
    )
    return section("Slippage, expected and paid", body, f"Entries that took liquidity. {where}")


def latency(folder: RunFolder, summary: Mapping[str, Any]) -> str:
    """Return how long the tools of each agent took."""
    rows = []
    for agent, tools in groupby(agent_latency(folder), key=lambda row: row["agent"]):
        for place, row in enumerate(tools):
            trouble = f"{count(row['errors'])} / {count(row['warnings'])}"
            rows.append(
                (
                    escape(agent) if place == 0 else "",
                    f"<code>{escape(row['tool'])}</code>",
                    count(row["calls"]),
                    trouble if row["errors"] or row["warnings"] else NOT_DEFINED,
                    number(row["mean_us"], 1),
                    number(row["p50_us"], 1),
                    number(row["p99_us"], 1),
                    number(row["max_us"], 1),
                    number(row["total_s"], 2),
                )
            )
    head = (
        "<Agent", "<Tool", "Calls", "Errors /|slow", "Mean|us", "p50|us", "p99|us", "Largest|us", "All|s",
    )  # fmt: skip
    body = table(head, rows) if rows else empty("no tool was called")
    return section("Latency of the agents", body + _bar_to_order(summary), "Wall time of every tool call.")


def _bar_to_order(summary: Mapping[str, Any]) -> str:
    found = (summary.get("latency") or {}).get("orders") or {}
    if not found.get("count"):
        return ""
    return (
        f'<p class="foot">From the feed\'s bar to the order, all agents in between: p50 '
        f"{number(found['p50_us'] / 1000, 2)} ms, p99 {number(found['p99_us'] / 1000, 2)} ms, largest "
        f"{number(found['max_us'] / 1000, 2)} ms, over {count(found['count'])} orders.</p>"
    )
