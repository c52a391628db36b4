"""Check of stops: a position has a working stop from its first fill until it is flat.

A stop works if the desk says so (`protections`) AND a stop order of that position, at that price, is with
the venue (`orders`).  A gap of at most one base bar is allowed; desk time is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from crupto_nautilus.reports.checks.base import Check, Context, answer, when
from crupto_nautilus.reports.ledger import Key, Ledger
from risk.vocabulary import MINUTE_NS

_ENDED = ("rejected", "denied", "canceled", "expired")


@dataclass(slots=True)
class _Guard:
    """What protects one position."""

    trace_id: str
    instrument: str
    stop_price: float = 0.0
    stop_quantity: float = 0.0
    naked_since: int | None = None
    prices: dict[str, float] = field(default_factory=dict)  # working stop orders: id -> trigger


class _Watch:
    def __init__(self, context: Context) -> None:
        self.context = context
        self.ledger = Ledger(context.folder.facts.starting_equity, context.steps)
        self.guards: dict[Key, _Guard] = {}
        self.orders: dict[str, dict[str, float]] = {}  # trace id -> working stop orders
        self.violations: list[str] = []
        self.longest = 0

    def on_fill(self, row: Any) -> None:
        key = (row.strategy, row.instrument)
        self.ledger.apply_fill(row)
        position = self.ledger.open.get(key)
        if position is None:
            guard = self.guards.pop(key, None)
            if guard is not None:
                self._close_gap(guard, row.ts_event)
            return
        if key not in self.guards or self.guards[key].trace_id != position.trace_id:
            working = self.orders.setdefault(position.trace_id, {})
            self.guards[key] = _Guard(position.trace_id, row.instrument, prices=working)
        self._judge(key, row.ts_event)

    def on_protection(self, row: Any) -> None:
        key = (row.strategy, row.instrument)
        guard = self.guards.get(key)
        if guard is None or guard.trace_id != row.trace_id:
            return
        guard.stop_price, guard.stop_quantity = row.stop_price, row.quantity
        self._judge(key, row.ts_event)

    def on_order(self, row: Any) -> None:
        if row.role != "stop":
            return
        working = self.orders.setdefault(row.trace_id, {})
        if row.action in ("accepted", "updated"):
            working[row.client_order_id] = row.price
        elif row.action in _ENDED:
            working.pop(row.client_order_id, None)
        self._judge((row.strategy, row.instrument), row.ts_event)

    def _judge(self, key: Key, ts: int) -> None:
        guard, position = self.guards.get(key), self.ledger.open.get(key)
        if guard is None or position is None:
            return
        tick = self.context.instruments[key[1]].tick if key[1] in self.context.instruments else 0.0
        held = position.quantity - self.context.dust(key[1])
        covered = (
            guard.stop_price > 0
            and guard.stop_quantity >= held
            and any(abs(price - guard.stop_price) < max(tick / 2, 1e-12) for price in guard.prices.values())
        )
        if covered:
            self._close_gap(guard, ts)
        elif guard.naked_since is None:
            guard.naked_since = ts

    def _close_gap(self, guard: _Guard, ts: int) -> None:
        if guard.naked_since is None:
            return
        gap, since = ts - guard.naked_since, guard.naked_since
        guard.naked_since = None
        self.longest = max(self.longest, gap)
        facts = self.context.instruments.get(guard.instrument)
        if gap > (facts.base_minutes if facts else 0) * MINUTE_NS:
            self.violations.append(
                f"{guard.trace_id}: no working stop from {when(since)} for {gap / MINUTE_NS:g} minutes"
            )

    def finish(self, ts: int) -> Iterator[str]:
        for guard in self.guards.values():
            self._close_gap(guard, ts)
        yield from self.violations


def stops(context: Context) -> Check:
    """Every position had a working stop from its first fill until it was flat."""
    watch = _Watch(context)
    positions = 0
    for event in context.timeline("fills", "orders", "protections"):
        if event.table == "fills":
            before = len(watch.guards)
            watch.on_fill(event.row)
            positions += len(watch.guards) > before
        elif event.table == "orders":
            watch.on_order(event.row)
        else:
            watch.on_protection(event.row)
    violations = list(watch.finish(context.folder.facts.end_ns))
    detail = f"{positions:,} positions, longest gap {watch.longest / MINUTE_NS:g} minutes of desk time"
    return answer("stops", detail, violations)
