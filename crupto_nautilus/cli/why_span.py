"""`crupto why --start --end`: a span of time in which little or nothing was traded, explained."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from crupto_nautilus.cli.chain import desk_state
from crupto_nautilus.cli.options import iso, resolve_symbols
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.cli.reason_settings import settings_of
from crupto_nautilus.cli.waiting import StrategySpan, waiting
from crupto_nautilus.errors import UsageError
from crupto_nautilus.reports.ledger import rows_of
from crupto_nautilus.reports.run_folder import RunFolder
from risk.vocabulary import side_name


def why_span(
    folder: RunFolder, symbol: str | None, start_ns: int | None, end_ns: int | None, catalog_dir: Path | None
) -> Result:
    """Return what was traded, refused and waited for in a span of a run."""
    facts = folder.facts
    start, end = facts.start_ns if start_ns is None else start_ns, facts.end_ns if end_ns is None else end_ns
    if not facts.start_ns <= start < end <= facts.end_ns:
        raise UsageError(
            "the span does not lie inside the run",
            found=f"{iso(start)} .. {iso(end)}",
            expected=f"a span inside {iso(facts.start_ns)} .. {iso(facts.end_ns)}",
        )
    known = [row.instrument for row in facts.instruments]
    instruments = list(resolve_symbols([symbol], known)) if symbol else known
    decisions = _inside(folder.table("decisions"), instruments, start, end)
    trades = _inside(folder.table("trades"), instruments, start, end, "ts_open")
    refused = _refused(folder, decisions)
    spans = waiting(folder, instruments, start, end, catalog_dir) if catalog_dir is not None else []
    state = desk_state(folder, start)
    changes = folder.table("states")
    changes = changes[(changes["ts_event"] > start) & (changes["ts_event"] <= end)]
    data = {
        "run": folder.run_id,
        "start": start,
        "end": end,
        "instruments": instruments,
        "desk": state.text,
        "states": changes[["ts_event", "mode", "reason", "detail"]].to_dict("records"),
        "entries": len(trades),
        "signals": len(decisions),
        "approved": int(decisions["approved"].sum()),
        "refused": refused,
        "waiting": [_json(span) for span in spans],
    }
    blocks: list[str | Table] = [
        f"{', '.join(instruments)} from {iso(start)} to {iso(end)}",
        f"desk     {state.text} at the start"
        + "".join(f"\n         {iso(int(r.ts_event))} {r.mode} {r.reason}" for r in rows_of(changes)),
        f"entries  {len(trades)} positions opened; {len(decisions)} signals, {data['approved']} approved",
    ]
    if refused:
        rows = tuple(tuple(str(value) for value in r.values()) for r in refused)
        blocks.append(
            Table("refused", ("reason", "count", "settings", "the last one"), rows, frozenset({"count"}))
        )
    blocks += [block for span in spans for block in _blocks(span)]
    if catalog_dir is None:
        blocks.append("the run's catalog is not here: --catalog DIR adds what each strategy was waiting for")
    return Result(data, tuple(blocks))


def _inside(
    frame: pd.DataFrame, instruments: list[str], start: int, end: int, column: str = "ts_event"
) -> pd.DataFrame:
    return frame[frame["instrument"].isin(instruments) & (frame[column] > start) & (frame[column] <= end)]


def _refused(folder: RunFolder, decisions: pd.DataFrame) -> list[dict[str, object]]:
    rows = decisions[~decisions["approved"].astype(bool)]
    counts = rows["reason"].value_counts()
    return [
        {
            "reason": str(reason),
            "count": int(count),
            "settings": settings_of(str(reason), folder.facts),
            "last_detail": str(rows[rows["reason"] == reason]["detail"].iloc[-1]),
        }
        for reason, count in counts.items()
    ]


def _json(span: StrategySpan) -> dict[str, object]:
    return {
        "strategy": span.strategy,
        "instrument": span.instrument,
        "text": span.text,
        "bars": span.bars,
        "warm": span.warm,
        "setups": span.setups,
        "allowed_bars": {side_name(side): count for side, count in span.allowed_bars.items()},
        "closest": {
            "ts_event": span.closest_ns,
            "side": side_name(span.closest_side) if span.closest_side else "",
            "unmet": [condition._asdict() for condition in span.closest],
        },
        "conditions": [
            {
                "name": one.name,
                "side": one.side,
                "bars": one.bars,
                "met": one.met,
                "missing_by": one.nearest.distance if one.nearest is not None else 0.0,
                "nearest_ns": one.nearest_ns,
            }
            for one in span.conditions
        ],
    }


def _blocks(span: StrategySpan) -> list[str | Table]:
    allowed = ", ".join(
        f"{side_name(side)} on {count}" for side, count in sorted(span.allowed_bars.items(), reverse=True)
    )
    regime = f"; the regime allowed {allowed} of {span.bars} bars" if span.bars else ""
    if span.bars and not allowed:
        regime = f"; the regime allowed it on none of {span.bars} bars"
    title = f"{span.strategy} on {span.instrument}: {span.text}{regime}"
    if not span.conditions:
        return [title]
    rows = tuple(
        (
            one.name + (f" ({side_name(one.side)})" if one.side else ""),
            f"{one.met} of {one.bars}",
            "" if one.nearest is None else f"{one.nearest.value:.6g}",
            "" if one.nearest is None else f"{one.nearest.threshold:.6g}",
            "" if one.nearest is None else f"{one.nearest.distance:.4g}",
            iso(one.nearest_ns) if one.nearest_ns else "",
        )
        for one in span.conditions
    )
    columns = ("condition", "met on", "nearest miss", "threshold", "missing by", "at")
    return [Table(title, columns, rows, frozenset(columns[1:5]))]
