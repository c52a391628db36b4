"""Parity: a paper run's data through the backtest path, compared row by row.

Guarantees: signals, decisions, orders, fills, trades and desk states are compared in order, to the
nanosecond of desk time and to the last bit of every quantity and price; the venue's own time stamp of a
fill is wall time in a live node and is left out.  The first difference of each table is shown and its
likely cause named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from crupto_nautilus.desk.backtest import simulate
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.outcome import check_run
from crupto_nautilus.desk.plan import prepare
from crupto_nautilus.errors import UsageError
from crupto_nautilus.reports.rows import to_table
from crupto_nautilus.reports.run_folder import RunFolder

# In the order of cause and effect: the first table that differs names the cause.
TABLES = ("regimes", "signals", "decisions", "orders", "fills", "trades", "states", "funding", "protections")
CAUSES = {
    "regimes": "data or warm-up",
    "signals": "data, warm-up or a rule",
    "decisions": "risk state",
    "orders": "execution",
    "fills": "venue",
}
NOT_COMPARED = {"seq", "ts_venue"}


@dataclass(frozen=True, slots=True)
class TableParity:
    """How one table of a run compares with the backtest's."""

    table: str
    rows: int
    rows_backtest: int
    equal: int
    first_difference: str = ""

    @property
    def same(self) -> bool:
        """Whether every row is equal and none is missing."""
        return self.rows == self.rows_backtest == self.equal


@dataclass(frozen=True, slots=True)
class Parity:
    """The comparison of a whole run."""

    run_id: str
    tables: tuple[TableParity, ...]
    data_same: bool

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return all(table.same for table in self.tables)

    @property
    def cause(self) -> str:
        """Class of the first difference along the chain; empty if there is none."""
        first = next((table.table for table in self.tables if not table.same), None)
        if first is None:
            return ""
        return CAUSES.get(first, "venue") if self.data_same else "data: the catalog has changed since the run"


def compare_run(folder: RunFolder, options: BacktestOptions) -> Parity:
    """Run the backtest of a paper run's options and compare it with the run.

    Raises
    ------
    UsageError
        The configuration is not the one of the run.
    """
    facts = folder.facts
    if options.config.config_hash != facts.config_hash:
        raise UsageError(
            "the configuration is not the one of the run",
            found=options.config.config_hash,
            expected=facts.config_hash,
            remedy="give the run's configuration with --config DIR",
        )
    prepared = prepare(options)
    run = simulate(prepared, options)
    check_run(run)
    tables = []
    for name in TABLES:
        ours = to_table(name, list(run.recording.rows(name))).to_pandas()
        tables.append(_compare(name, folder.table(name), ours))
    return Parity(folder.run_id, tuple(tables), prepared.choice.fingerprint == facts.data_fingerprint)


def options_of(folder: RunFolder, **given: Any) -> BacktestOptions:
    """Return the backtest options that repeat a run; `given` are catalog, config and the folder of runs."""
    facts = folder.facts
    return BacktestOptions(
        run_id=facts.run_id,
        symbols=tuple(one.instrument for one in facts.instruments),
        start_ns=facts.start_ns,
        end_ns=facts.end_ns,
        equity=facts.starting_equity,
        strategies=facts.strategies,
        costs=facts.costs == "on",
        base_minutes=min(one.base_minutes for one in facts.instruments),
        unlock_after_hours=facts.unlock_after_hours,
        **given,
    )


def _compare(name: str, run: pd.DataFrame, backtest: pd.DataFrame) -> TableParity:
    columns = [column for column in run.columns if column not in NOT_COMPARED]
    rows, others = _rows(run[columns]), _rows(backtest[columns])
    equal, first = 0, ""
    for k, (row, other) in enumerate(zip(rows, others, strict=False)):
        if row == other:
            equal += 1
        elif not first:
            odd = [c for c, a, b in zip(columns, row, other, strict=True) if a != b]
            first = f"row {k}: " + ", ".join(
                f"{c} {row[columns.index(c)]} != {other[columns.index(c)]}" for c in odd[:4]
            )
    if not first and len(rows) != len(others):
        first = f"{len(rows)} rows in the run, {len(others)} in the backtest"
    return TableParity(name, len(rows), len(others), equal, first)


def _rows(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    plain = frame.astype(object).where(frame.notna(), None)  # NaN would differ from itself
    return list(plain.itertuples(index=False, name=None))
