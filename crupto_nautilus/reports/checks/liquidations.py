"""Check of liquidations: an exit beyond the liquidation price costs the isolated margin, and is announced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from crupto_nautilus.reports.checks.base import MONEY_TOLERANCE, Check, Context, answer, when
from crupto_nautilus.reports.ledger import ENTRY
from risk.liquidation import LIQUIDATION, takeover


def liquidations(context: Context) -> Check:
    """Every exit at or beyond the liquidation price is settled at the bankruptcy price, and no other one.

    The venue reckons with the entry price that was known when the exit was placed; an entry in slices may
    have moved its average since, so any price at which the position was entered counts.
    """
    entries = _entry_prices(context)
    announced = {row.subject for row in context.rows("alarms") if row.kind == LIQUIDATION}
    violations: list[str] = []
    notes: set[str] = set()
    taken: set[str] = set()
    for row in context.rows("fills"):
        if row.role == ENTRY or row.trace_id not in entries:
            continue
        where = f"{row.trace_id} {row.role} fill at {when(row.ts_event)}"
        facts = context.instruments.get(row.instrument)
        if facts is None or facts.maintenance_margin is None:
            notes.add(f"{row.instrument}: the run is older than liquidations, its maintenance margin unknown")
        else:
            faults = _faults(context, row, entries[row.trace_id], facts.maintenance_margin)
            violations += [f"{where}: {text}" for text in faults]
        if row.liquidation_usd:
            taken.add(row.trace_id)
    violations += [f"{trace}: liquidated without an alarm" for trace in sorted(taken - announced)]
    return answer("liquidations", f"{len(taken):,} positions", violations, sorted(notes))


def _entry_prices(context: Context) -> dict[str, tuple[float, float]]:
    """Return the lowest and highest price at which each position was or might have been entered."""
    prices: dict[str, list[float]] = defaultdict(list)
    for row in context.rows("fills"):
        if row.role == ENTRY:
            prices[row.trace_id].append(row.price)
    for row in context.rows("orders"):
        if row.role == ENTRY and row.price > 0 and row.trace_id in prices:
            prices[row.trace_id].append(row.price)
    return {trace: (min(found), max(found)) for trace, found in prices.items()}


def _faults(
    context: Context, row: Any, entered: tuple[float, float], maintenance_margin: float
) -> Iterator[str]:
    leverage = context.limits.leverage_cap
    ends = [takeover(-row.side, price, leverage, maintenance_margin) for price in entered]
    due = [end.due(row.price) for end in ends]
    borne = sorted((end.bankruptcy_price - row.price) * -row.side * row.quantity for end in ends)
    fits = borne[0] - MONEY_TOLERANCE <= row.liquidation_usd <= borne[1] + MONEY_TOLERANCE
    if all(due) and not fits:
        yield (
            f"at {row.price:g}, beyond the liquidation price {ends[0].liquidation_price:g}: the venue bore "
            f"{row.liquidation_usd:.8f} USDT, expected {borne[0]:.8f}"
        )
    elif not any(due) and row.liquidation_usd:
        yield (
            f"at {row.price:g}, inside the liquidation price {ends[0].liquidation_price:g}, but the venue "
            f"bore {row.liquidation_usd:.8f} USDT"
        )
    elif row.liquidation_usd and not fits:
        yield f"at {row.price:g}: the venue bore {row.liquidation_usd:.8f} USDT, expected {borne[0]:.8f}"
    if row.liquidation_usd and row.slippage_usd > MONEY_TOLERANCE:
        yield f"slippage of {row.slippage_usd:.8f} USDT on a position that the venue took over"
