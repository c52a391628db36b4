"""One row a position, kept up to date by fills, protections and trades in the same transaction as these.

`entered` and `exited` are base coins, `entry_value` and `exit_value` quantity times fill price: the
average entry is `entry_value / entered`, what is held is `entered - exited`.  `ts_close` is NULL while
the position is open.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from actors.sinks import Kept
from risk.vocabulary import Fill, Protection, Role, Trade

_SUMS = ("entered", "entry_value", "exited", "exit_value")
_WHO = ("run_id", "trace_id", "strategy", "instrument")
_COLUMNS = (*_WHO, "side", "ts_open", "ts_event", *_SUMS, "virtual_asset")
_ADD_FILL = (
    f"INSERT INTO positions ({', '.join(_COLUMNS)}) VALUES ({', '.join(['?'] * len(_COLUMNS))}) "  # noqa: S608
    "ON CONFLICT (run_id, trace_id) DO UPDATE SET ts_event = excluded.ts_event, "
    + ", ".join(f"{name} = positions.{name} + excluded.{name}" for name in _SUMS)
)
_SET_STOP = "UPDATE positions SET stop_price = ?, ts_event = ? WHERE run_id = ? AND trace_id = ?"
_SET_CLOSED = (
    "UPDATE positions SET ts_close = ?, ts_event = ?, stop_price = NULL WHERE run_id = ? AND trace_id = ?"
)

type Values = tuple[object, ...]


def keep_positions(connection: Connection, run_id: str, messages: Sequence[object]) -> None:
    """Apply the messages that change a position; others are passed over."""
    fills: list[Values] = []
    stops: list[Values] = []
    closed: list[Values] = []
    for item in messages:
        message = item.message if isinstance(item, Kept) else item
        if isinstance(message, Fill):
            fills.append(_fill(run_id, message))
        elif isinstance(message, Protection):
            stop = float(message.stop_price) or None
            stops.append((stop, int(message.ts_event), run_id, message.trace_id))
        elif isinstance(message, Trade):
            closed.append((int(message.ts_event), int(message.ts_event), run_id, message.trace_id))
    # Sums commute and a trade closes after its last fill, so the kinds may be applied one after the other.
    for sql, rows in ((_ADD_FILL, fills), (_SET_STOP, stops), (_SET_CLOSED, closed)):
        if rows:
            mark = "%s" if connection.dialect.name == "postgresql" else "?"
            connection.exec_driver_sql(sql.replace("?", mark), rows)


def _fill(run_id: str, fill: Fill) -> Values:
    quantity, value = float(fill.quantity), float(fill.quantity * fill.price)
    entry = fill.role == Role.ENTRY
    sums = (quantity, value, 0.0, 0.0) if entry else (0.0, 0.0, quantity, value)
    side = int(fill.side) if entry else -int(fill.side)
    ts = int(fill.ts_event)
    who = (run_id, fill.trace_id, fill.strategy, fill.instrument)
    return (*who, side, ts, ts, *sums, fill.virtual_asset)
