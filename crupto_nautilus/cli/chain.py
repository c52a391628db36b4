"""The chain behind one trace id, read from a run folder: regime, mandate, signal, decision, orders, trade.

Guarantees: every number comes from the run's own files; a step that left no record says so instead of being
left out.  The steps are in the order in which the desk acted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from crupto_nautilus.cli.chain_decision import stages
from crupto_nautilus.errors import UsageError
from crupto_nautilus.reports.run_folder import RunFolder
from risk.vocabulary import side_name

_SHOWN_TRACES = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One link of the chain: what was said, when, and the numbers behind it."""

    name: str
    ts_event: int | None
    text: str
    numbers: Mapping[str, object] = field(default_factory=dict)


def chain(run: RunFolder, trace_id: str) -> list[Step]:
    """Return the steps of a trace id.

    Raises
    ------
    UsageError
        The run has no signal with this id.
    """
    signals = run.table("signals")
    rows = signals[signals["trace_id"] == trace_id]
    if rows.empty:
        known = list(signals["trace_id"].tail(_SHOWN_TRACES))
        raise UsageError(
            f"the run has no signal {trace_id}",
            found=trace_id,
            expected=f"a trace id such as {', '.join(known)}"
            if known
            else "a run with signals; this has none",
            remedy=f"`crupto why {run.run_id}` lists the latest decisions with their ids",
        )
    signal = _row(rows)
    decision = _row(_of(run, "decisions", trace_id))
    steps = [
        _regime(run, signal, decision),
        _mandate(run, signal, decision),
        _signal(signal),
        desk_state(run, int(signal["ts_event"])),
        *(
            Step(name, int(signal["ts_event"]), text, numbers)
            for name, text, numbers in stages(run, signal, decision)
        ),
        _decision(decision),
    ]
    if decision and decision["approved"]:
        steps.append(_ticket(decision))
        steps += _events(run, trace_id)
        exits = _exits(run, trace_id)
        steps += [exits] if exits is not None else []
        steps.append(_trade(run, trace_id))
    return steps


def regime_at(run: RunFolder, instrument: str, ts_event: int) -> dict[str, Any]:
    """Return the last regime row of an instrument at a time, or nothing."""
    regimes = run.table("regimes")
    return _row(regimes[(regimes["instrument"] == instrument) & (regimes["ts_event"] <= ts_event)].tail(1))


def desk_state(run: RunFolder, ts_event: int) -> Step:
    """Return what the desk as a whole was allowed to do at a time."""
    states = run.table("states")
    row = _row(states[states["ts_event"] <= ts_event].tail(1))
    if not row:
        return Step("desk", None, "ACTIVE since the start of the run")
    why = f" ({row['reason']}: {row['detail']})" if row["reason"] else ""
    return Step("desk", int(row["ts_event"]), f"{row['mode']}{why}")


def _regime(run: RunFolder, signal: Mapping[str, Any], decision: Mapping[str, Any]) -> Step:
    row = regime_at(run, signal["instrument"], int(signal["ts_event"]))
    if not row:
        text = f"{decision.get('regime') or 'unknown'}: no regime was published before the signal"
        return Step("regime", None, text)
    return Step(
        "regime", int(row["ts_event"]), f"{row['label']} since then", json.loads(row["features"] or "{}")
    )


def _mandate(run: RunFolder, signal: Mapping[str, Any], decision: Mapping[str, Any]) -> Step:
    label, strategy = decision.get("regime") or "unknown", signal["strategy"]
    regimes = run.facts.config.get("enable_map", {}).get("regimes")
    if regimes is None:
        return Step("mandate", None, "run.json holds no enable map")
    sides = regimes.get(label, {}).get(strategy, ())
    if not sides:
        return Step("mandate", None, f"enable_map.yaml allows {strategy} nothing in {label}")
    return Step("mandate", None, f"enable_map.yaml allows {strategy} {' and '.join(sides)} in {label}")


def _signal(row: Mapping[str, Any]) -> Step:
    text = (
        f"{row['strategy']} {side_name(row['side'])} {row['instrument']} at {row['reference_price']:g}, "
        f"stop {row['stop_price']:g}, confidence {row['confidence']:.2f}, entry {row['entry_style']}"
    )
    numbers = json.loads(row["indicators"] or "{}") | {
        "atr": row["atr"],
        "stop_distance": row["stop_distance"],
    }
    return Step("signal", int(row["ts_event"]), text, numbers)


def _decision(row: Mapping[str, Any]) -> Step:
    if not row:
        return Step("decision", None, "no answer is on record")
    if not row["approved"]:
        text = ": ".join(["refused", row["reason"], *filter(None, [row["detail"]])])
        return Step("decision", int(row["ts_event"]), text)
    numbers = {name: row[name] for name in ("equity", "risk_usd") if not pd.isna(row[name])}
    return Step("decision", int(row["ts_event"]), "approved", numbers)


def _ticket(row: Mapping[str, Any]) -> Step:
    size = f"quantity {row['quantity']:g} in {row['n_children']} orders"
    text = f"{row['entry_style']}, {size}, stop {row['stop_price']:g}"
    return Step("ticket", int(row["ts_event"]), text)


def _events(run: RunFolder, trace_id: str) -> list[Step]:
    found: list[tuple[int, Step]] = []
    for table, (name, describe) in _EVENTS.items():
        for row in _rows(_of(run, table, trace_id)):
            found.append((int(row["seq"]), Step(name, int(row["ts_event"]), describe(row))))
    found.sort(key=lambda pair: (pair[1].ts_event or 0, pair[0]))
    return [step for _, step in found]


def _order(row: Mapping[str, Any]) -> str:
    price = f" at {row['price']:g}" if row["price"] else ""
    reason = f" ({row['reason']})" if row["reason"] else ""
    kind = f" {row['order_type']}" if row["order_type"] else ""
    side = "buy" if row["side"] > 0 else "sell"
    return f"{row['role']} {row['action']}:{kind} {side} {row['quantity']:g}{price}{reason}"


def _fill(row: Mapping[str, Any]) -> str:
    side = "bought" if row["side"] > 0 else "sold"
    kind = "maker" if row["maker"] else "taker"
    return (
        f"{row['role']} {side} {row['quantity']:g} at {row['price']:g} ({kind}), "
        f"fee {row['fee']:.4g}, slippage {row['slippage_usd']:.4g} USDT{_taken_over(row)}"
    )


def _taken_over(row: Mapping[str, Any]) -> str:
    borne = row["liquidation_usd"]
    return f": LIQUIDATED, the venue bore {borne:.4g} USDT" if borne else ""


def _entry(row: Mapping[str, Any]) -> str:
    reason = f" ({row['reason']})" if row["reason"] else ""
    if not row["filled"]:
        return f"entry over, nothing filled{reason}"
    return f"entry over: {row['filled']:g} at {row['average_price']:g}{reason}"


def _protection(row: Mapping[str, Any]) -> str:
    if not row["stop_price"]:
        return "no stop works"
    return f"stop works at {row['stop_price']:g} for {row['quantity']:g}"


def _funding(row: Mapping[str, Any]) -> str:
    verb = "received" if row["amount_usd"] >= 0 else "paid"
    why = "as the venue's account shows it" if row["ts_venue"] else f"rate {row['rate']:g}"
    return f"funding {verb} {abs(row['amount_usd']):.4g} USDT ({why})"


_EVENTS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], str]]] = {
    "orders": ("order", _order),
    "fills": ("fill", _fill),
    "entries": ("entry", _entry),
    "protections": ("protection", _protection),
    "funding": ("funding", _funding),
}


_TRADE_FIGURES = (
    *("gross_usd", "fees_usd", "slippage_usd", "funding_usd", "liquidation_usd"),
    *("net_usd", "risk_usd", "r"),
)


def _exits(run: RunFolder, trace_id: str) -> Step | None:
    """Return how the position was to be left and by what it was, in one line an exit."""
    fills = _of(run, "fills", trace_id)
    entries, exits = fills[fills["role"] == "entry"], fills[fills["role"] != "entry"]
    if entries.empty:
        return None
    average = float((entries["price"] * entries["quantity"]).sum() / entries["quantity"].sum())
    side = int(entries["side"].iloc[0])
    stops = _of(run, "protections", trace_id)
    first = float(stops["stop_price"].iloc[0]) if len(stops) else 0.0
    one_r = abs(average - first) if first else 0.0
    numbers: dict[str, object] = {"average_entry": average}
    if one_r:
        numbers["stop_first"] = f"{first:.6g} (1 R = {one_r:.6g})"
        numbers["stop_moves"] = max(0, stops[stops["stop_price"] > 0]["stop_price"].nunique() - 1)
        numbers["stop_last"] = float(stops[stops["stop_price"] > 0]["stop_price"].iloc[-1])
    for number, row in enumerate(_rows(exits), start=1):
        in_r = f" = {(row['price'] - average) * side / one_r:+.2f} R" if one_r else ""
        numbers[f"{number} {row['role']}"] = f"{row['quantity']:g} at {row['price']:g}{in_r}"
    left = float(entries["quantity"].sum() - exits["quantity"].sum())
    text = "closed" if abs(left) < 1e-9 else f"{left:g} still open"
    return Step("exits", int(fills["ts_event"].iloc[-1]), text, numbers)


def _trade(run: RunFolder, trace_id: str) -> Step:
    row = _row(_of(run, "trades", trace_id))
    if not row:
        return Step("trade", None, "no closed trade: nothing was filled, or the position was open at the end")
    text = (
        f"closed by {row['exit_reason']}: {row['entry_price']:g} -> {row['exit_price']:g}, "
        f"net {row['net_usd']:.4g} USDT = {row['r']:.3g} R"
    )
    return Step("trade", int(row["ts_event"]), text, {name: row[name] for name in _TRADE_FIGURES})


def _of(run: RunFolder, name: str, trace_id: str) -> pd.DataFrame:
    frame = run.table(name)
    return frame[frame["trace_id"] == trace_id]


def _rows(frame: pd.DataFrame) -> Iterable[dict[str, Any]]:
    return ({str(key): value for key, value in row.items()} for row in frame.to_dict("records"))


def _row(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the last row, or an empty dict."""
    rows = list(_rows(frame.tail(1)))
    return rows[0] if rows else {}
