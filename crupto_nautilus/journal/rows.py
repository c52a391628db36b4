"""From the desk's messages to rows of the journal.

Guarantees: every vocabulary message has a place, an unknown one raises instead of vanishing; values are
plain (no enum, no numpy scalar), so both databases store the same; NaN becomes NULL.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from sqlalchemy import BigInteger, Boolean, Double, Table, Text

from actors.sinks import Kept
from crupto_nautilus.journal.schema import (
    CALLS,
    DECISIONS,
    EQUITY,
    EVENTS,
    FILLS,
    FUNDING,
    ORDERS,
    SIGNALS,
    SNAPSHOT,
    STATES,
    TRADES,
)
from risk.vocabulary import (
    Alarm,
    Approved,
    DeskState,
    EntryDone,
    EquityPoint,
    Fill,
    FundingPaid,
    Mandate,
    OrderEvent,
    Protection,
    Refused,
    Regime,
    SafeMode,
    Signal,
    ToolCall,
    Trade,
)

type Row = tuple[object, ...]
type Convert = Callable[[Any], object]


def scalar(value: object) -> object:
    """Return a numpy scalar as a plain one, for `json.dumps(default=...)`; anything else raises TypeError."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"{type(value).__name__} does not belong into the journal, expected plain values")
    return item()


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=scalar)


def json_text(value: object) -> str:
    """Return compact JSON that both reads back and contains no NaN (null instead)."""
    try:
        return _ENCODER.encode(value)
    except ValueError:  # a NaN or an infinity
        return _ENCODER.encode(_plain(value))


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _real(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _pairs(pairs: Iterable[tuple[str, float]]) -> str:
    return json_text(dict(pairs))


def columns_of(table: Table) -> tuple[str, ...]:
    """Return the columns a row fills, in the row's order: all but the growing key, its number last."""
    names = [column.name for column in table.columns if column.name != "id"]
    return tuple(sorted(names, key=lambda name: name == "seq"))


_BESIDE = frozenset({"run_id", "seq", "regime", "desk_mode", *SNAPSHOT.split()})
"""Columns that no attribute of an answer fills."""


def _own_columns(table: Table) -> tuple[str, ...]:
    """Return the columns that the message itself fills."""
    beside = _BESIDE if table is DECISIONS else {"run_id", "seq"}
    return tuple(name for name in columns_of(table) if name not in beside)


def _converters(table: Table, special: Mapping[str, Convert]) -> tuple[Convert, ...]:
    plain: dict[type, Convert] = {BigInteger: int, Boolean: bool, Double: _real, Text: _text}
    return tuple(special.get(name, plain[type(table.columns[name].type)]) for name in _own_columns(table))


class _Attributes:
    """Take each column from the attribute of its name, or from the path given for it."""

    def __init__(
        self,
        table: Table,
        paths: Mapping[str, str] = MappingProxyType({}),
        special: Mapping[str, Convert] = MappingProxyType({}),
    ) -> None:
        self._read = attrgetter(*[paths.get(name, name) for name in _own_columns(table)])
        self._convert = _converters(table, special)
        self._numbered = "seq" in table.columns

    def __call__(self, run_id: str, kept: Kept) -> Row:
        # One C call reads all columns; this is the journal's hot loop.
        values = zip(self._convert, self._read(kept.message), strict=True)
        row = (run_id, *[convert(value) for convert, value in values])
        return (*row, kept.seq) if self._numbered else row


class _Decision:
    """An answer with what its plan or its refusal says."""

    def __init__(self) -> None:
        self._convert = _converters(DECISIONS, {"children": json_text, "clamps": json_text})

    def __call__(self, run_id: str, kept: Kept) -> Row:
        decision: Approved | Refused = kept.message  # type: ignore[assignment]
        signal = decision.signal
        values: tuple[object, ...]
        if isinstance(decision, Refused):
            unknown = (None,) * 4
            planned = (*unknown, signal.stop_price, None, None, signal.entry_style, (), ())
            values = (False, decision.reason, decision.detail, *planned)
        else:
            ticket = decision.ticket
            plan = ticket.plan
            values = (
                *(True, "", decision.detail),
                *(ticket.quantity, plan.risk_usd, plan.risk_pct, plan.notional_usd, plan.stop_price),
                *(plan.costs.cost_r, ticket.expected_slippage_bps, ticket.style),
                *(ticket.children, plan.clamps),
            )
        who = (decision.ts_event, signal.trace_id, signal.strategy, signal.instrument, signal.side)
        book = kept.snapshot or {}
        return (
            run_id,
            *[convert(value) for convert, value in zip(self._convert, who + values, strict=True)],
            None if kept.regime is None else str(kept.regime),
            None if kept.desk_mode is None else str(kept.desk_mode),
            *[_real(book.get(name)) for name in SNAPSHOT.split()],
            kept.seq,
        )


def _named(value: Any) -> Any:
    """Return a message as JSON-able values with the names of its fields, also of the messages inside it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _named(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):  # a named tuple
        return {name: _named(item) for name, item in value._asdict().items()}
    return [_named(item) for item in value] if isinstance(value, tuple | list) else value


class _Event:
    """A message without a table of its own, as JSON with the fields by which one looks for it."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __call__(self, run_id: str, kept: Kept) -> Row:
        message: Any = kept.message
        who = (getattr(message, name, "") for name in ("trace_id", "strategy", "instrument"))
        payload = _named(message)
        if kept.snapshot is not None:
            payload["snapshot"] = kept.snapshot
        return (
            *(run_id, int(message.ts_event), self._kind),
            *who,
            json_text(payload),
            kept.seq,
        )


_DECISION = _Decision()
_PLACES: dict[type, tuple[Table, Callable[[str, Kept], Row]]] = {
    Signal: (
        SIGNALS,
        _Attributes(SIGNALS, {"stop_distance": "exits.stop_distance"}, {"indicators": _pairs}),
    ),
    Approved: (DECISIONS, _DECISION),
    Refused: (DECISIONS, _DECISION),
    OrderEvent: (ORDERS, _Attributes(ORDERS)),
    Fill: (FILLS, _Attributes(FILLS)),
    Trade: (TRADES, _Attributes(TRADES)),
    FundingPaid: (FUNDING, _Attributes(FUNDING)),
    EquityPoint: (EQUITY, _Attributes(EQUITY)),
    ToolCall: (CALLS, _Attributes(CALLS)),
    DeskState: (STATES, _Attributes(STATES)),
    Regime: (EVENTS, _Event("regime")),
    Mandate: (EVENTS, _Event("mandate")),
    SafeMode: (EVENTS, _Event("safe_mode")),
    Protection: (EVENTS, _Event("protection")),
    EntryDone: (EVENTS, _Event("entry_done")),
    Alarm: (EVENTS, _Event("alarm")),
}


def rows_of(run_id: str, messages: Iterable[object]) -> dict[Table, list[Row]]:
    """Return the rows of messages (bare or `Kept`) by table, in their order and that of `columns_of`.

    Raises
    ------
    TypeError
        A message has no place in the journal.
    """
    rows: dict[Table, list[Row]] = {}
    for message in messages:
        kept = message if isinstance(message, Kept) else Kept(message)
        place = _PLACES.get(type(kept.message))
        if place is None:
            known = ", ".join(kind.__name__ for kind in _PLACES)
            raise TypeError(f"message was a {type(kept.message).__name__}, expected one of {known}")
        table, build = place
        rows.setdefault(table, []).append(build(run_id, kept))
    return rows
