"""The rows of a run folder from the journal: what a killed run said until its last checkpoint.

Guarantees: every table but `calls` and `benchmark` (totals and prices, written at the end of a run) comes
back with the values and the order in which it was recorded.  The sample of the books that an earlier session
took when it ended is left out: the run went on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from crupto_nautilus.journal.journal import Journal
from crupto_nautilus.journal.schema import SNAPSHOT
from crupto_nautilus.reports.rows import json_text
from risk.vocabulary import RegimeLabel

type Row = dict[str, Any]

CLOSE: Final = "close"  # cause of the sample at the end of a session

_SAME: Final = {
    "signals": "signals",
    "orders": "orders",
    "fills": "fills",
    "trades": "trades",
    "funding": "funding",
}
"""Tables whose columns have the same names here and there."""
_NOT_A_NUMBER: Final = {
    "signals": ("reference_price", "stop_distance", "stop_price", "confidence", "atr"),
    "funding": ("price", "rate"),
}
"""Columns that may hold NaN, which the journal stores as NULL."""


def folder_rows(journal: Journal, run_id: str) -> dict[str, list[Row]]:
    """Return the rows of a run by table of the run folder, each with its `seq`."""
    rows: dict[str, list[Row]] = {
        name: [_plain(name, row) for row in journal.read(source, run_id)] for name, source in _SAME.items()
    }
    rows["decisions"] = [_decision(row) for row in journal.read("decisions", run_id)]
    rows["equity"] = [
        _with_trace("equity", row)
        for row in journal.read("equity_snapshots", run_id)
        if row["cause"] != CLOSE
    ]
    rows["states"] = [_with_trace("state", row) for row in journal.read("desk_states", run_id)]
    for kind, (table, build) in _EVENTS.items():
        rows[table] = [build(row) for row in journal.read_events(run_id, kind)]
    return rows


def _plain(table: str, row: Row) -> Row:
    kept = {name: value for name, value in row.items() if name not in ("id", "run_id")}
    for name in _NOT_A_NUMBER.get(table, ()):
        if kept[name] is None:
            kept[name] = math.nan
    if kept.get("liquidation_usd", 0.0) is None:
        kept["liquidation_usd"] = 0.0
    return kept


def _with_trace(stem: str, row: Row) -> Row:
    return _plain(stem, row) | {"trace_id": f"{stem}/{row['ts_event']}"}


def _decision(row: Row) -> Row:
    kept = _plain("decisions", row)
    children = kept.pop("children")
    kept["n_children"] = 0 if children == "[]" else children.count(",") + 1
    if not kept["approved"]:
        kept |= dict.fromkeys(("quantity", "risk_usd", "risk_pct", "notional_usd"), 0.0)
    return kept | {"regime": kept["regime"] or "", "desk_mode": kept["desk_mode"] or ""}


def _regime(event: Row) -> Row:
    return {
        "ts_event": event["ts_event"],
        "trace_id": f"regime/{event['instrument']}/{event['ts_event']}",
        "instrument": event["instrument"],
        "label": event["label"],
        "code": RegimeLabel(event["label"]).code,
        "raw": event["raw"],
        "features": json_text(dict(event["features"])),
        "seq": event["seq"],
    }


def _entry(event: Row) -> Row:
    book = event.pop("snapshot", None) or {}
    return event | {name: book.get(name) for name in SNAPSHOT.split()}


def _safe_mode(event: Row) -> Row:
    pair = event.pop("pair") or ("", "")
    return event | {
        "trace_id": f"safe_mode/{event['ts_event']}",
        "pair_a": pair[0],
        "pair_b": pair[1],
    }


def _alarm(event: Row) -> Row:
    return event | {"trace_id": f"alarm/{event['ts_event']}"}


def _itself(event: Row) -> Row:
    return event


_EVENTS: Final[dict[str, tuple[str, Callable[[Row], Row]]]] = {
    "regime": ("regimes", _regime),
    "entry_done": ("entries", _entry),
    "protection": ("protections", _itself),
    "safe_mode": ("safe_mode", _safe_mode),
    "alarm": ("alarms", _alarm),
}
"""Kind of event -> table of the run folder and what makes its row."""
