"""Checks of money: the books rebuilt from fills and funding agree with what the desk wrote, to 1e-6 USDT."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from crupto_nautilus.reports.checks.base import MONEY_TOLERANCE, Check, Context, answer, near, when
from crupto_nautilus.reports.errors import RunFolderError
from crupto_nautilus.reports.ledger import Ledger, Position
from crupto_nautilus.reports.metrics import summarise

_RELATIVE = 1e-6
_MARK_TO_CLOSE = 0.005
# Summaries of older versions lack them.
_ADDED_FIGURES = frozenset(
    (
        *("liquidation_usd", "liquidations", "late_funding_usd"),
        *("challengers", "virtual_asset", "venue_equity_start"),
    )
)


def equity(context: Context) -> Check:
    """At every sample balance + unrealised = cash + margin + unrealised = equity, as the fills make it."""
    facts = context.folder.facts
    ledger = Ledger(facts.starting_equity, context.steps)
    leverage = context.limits.leverage_cap
    violations: list[str] = []
    samples: list[Any] = []
    states = [_state(ledger, leverage)]
    instant = None
    for event in [*context.timeline("fills", "funding", "equity"), None]:
        if event is None or event.ts_event != instant:
            # Several things may happen in one instant: a sample agrees with the books between two of them.
            for row in samples:
                violations += [f"{when(row.ts_event)}: {text}" for text in _sample_faults(row, states)]
            samples, states = [], states[-1:]
            if event is None:
                break
            instant = event.ts_event
        if event.table == "equity":
            samples.append(event.row)
            continue
        if event.table == "fills":
            ledger.apply_fill(event.row)
        else:
            ledger.apply_funding(event.row)
        states.append(_state(ledger, leverage))
    return answer("equity", f"{len(context.rows('equity')):,} samples", violations)


def _state(ledger: Ledger, leverage: float) -> tuple[float, float]:
    return ledger.balance, sum(abs(p.cost_usd) for p in ledger.open.values()) / leverage


def _sample_faults(row: Any, states: list[tuple[float, float]]) -> Iterator[str]:
    if not near(row.balance + row.unrealised_pnl, row.equity):
        parts = f"balance {row.balance:.8f} + unrealised {row.unrealised_pnl:.8f}"
        yield f"{parts} is not equity {row.equity:.8f}"
    if not any(near(row.balance, balance) for balance, _ in states):
        yield f"balance {row.balance:.8f}, rebuilt from the fills {states[-1][0]:.8f}"
        return
    fitting = [margin for balance, margin in states if near(row.balance, balance)]
    margins = [margin for margin in fitting if near(row.margin, margin, MONEY_TOLERANCE + _RELATIVE * margin)]
    if not margins:
        yield f"margin {row.margin:.8f}, rebuilt from the fills {fitting[-1]:.8f}"
    elif max(margins) == 0.0 and not near(row.unrealised_pnl, 0.0):
        yield f"unrealised PnL {row.unrealised_pnl:.8f} without a position"


def bookings(context: Context) -> Check:
    """Nothing is booked that cannot be: exits within the position, funding on what is held at its rate."""
    ledger = context.ledger
    detail = f"{len(context.rows('fills')):,} fills, {len(context.rows('funding')):,} fundings"
    return answer("bookings", detail, ledger.problems)


def trades(context: Context) -> Check:
    """The trades that were written are those that the fills make, each with its costs and its R."""
    rebuilt: dict[str, list[Position]] = defaultdict(list)
    for position in context.ledger.closed:
        rebuilt[position.trace_id].append(position)
    violations = []
    for row in context.rows("trades"):
        where = f"{row.trace_id} closed at {when(row.ts_event)}"
        candidates = [p for p in rebuilt[row.trace_id] if p.ts_close == row.ts_event]
        if not candidates:
            violations.append(f"{where}: the fills make no such trade")
            continue
        rebuilt[row.trace_id].remove(candidates[0])
        violations += [f"{where}: {text}" for text in _trade_faults(context, row, candidates[0])]
    missing = [p for positions in rebuilt.values() for p in positions]
    violations += [f"{p.trace_id} closed at {when(p.ts_close)}: not among the trades" for p in missing]
    return answer("trades", f"{len(context.rows('trades')):,} trades", violations)


def _trade_faults(context: Context, row: Any, made: Position) -> Iterator[str]:
    expected = {
        "ts_open": made.ts_open,
        "side": made.side,
        "entry_price": made.entry_price,
        "exit_price": made.exit_price,
        "gross_usd": made.gross_usd,
        "fees_usd": made.fees_usd,
        "slippage_usd": made.slippage_usd,
        "funding_usd": made.funding_usd,
        "liquidation_usd": made.liquidation_usd,
        "net_usd": row.gross_usd - row.fees_usd - row.slippage_usd + row.funding_usd + row.liquidation_usd,
        "r": row.net_usd / row.risk_usd if row.risk_usd else 0.0,
        "risk_usd": _planned_risk(context, row, made),
    }
    for name, value in expected.items():
        found = getattr(row, name)
        if value is not None and not near(found, value, MONEY_TOLERANCE + _RELATIVE * abs(value)):
            yield f"{name} is {found:.8g}, rebuilt {value:.8g}"


def _planned_risk(context: Context, row: Any, made: Position) -> float | None:
    """Money the plan risked on what filled; the plan's own quantity is its notional at the signal's price."""
    approval, signal = context.approvals.get(row.trace_id), context.signals.get(row.trace_id)
    if approval is None or signal is None or approval.notional_usd <= 0:
        return None
    return float(approval.risk_usd * made.entered * signal.reference_price / approval.notional_usd)


def change(context: Context) -> Check:
    """Net PnL of the trades, plus what open positions booked and show, is the change of equity."""
    facts, points = context.folder.facts, context.rows("equity")
    closed = sum(row.net_usd for row in context.rows("trades"))
    held = context.ledger.open.values()
    booked = sum(position.net_usd for position in held)
    unrealised = points[-1].unrealised_pnl if points else 0.0
    changed = (points[-1].equity if points else facts.starting_equity) - facts.starting_equity
    total = closed + booked + unrealised + context.ledger.late_funding_usd
    violations = []
    if not near(changed, total, MONEY_TOLERANCE):
        violations.append(f"equity changed by {changed:.8f}, the parts sum to {total:.8f} USDT")
    at_close, slack = _at_last_close(context, list(held))
    if points and not near(unrealised, at_close, MONEY_TOLERANCE + slack):
        violations.append(
            f"unrealised PnL {unrealised:.8f} at the end, at the last closes {at_close:.8f} USDT"
        )
    parts = f"closed {closed:+.6f} + open {booked + unrealised:+.6f} = {total:+.6f} USDT"
    detail = f"{parts}, change of equity {changed:+.6f}"
    return answer("change of equity", detail, violations)


def _at_last_close(context: Context, held: list[Position]) -> tuple[float, float]:
    """Return unrealised PnL at the last closes, and how far a mark price may be from a close."""
    unrealised = slack = 0.0
    for position in held:
        facts = context.instruments.get(position.instrument)
        if facts is None or facts.last_close is None:
            return 0.0, float("inf")
        unrealised += (facts.last_close - position.average_price) * position.side * position.quantity
        slack += _MARK_TO_CLOSE * position.quantity * facts.last_close
    return unrealised, slack


def summary(context: Context) -> Check:
    """`summary.json`, where there is one, says what the tables say."""
    folder = context.folder
    if not (folder.path / "summary.json").is_file():
        return answer("summary", "not written yet", ())
    try:
        written = folder.read_json("summary.json")
    except RunFolderError as error:
        return answer("summary", "unreadable", (error.message,))
    computed = summarise(folder)
    violations = list(_differences("", written, computed))
    return answer("summary", f"{len(computed)} figures recomputed", violations)


def _differences(path: str, written: Any, computed: Any) -> Iterator[str]:
    if isinstance(computed, dict) and isinstance(written, dict):
        for key, value in computed.items():
            if key in _ADDED_FIGURES and key not in written:
                continue
            yield from _differences(f"{path}.{key}" if path else key, written.get(key), value)
        return
    if isinstance(computed, list) and isinstance(written, list) and len(computed) == len(written):
        for index, value in enumerate(computed):
            yield from _differences(f"{path}[{index}]", written[index], value)
        return
    if isinstance(computed, float) and isinstance(written, int | float):
        if near(computed, written, 1e-9 + 1e-9 * abs(computed)):
            return
    elif written == (list(computed) if isinstance(computed, tuple) else computed):
        return
    yield f"{path}: written {written!r}, from the tables {computed!r}"
