"""Checks of the desk state: no entry while it forbids one, and the loss limits really did forbid."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from crupto_nautilus.reports.checks.base import Check, Context, answer, when
from crupto_nautilus.reports.ledger import ENTRY
from risk.vocabulary import DAY_NS, DeskMode

_DRAWDOWN_WINDOW_NS = 3 * DAY_NS
_UNDERSTATED_PCT = 1e-3


def desk_state(context: Context) -> Check:
    """No entry order is sent, and none approved, while the desk is locked, halted or cooling."""
    violations = []
    state: Any = None
    sent = 0
    for event in context.timeline("states", "decisions", "orders"):
        row = event.row
        if event.table == "states":
            state = row
            continue
        if event.table == "decisions":
            what = "approved" if row.approved else ""
        else:
            what = "entry order sent" if row.role == ENTRY and row.action == "submit" else ""
        if not what:
            continue
        sent += event.table == "orders"
        forbidden = _forbidden(state, row.ts_event)
        if forbidden:
            violations.append(f"{row.trace_id}: {what} at {when(row.ts_event)} while {forbidden}")
    return answer("desk state", f"{sent:,} entry orders, {len(context.rows('states')):,} states", violations)


def _forbidden(state: Any, ts: int) -> str:
    if state is None:
        return ""
    if state.mode != DeskMode.ACTIVE:
        return f"{state.mode} ({state.reason}) since {when(state.ts_event)}"
    if ts < state.cooling_until_ns:
        return f"cooling until {when(state.cooling_until_ns)}"
    return ""


def loss_limits(context: Context) -> Check:
    """After a sample at the daily loss or the 72 h drawdown limit nothing is approved until it is lifted.

    The drawdown is recomputed from the equity samples; a desk that understates it is found too.
    """
    limits = context.limits
    daily_day, killed = -1, False
    window: deque[tuple[int, float]] = deque()
    violations: list[str] = []
    worst_daily = worst_drawdown = 0.0
    halted = False
    for event in context.timeline("states", "equity", "decisions"):
        row = event.row
        if event.table == "states":
            if halted and row.mode != DeskMode.HALTED:  # an unlock starts a new window
                window.clear()
                killed = False
            halted = row.mode == DeskMode.HALTED
        elif event.table == "equity":
            drawdown = _drawdown_pct(window, row)
            worst_daily = min(worst_daily, row.daily_pnl_pct)
            worst_drawdown = min(worst_drawdown, drawdown)
            if row.drawdown_72h_pct > drawdown + _UNDERSTATED_PCT:
                violations.append(
                    f"{when(row.ts_event)}: 72 h drawdown is written as {row.drawdown_72h_pct:.4f} %, "
                    f"the samples show {drawdown:.4f} %"
                )
            if row.daily_pnl_pct <= -limits.max_daily_loss_pct:
                daily_day = row.ts_event // DAY_NS
            killed = killed or drawdown <= -limits.kill_switch_drawdown_72h
        elif row.approved:
            violations += _approved_beyond(row, daily_day, killed)
    detail = f"worst sampled day {worst_daily:.2f} %, worst 72 h drawdown {worst_drawdown:.2f} %"
    return answer("loss limits", detail, violations)


def _drawdown_pct(window: deque[tuple[int, float]], row: Any) -> float:
    """Recompute the drawdown from the highest sample of (t - 72 h, t]; the window keeps falling highs."""
    while window and window[-1][1] <= row.equity:
        window.pop()
    window.append((row.ts_event, row.equity))
    while window[0][0] <= row.ts_event - _DRAWDOWN_WINDOW_NS:
        window.popleft()
    return 100.0 * float(row.equity / window[0][1] - 1.0)


def _approved_beyond(row: Any, daily_day: int, killed: bool) -> Iterator[str]:
    if killed:
        yield f"{row.trace_id}: approved at {when(row.ts_event)} after the 72 h drawdown limit was reached"
    if row.ts_event // DAY_NS == daily_day:
        yield f"{row.trace_id}: approved at {when(row.ts_event)} after the daily loss limit was reached"
