"""The journal's tables as SQLAlchemy Core sees them.

`migrations/` creates them; a test compares the two.  Times are desk time in ns UTC, money is USDT, prices
are quote per base coin, quantities base coins, `_pct` is percent of equity.  Lists and mappings are JSON
text.  `seq` is the order in which the desk recorded events, over all tables of a run; 0 where it was not.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, MetaData, Table, Text
from sqlalchemy.types import TypeEngine

METADATA = MetaData()

_TYPES: dict[str, type[TypeEngine[Any]]] = {"i": BigInteger, "f": Double, "s": Text, "b": Boolean}


def _columns(groups: tuple[str, ...], keys: tuple[str, ...]) -> list[Column[Any]]:
    """Read column groups of the form "<type> <name> ..."; a `?` after the type allows NULL."""
    return [
        Column(name, _TYPES[kind.rstrip("?")](), nullable=kind.endswith("?"), primary_key=name in keys)
        for kind, *names in map(str.split, groups)
        for name in names
    ]


def _table(name: str, *groups: str, keys: tuple[str, ...] = ()) -> Table:
    own: list[Column[Any]] = (
        [] if keys else [Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)]
    )
    return Table(name, METADATA, *own, *_columns(groups, keys))


_WHO = "s trace_id strategy instrument"
SNAPSHOT = "equity risk_equity open_risk_pct reserved_risk_pct gross_pct net_pct effective_cap_pct"
"""Columns of the book around an answer."""

RUNS = _table(
    "runs",
    "s run_id mode command",
    "i start_ns",
    "i? end_ns",
    "s? exit_reason",
    "s config_hash governance_hash data_fingerprint git_revision record",
    "s? summary",
    "i last_seq",
    "s writer",
    keys=("run_id",),
)
STATE = _table("state", "s run_id", "i seq ts_event", "s state", keys=("run_id",))
POSITIONS = _table(
    "positions",
    "s run_id trace_id strategy instrument",
    "i side ts_open ts_event",
    "i? ts_close",
    "f entered entry_value exited exit_value",
    "f? stop_price",
    "s virtual_asset",
    keys=("run_id", "trace_id"),
)
SIGNALS = _table(
    "signals",
    "s run_id",
    "i ts_event",
    _WHO,
    "i minutes side",
    "f? reference_price stop_distance stop_price confidence atr",
    "s entry_style indicators",
    "i seq",
)
DECISIONS = _table(
    "decisions",
    "s run_id",
    "i ts_event",
    _WHO,
    "i side",
    "b approved",
    "s reason detail",
    "f? quantity risk_usd risk_pct notional_usd stop_price cost_r expected_slippage_bps",
    "s entry_style children clamps",
    "s? regime desk_mode",
    f"f? {SNAPSHOT}",
    "i seq",
)
ORDERS = _table(
    "orders",
    "s run_id",
    "i ts_event",
    _WHO,
    "s client_order_id role action",
    "i side",
    "f? quantity price",
    "s order_type",
    "b reduce_only",
    "s reason virtual_asset",
    "i seq",
)
FILLS = _table(
    "fills",
    "s run_id",
    "i ts_event ts_venue",
    _WHO,
    "s client_order_id role",
    "i side",
    "f? quantity price fee slippage_usd",
    "b maker",
    "s virtual_asset",
    "f? liquidation_usd",
    "i seq",
)
TRADES = _table(
    "trades",
    "s run_id",
    "i ts_open ts_event",
    _WHO,
    "i side",
    "f? quantity entry_price exit_price gross_usd fees_usd slippage_usd funding_usd net_usd risk_usd r",
    "s exit_reason virtual_asset",
    "f? liquidation_usd",
    "i seq",
)
FUNDING = _table(
    "funding",
    "s run_id",
    "i ts_event",
    _WHO,
    "i side",
    "f? quantity price rate amount_usd",
    "i seq ts_venue",
)
EQUITY = _table(
    "equity_snapshots",
    "s run_id",
    "i ts_event",
    "f? equity balance margin unrealised_pnl daily_pnl_pct drawdown_72h_pct open_risk_pct reserved_risk_pct",
    "f? gross_pct net_pct effective_cap_pct",
    "s desk_state",
    "f? cum_r",
    "s cause",
    "i seq",
)
CALLS = _table(
    "agent_calls",
    "s run_id",
    "i ts_event",
    "s agent capability trace_id",
    "i duration_ns",
    "s state error",
)
STATES = _table(
    "desk_states",
    "s run_id",
    "i ts_event",
    "s mode reason detail",
    "i cooling_until_ns",
    "b flatten",
    "i seq",
)
EVENTS = _table("events", "s run_id", "i ts_event", "s kind", _WHO, "s payload", "i seq")

HISTORY: tuple[Table, ...] = (
    SIGNALS,
    DECISIONS,
    ORDERS,
    FILLS,
    TRADES,
    FUNDING,
    EQUITY,
    CALLS,
    STATES,
    EVENTS,
)
"""Tables that only ever grow: one row an event."""
