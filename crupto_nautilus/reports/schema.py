"""The tables of a run folder: names, columns and types, fixed as pyarrow schemas.

Guarantees: every event table carries `ts_event` (desk time, ns UTC), `trace_id` and `seq`; `seq` is the order
in which the desk recorded the event over ALL tables of the run (0 where it was not recorded), so that events
of one instant can be put back into their order.  Money is USDT, prices are quote per base coin, quantities
base coins, `_pct` is percent of equity.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 2

_TYPES: dict[str, pa.DataType] = {
    "i": pa.int64(),
    "f": pa.float64(),
    "s": pa.string(),
    "b": pa.bool_(),
}

# One line a column group: "<type> <name> ...".  A name that ends in "?" may be null.
_SNAPSHOT = "f equity? risk_equity? open_risk_pct? reserved_risk_pct? gross_pct? net_pct? effective_cap_pct?"

_COLUMNS: dict[str, tuple[str, ...]] = {
    "signals": (
        "s strategy instrument",
        "i minutes side",
        "f reference_price stop_distance stop_price confidence atr",
        "s entry_style indicators",
    ),
    "decisions": (
        "s strategy instrument",
        "i side",
        "b approved",
        "s reason detail",
        "f quantity risk_usd risk_pct notional_usd stop_price cost_r? expected_slippage_bps?",
        "s entry_style",
        "i n_children",
        "s clamps regime desk_mode",
        _SNAPSHOT,
    ),
    "entries": ("s strategy instrument", "f filled average_price", "s reason", _SNAPSHOT),
    "orders": (
        "s strategy instrument client_order_id role action",
        "i side",
        "f quantity price",
        "s order_type",
        "b reduce_only",
        "s reason virtual_asset",
    ),
    "fills": (
        "i ts_venue",
        "s strategy instrument client_order_id role",
        "i side",
        "f quantity price fee slippage_usd",
        "b maker",
        "s virtual_asset",
        "f liquidation_usd",
    ),
    "trades": (
        "i ts_open",
        "s strategy instrument",
        "i side",
        "f quantity entry_price exit_price gross_usd fees_usd slippage_usd funding_usd net_usd risk_usd r",
        "s exit_reason virtual_asset",
        "f liquidation_usd",
    ),
    "equity": (
        "f equity balance margin unrealised_pnl daily_pnl_pct drawdown_72h_pct",
        "f open_risk_pct reserved_risk_pct gross_pct net_pct effective_cap_pct",
        "s desk_state",
        "f cum_r",
        "s cause",
    ),
    "regimes": ("s instrument label", "i code", "s raw features"),
    "funding": ("s strategy instrument", "i side", "f quantity price rate amount_usd", "i ts_venue"),
    "protections": ("s strategy instrument", "f stop_price quantity"),
    "states": ("s mode reason detail", "i cooling_until_ns", "b flatten"),
    "safe_mode": ("b active", "f largest", "s pair_a pair_b", "f effective_cap_pct"),
    "alarms": ("s kind subject detail",),
    "benchmark": ("s instrument", "f close funding_per_coin?"),
    "calls": ("s agent capability", "i count errors warnings total_ns p50_ns p99_ns max_ns"),
}

TIMELESS = frozenset({"calls"})
"""Tables of totals: no `ts_event`, `trace_id` or `seq`."""

SNAPSHOT_COLUMNS: tuple[str, ...] = tuple(name.rstrip("?") for name in _SNAPSHOT.split()[1:])
"""The book WITH the candidate in it (percentages of `risk_equity`), as decisions and entries carry it."""


def _schema(name: str) -> pa.Schema:
    groups = _COLUMNS[name] if name in TIMELESS else ("i ts_event", "s trace_id", *_COLUMNS[name], "i seq")
    fields: list[pa.Field[Any]] = []
    for group in groups:
        kind, *names = group.split()
        fields += [pa.field(n.rstrip("?"), _TYPES[kind], nullable=n.endswith("?")) for n in names]
    return pa.schema(fields, metadata={"table": name, "schema_version": str(SCHEMA_VERSION)})


TABLES: dict[str, pa.Schema] = {name: _schema(name) for name in _COLUMNS}
"""Table name -> schema; the file is `<name>.parquet`."""

ADDED: dict[str, dict[str, float]] = {
    "fills": {"liquidation_usd": 0.0},
    "trades": {"liquidation_usd": 0.0},
    "funding": {"ts_venue": 0},
}
"""Columns that runs of older versions lack, by table, with what their absence means."""


def completed(name: str, table: pa.Table) -> pa.Table:
    """Return a table with the columns that its older version did not have yet; others stay missing."""
    added = {c: v for c, v in ADDED.get(name, {}).items() if c not in table.schema.names}
    schema = TABLES[name]
    if not added or set(table.schema.names) | set(added) != set(schema.names):
        return table
    for column, value in added.items():
        field = schema.field(column)
        table = table.append_column(field, pa.array([value] * table.num_rows, field.type))
    return table.select(schema.names)
