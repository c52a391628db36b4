"""From the desk's messages to the columns of a table.

Guarantees: every vocabulary message has exactly one table; the column of a field has the field's name; a
missing value of a column that may not be null raises instead of becoming 0.  NaN inside a JSON column becomes
null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, cast

import pyarrow as pa

from crupto_nautilus.reports.errors import RunFolderError
from crupto_nautilus.reports.schema import SNAPSHOT_COLUMNS, TABLES, TIMELESS
from risk.vocabulary import (
    Alarm,
    Approved,
    DeskState,
    EntryDone,
    EquityPoint,
    Fill,
    FundingPaid,
    OrderEvent,
    Protection,
    Refused,
    Regime,
    SafeMode,
    Signal,
    Trade,
)

Row = Mapping[str, object]

TABLE_OF: dict[type, str] = {
    Signal: "signals",
    OrderEvent: "orders",
    Fill: "fills",
    Trade: "trades",
    EquityPoint: "equity",
    Regime: "regimes",
    FundingPaid: "funding",
    Protection: "protections",
    DeskState: "states",
    SafeMode: "safe_mode",
    Alarm: "alarms",
    EntryDone: "entries",
}
"""The table of each message that is a row by itself (decisions are built by `decision_row`)."""


def json_text(value: object) -> str:
    """Return compact JSON; pairs become an object, NaN and infinities null."""
    return json.dumps(_plain(value), separators=(",", ":"), allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _pairs(pairs: Iterable[tuple[str, float]]) -> str:
    return json_text(dict(pairs))


# Columns that are not simply the attribute of the same name.
_DERIVED: dict[tuple[str, str], Callable[[Any], object]] = {
    ("signals", "stop_distance"): attrgetter("exits.stop_distance"),
    ("signals", "indicators"): lambda row: _pairs(row.indicators),
    ("regimes", "code"): attrgetter("label.code"),
    ("regimes", "features"): lambda row: _pairs(row.features),
    ("regimes", "trace_id"): lambda row: f"regime/{row.instrument}/{row.ts_event}",
    ("equity", "trace_id"): lambda row: f"equity/{row.ts_event}",
    ("states", "trace_id"): lambda row: f"state/{row.ts_event}",
    ("states", "reason"): lambda row: row.reason or "",
    ("safe_mode", "trace_id"): lambda row: f"safe_mode/{row.ts_event}",
    ("safe_mode", "pair_a"): lambda row: row.pair[0] if row.pair else "",
    ("safe_mode", "pair_b"): lambda row: row.pair[1] if row.pair else "",
    ("alarms", "trace_id"): lambda row: f"alarm/{row.ts_event}",
}


def decision_row(
    decision: Approved | Refused,
    *,
    regime: str,
    desk_mode: str,
    snapshot: Mapping[str, float] | None = None,
) -> dict[str, object]:
    """Return the `decisions` row of an answer.

    `snapshot` is the book WITH the candidate in it (keys `SNAPSHOT_COLUMNS`); a refusal may have none.
    """
    signal = decision.signal
    row: dict[str, object] = {
        "ts_event": decision.ts_event,
        "trace_id": signal.trace_id,
        "strategy": signal.strategy,
        "instrument": signal.instrument,
        "side": signal.side,
        "detail": decision.detail,
        "regime": regime,
        "desk_mode": desk_mode,
    }
    if isinstance(decision, Approved):
        plan = decision.ticket.plan
        row |= {
            "approved": True,
            "reason": "",
            "quantity": decision.ticket.quantity,
            "risk_usd": plan.risk_usd,
            "risk_pct": plan.risk_pct,
            "notional_usd": plan.notional_usd,
            "stop_price": plan.stop_price,
            "cost_r": plan.costs.cost_r,
            "expected_slippage_bps": decision.ticket.expected_slippage_bps,
            "entry_style": decision.ticket.style,
            "n_children": len(decision.ticket.children),
            "clamps": json_text(plan.clamps),
        }
    else:
        row |= {
            "approved": False,
            "reason": decision.reason,
            "quantity": 0.0,
            "risk_usd": 0.0,
            "risk_pct": 0.0,
            "notional_usd": 0.0,
            "stop_price": signal.stop_price,
            "entry_style": signal.entry_style,
            "n_children": 0,
            "clamps": "[]",
        }
    return row | _snapshot(snapshot)


def entry_row(entry: EntryDone, snapshot: Mapping[str, float] | None = None) -> dict[str, object]:
    """Return the `entries` row of an entry that is over, with the book after it."""
    names = ("ts_event", "trace_id", "strategy", "instrument", "filled", "average_price", "reason")
    return {name: getattr(entry, name) for name in names} | _snapshot(snapshot)


def _snapshot(snapshot: Mapping[str, float] | None) -> dict[str, object]:
    values = snapshot or {}
    return {name: values.get(name) for name in SNAPSHOT_COLUMNS}


def to_table(
    name: str, rows: Sequence[object] | Mapping[str, Any], seq: Sequence[int] | None = None
) -> pa.Table:
    """Return `rows` as the arrow table `name`.

    Parameters
    ----------
    rows
        A list of vocabulary messages or of dicts, or a mapping of column name to values (lists or arrays).
    seq
        Recording order of the rows; 0 everywhere when absent.

    Raises
    ------
    RunFolderError
        An unknown table, an unknown or missing column, or a value of the wrong type.
    """
    schema = TABLES.get(name)
    if schema is None:
        raise RunFolderError(
            f"unknown table {name!r}",
            found=name,
            expected=", ".join(TABLES),
            remedy="use a table of reports/schema.py",
        )
    try:
        columns = _columns(name, schema, rows, seq)
        arrays = [_array(columns[field.name], field) for field in schema]
        return pa.Table.from_arrays(arrays, schema=schema)
    except (pa.ArrowException, KeyError, AttributeError, TypeError) as error:
        raise RunFolderError(
            f"table {name}: a row does not fit the schema: {error}",
            found=type(error).__name__,
            expected=", ".join(schema.names),
            remedy="compare the row with reports/schema.py",
        ) from error


def _array(values: Any, field: pa.Field[Any]) -> pa.Array[Any]:
    array = values if isinstance(values, pa.Array) else pa.array(values, type=field.type)
    if array.type != field.type:
        array = array.cast(field.type)
    if array.null_count and not field.nullable:
        raise TypeError(f"column {field.name} has {array.null_count} missing values")
    return array


def _columns(
    name: str, schema: pa.Schema, rows: Sequence[object] | Mapping[str, Any], seq: Sequence[int] | None
) -> dict[str, Any]:
    if isinstance(rows, Mapping):
        columns = dict(rows)
        length = len(next(iter(columns.values()))) if columns else 0
        if unknown := sorted(set(columns) - set(schema.names)):
            raise KeyError(f"unknown columns {', '.join(unknown)}")
        if name not in TIMELESS and "seq" not in columns:
            columns["seq"] = [0] * length if seq is None else seq
        if not length:
            columns = {field: columns.get(field, []) for field in schema.names}
        return columns
    as_dicts = bool(rows) and isinstance(rows[0], Mapping)
    if as_dicts and (unknown := sorted({key for row in rows for key in cast(Row, row)} - set(schema.names))):
        raise KeyError(f"unknown columns {', '.join(unknown)}")
    getter = _dict_column if as_dicts else _message_column
    columns = {field.name: getter(name, field, rows) for field in schema if field.name != "seq"}
    if name not in TIMELESS:
        if seq is None:
            seq = [cast(int, cast(Row, row).get("seq", 0)) if as_dicts else 0 for row in rows]
        columns["seq"] = seq
    return columns


def _dict_column(name: str, field: pa.Field[Any], rows: Sequence[Any]) -> list[object]:
    if field.nullable:
        return [row.get(field.name) for row in rows]
    if field.name == "trace_id":
        return [row.get("trace_id") or f"{name}/{row['ts_event']}" for row in rows]
    return [row[field.name] for row in rows]


def _message_column(name: str, field: pa.Field[Any], rows: Sequence[Any]) -> list[object]:
    column = field.name
    derived = _DERIVED.get((name, column))
    if derived is not None:
        return list(map(derived, rows))
    if name == "entries" and column in SNAPSHOT_COLUMNS:
        return [None] * len(rows)
    return list(map(attrgetter(column), rows))
