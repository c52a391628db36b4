"""What earlier sessions of a run did, for those who show the run after it went on.

Guarantees: sums are made by the database and lists are bounded, so a long run is read in bounded memory; what
is asked holds up to the checkpoint the run goes on from.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, case, func, select

from crupto_nautilus.journal.journal import Journal
from crupto_nautilus.journal.queries import newest_decisions
from crupto_nautilus.journal.schema import DECISIONS, EQUITY, EVENTS, FILLS, SIGNALS, TRADES
from dashboards.source import DecisionQuery
from risk.vocabulary import DAY_NS, HOUR_NS, Alarm, Trade

CURVE_POINTS = 1_000
NEWEST = 50


class StrategyTotals(NamedTuple):
    """What a strategy did; `refused` by reason, money in USDT."""

    signals: int
    approved: int
    refused: Mapping[str, int]
    trades: int
    wins: int
    net_usd: float


@dataclass(frozen=True, slots=True)
class Sessions:
    """Totals of all earlier sessions, and the newest of what they recorded."""

    strategies: Mapping[str, StrategyTotals] = field(default_factory=dict)
    refused_in_hour: Mapping[int, Mapping[str, int]] = field(default_factory=dict)  # of the last day
    fees_usd: float = 0.0
    slippage_usd: float = 0.0
    curve: tuple[tuple[int, float, float], ...] = ()  # ts_event, equity, drawdown_72h_pct
    decisions: tuple[dict[str, Any], ...] = ()  # as the page shows them, newest first
    trades: tuple[Trade, ...] = ()  # newest first
    alarms: tuple[Alarm, ...] = ()  # newest first
    alarms_of_kind: Mapping[str, int] = field(default_factory=dict)

    @property
    def signals(self) -> int:
        """Signals of all strategies."""
        return sum(one.signals for one in self.strategies.values())

    @property
    def wins(self) -> int:
        """Closed trades with a net gain."""
        return sum(one.wins for one in self.strategies.values())


def earlier_sessions(journal: Journal, run_id: str) -> Sessions:
    """Return what a run has recorded so far."""
    with journal.reading() as connection:
        asked = _Questions(connection, run_id)
        alarms = asked.newest(EVENTS, EVENTS.c.kind == "alarm")
        kinds = asked.payloads_of_alarms()
        fees, slippage = asked.one(FILLS, func.sum(FILLS.c.fee), func.sum(FILLS.c.slippage_usd))
        trades = [_without_null(row) for row in asked.newest(TRADES)]
        return Sessions(
            asked.strategies(),
            asked.refused_in_hour(),
            fees or 0.0,
            slippage or 0.0,
            asked.curve(),
            tuple(newest_decisions(journal, run_id, DecisionQuery(NEWEST))),
            tuple(Trade(**{name: row[name] for name in Trade._fields}) for row in trades),
            tuple(_alarm(row["payload"]) for row in alarms),
            kinds,
        )


class _Questions:
    """The questions about one run."""

    def __init__(self, connection: Connection, run_id: str) -> None:
        self._connection, self._run_id = connection, run_id

    def one(self, table: Table, *values: Any) -> Any:
        query = select(*values).where(table.c.run_id == self._run_id)
        return self._connection.execute(query).one()

    def strategies(self) -> dict[str, StrategyTotals]:
        signals: dict[str, int] = dict(self._grouped(SIGNALS, (SIGNALS.c.strategy,), func.count()))
        answers = self._grouped(DECISIONS, (DECISIONS.c.strategy, DECISIONS.c.reason), func.count())
        net = TRADES.c.net_usd
        won = func.sum(case((net > 0.0, 1), else_=0))
        trades = {
            name: (count, wins, usd)
            for name, count, wins, usd in self._grouped(
                TRADES, (TRADES.c.strategy,), func.count(), won, func.sum(net)
            )
        }
        found = {}
        for name in sorted({*signals, *(row[0] for row in answers), *trades}):
            by_reason = {reason: count for strategy, reason, count in answers if strategy == name}
            approved = by_reason.pop("", 0)
            closed, wins, usd = trades.get(name, (0, 0, 0.0))
            found[name] = StrategyTotals(signals.get(name, 0), approved, by_reason, closed, wins, usd or 0.0)
        return found

    def refused_in_hour(self) -> dict[int, dict[str, int]]:
        table, found = DECISIONS, dict[int, dict[str, int]]()
        (newest,) = self.one(table, func.max(table.c.ts_event))
        if newest is not None:
            hour = table.c.ts_event // HOUR_NS
            recent = (table.c.ts_event >= newest - DAY_NS) & (table.c.reason != "")
            for at, reason, count in self._grouped(table, (hour, table.c.reason), func.count(), which=recent):
                found.setdefault(int(at), {})[reason] = count
        return found

    def curve(self) -> tuple[tuple[int, float, float], ...]:
        table = EQUITY
        (rows,) = self.one(table, func.count())
        place = func.row_number().over(order_by=table.c.id).label("place")
        columns = (table.c.ts_event, table.c.equity, table.c.drawdown_72h_pct)
        numbered = select(*columns, place).where(table.c.run_id == self._run_id).subquery()
        ts, equity, fall, at = numbered.c
        query = select(ts, equity, fall).where(at % (1 + rows // CURVE_POINTS) == 0).order_by(at)
        return tuple((ts, equity or 0.0, fall or 0.0) for ts, equity, fall in self._connection.execute(query))

    def newest(self, table: Table, *which: Any) -> list[dict[str, Any]]:
        query = select(table).where(table.c.run_id == self._run_id, *which)
        query = query.order_by(table.c.ts_event.desc(), table.c.id.desc()).limit(NEWEST)
        return [dict(row) for row in self._connection.execute(query).mappings()]

    def payloads_of_alarms(self) -> Counter[str]:
        query = select(EVENTS.c.payload).where(EVENTS.c.run_id == self._run_id, EVENTS.c.kind == "alarm")
        return Counter(_alarm(text).kind for text in self._connection.execute(query).scalars())

    def _grouped(self, table: Table, keys: tuple[Any, ...], *values: Any, which: Any = True) -> Any:
        query = select(*keys, *values).where(table.c.run_id == self._run_id)
        if which is not True:
            query = query.where(which)
        return self._connection.execute(query.group_by(*keys)).all()


def _alarm(payload: str) -> Alarm:
    row = json.loads(payload)
    return Alarm(row["ts_event"], row["kind"], row["subject"], row["detail"])


def _without_null(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"liquidation_usd": row["liquidation_usd"] or 0.0}
