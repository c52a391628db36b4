"""The questions that the page asks of a journal; each one is served by an index of its own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from crupto_nautilus.journal.journal import Journal
from crupto_nautilus.journal.schema import DECISIONS
from dashboards.source import DecisionQuery
from risk.vocabulary import side_name


def newest_decisions(journal: Journal, run_id: str, query: DecisionQuery) -> list[dict[str, Any]]:
    """Return decisions of a run, newest first.

    At most one of strategy, instrument and reason may be given (the server sees to it): each has an index
    with the time in it, a combination of them has not.
    """
    table = DECISIONS
    found = select(table).where(table.c.run_id == run_id)
    for column in ("strategy", "instrument", "reason"):
        wanted = getattr(query, column)
        if wanted:
            found = found.where(table.c[column] == wanted)
    if query.before_ns is not None:
        found = found.where(table.c.ts_event < query.before_ns)
    found = found.order_by(table.c.ts_event.desc()).limit(query.limit)
    with journal.reading() as connection:
        rows = connection.execute(found).mappings().all()
    return [
        {
            "ts_event": row["ts_event"],
            "trace_id": row["trace_id"],
            "strategy": row["strategy"],
            "instrument": row["instrument"],
            "side": side_name(row["side"]),
            "approved": bool(row["approved"]),
            "reason": row["reason"],
            "detail": row["detail"],
        }
        for row in rows
    ]
