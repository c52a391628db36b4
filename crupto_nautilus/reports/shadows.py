"""What the challengers in shadow did, in the folder of the run they ran beside.

Guarantees: `shadow/<id>.parquet` holds every signal, answer, fill, settlement, trade and equity sample of one
challenger in the order in which they happened, so that research reads its evidence from one file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from crupto_nautilus.reports.run_folder import RunFolder

SHADOW = "shadow"

_INTEGERS = ("ts_event", "side", "ts_open", "seq")
_TEXTS = ("kind", "trace_id", "strategy", "instrument", "reason")
# kind: signal approved refused fill funding trade equity
# reason: role of a fill, exit of a trade, reason of a refusal, cause of a sample
_COLUMNS = (
    *("ts_event", "kind", "trace_id", "strategy", "instrument", "side", "quantity", "price"),
    *("fee_usd", "slippage_usd", "funding_usd", "net_usd", "r", "equity", "reason", "ts_open", "seq"),
)


def _type(name: str) -> pa.DataType:
    if name in _INTEGERS:
        return pa.int64()
    return pa.string() if name in _TEXTS else pa.float64()


EVIDENCE = pa.schema([pa.field(name, _type(name)) for name in _COLUMNS])
"""Columns of `shadow/<id>.parquet`; those that a kind does not have are null."""

# kind of the row -> (table, evidence column: table column)
_SAME = {name: name for name in ("ts_event", "trace_id", "strategy", "instrument", "side", "seq")}
_KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "signal": ("signals", {"price": "reference_price"}),
    "decision": ("decisions", {"quantity": "quantity", "reason": "reason"}),
    "fill": (
        "fills",
        {"quantity": "quantity", "price": "price", "fee_usd": "fee", "slippage_usd": "slippage_usd",
         "reason": "role"},
    ),
    "funding": ("funding", {"quantity": "quantity", "price": "price", "funding_usd": "amount_usd"}),
    "trade": (
        "trades",
        {"quantity": "quantity", "price": "exit_price", "fee_usd": "fees_usd",
         "slippage_usd": "slippage_usd", "funding_usd": "funding_usd", "net_usd": "net_usd", "r": "r",
         "reason": "exit_reason", "ts_open": "ts_open"},
    ),
    "equity": ("equity", {"equity": "equity", "reason": "cause"}),
}  # fmt: skip


def write_evidence(folder: RunFolder, path: Path) -> Path:
    """Write the one table of a challenger from the folder of its shadow run."""
    rows = sorted(_rows(folder), key=lambda row: row["seq"])
    pq.write_table(pa.Table.from_pylist(rows, EVIDENCE), path, compression="zstd")
    return path


def _rows(folder: RunFolder) -> Iterator[dict[str, Any]]:
    for kind, (table, columns) in _KINDS.items():
        for row in folder.arrow(table).to_pylist():
            found = {ours: row[theirs] for ours, theirs in (_SAME | columns).items() if theirs in row}
            found["kind"] = kind
            if kind == "decision":
                found["kind"] = "approved" if row["approved"] else "refused"
            yield found


def shadow_runs(folder: RunFolder) -> list[RunFolder]:
    """Return the finished shadow runs of a run, by id."""
    base = folder.path / SHADOW
    if not base.is_dir():
        return []
    return [RunFolder(path) for path in sorted(base.iterdir()) if (path / "run.json").is_file()]


def shadow_figures(folder: RunFolder) -> dict[str, dict[str, Any]]:
    """Return the figures of each challenger, from the summaries of its shadow runs."""
    found = {}
    for run in shadow_runs(folder):
        summary, facts = run.read_json("summary.json"), run.facts
        trial = facts.challenger
        found[facts.run_id] = {
            "strategy": facts.strategies[0] if facts.strategies else "",
            "stage": trial.get("stage", SHADOW),
            "document_hash": trial.get("document_hash", ""),
            "ledger_head": trial.get("ledger_head", ""),
            "days": summary["days"],
            **{name: summary[name] for name in _FIGURES},
            "verdict": summary["verdict"],
            "run_hash": summary["run_hash"],
            "ended_in": _last_state(run),
        }
    return found


_FIGURES = (
    *("equity_start", "equity_end", "pnl_usd", "pnl_pct", "pnl_r", "mean_r", "mean_r_low", "mean_r_high"),
    *("trades", "win_rate_pct", "fees_usd", "slippage_usd", "funding_usd", "max_drawdown_pct", "sharpe"),
    *("signals", "approved", "refused_by_reason"),
)


def _last_state(run: RunFolder) -> str:
    states = run.table("states")
    return str(states["mode"].iloc[-1]) if len(states) else "ACTIVE"
