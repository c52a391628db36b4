"""`crupto why`: the chain behind one decision, or what stood in the way around a moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import Amount, When, iso, resolve_symbols, runs_option
from crupto_nautilus.cli.output import Result, Table
from crupto_nautilus.errors import UsageError

if TYPE_CHECKING:
    from crupto_nautilus.cli.chain import Step
    from crupto_nautilus.reports.run_folder import RunFolder

_HOUR_NS = 3_600_000_000_000
_LATEST = 12


@dataclass(frozen=True, slots=True)
class Answer:
    """What one signal was told."""

    ts_event: int
    trace_id: str
    answer: str  # approved, or the RefusalReason
    detail: str


@command("why")
@click.argument("run")
@runs_option
@click.option("--trace", "trace_id", metavar="ID", help="STRATEGY/INSTRUMENT/TS: the chain of one signal.")
@click.option("--symbol", help="One instrument; with --at required, with --start/--end all if left out.")
@click.option("--at", "at_ns", type=When(), metavar="TIME", help="What happened around a moment, UTC.")
@click.option("--hours", type=Amount(min=0.01), default=4.0, show_default=True, help="Around --at.")
@click.option("--start", "start_ns", type=When(), metavar="TIME", help="Why nothing was traded since, UTC.")
@click.option("--end", "end_ns", type=When(), metavar="TIME", help="Exclusive end of that span, UTC.")
@click.option(
    "--catalog",
    "catalog_dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    envvar="CRUPTO_CATALOG",
    help="Data for what each strategy was waiting for; default: the run's own catalog.",
)
def why(
    *,
    run: str,
    runs_dir: Path,
    trace_id: str | None,
    symbol: str | None,
    at_ns: int | None,
    hours: float,
    start_ns: int | None,
    end_ns: int | None,
    catalog_dir: Path | None,
) -> Result:
    """Print the chain behind one decision, or why nothing was traded.

    RUN is a run folder or its id.  Without options: the refusals by reason and the latest decisions.  With
    --start and --end: what each strategy was waiting for (which condition failed, by how much) and what was
    refused.  Limits and settings are those in the run's own record.
    """
    from crupto_nautilus.reports.run_folder import RunFolder

    folder = RunFolder.open(run, runs_dir)
    if trace_id is not None:
        return _of_trace(folder, trace_id)
    catalog = _catalog_of(folder, catalog_dir)
    if start_ns is not None or end_ns is not None:
        if at_ns is not None:
            raise UsageError(
                "--at asks for a moment, --start and --end for a span", found="both", expected="one of them"
            )
        from crupto_nautilus.cli.why_span import why_span

        return why_span(folder, symbol, start_ns, end_ns, catalog)
    if (symbol is None) != (at_ns is None):
        raise UsageError(
            "--symbol and --at belong together",
            found="--symbol" if at_ns is None else "--at",
            expected="both, or --start and --end, or --trace ID",
            remedy=f"crupto why {run} --symbol BTC --at 2023-03-01T12:00",
        )
    if symbol is not None and at_ns is not None:
        return _around(folder, symbol, at_ns, int(hours * _HOUR_NS), catalog)
    return _overview(folder)


def _catalog_of(folder: RunFolder, given: Path | None) -> Path | None:
    """Return the catalog to read: the one given, else the run's own where it still exists."""
    if given is not None or not folder.facts.catalog:
        return given
    own = Path(folder.facts.catalog)
    return own if own.is_dir() else None


def _of_trace(folder: RunFolder, trace_id: str) -> Result:
    from crupto_nautilus.cli.chain import chain

    steps = chain(folder, trace_id)
    blocks = tuple(_step_text(step) for step in steps)
    return Result({"run": folder.run_id, "trace_id": trace_id, "chain": steps}, blocks)


def _step_text(step: Step) -> str:
    when = iso(step.ts_event) if step.ts_event else " " * 20
    lines = [f"{when}  {step.name:<11}{step.text}"]
    lines += [f"{'':34}{name} = {_number(value)}" for name, value in step.numbers.items()]
    return "\n".join(lines)


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _overview(folder: RunFolder) -> Result:
    decisions = folder.table("decisions")
    reasons = decisions[~decisions["approved"]].groupby("reason").size().sort_values(ascending=False)
    latest = decisions.tail(_LATEST)
    counts = {str(reason): int(count) for reason, count in reasons.items()}
    approved = int(decisions["approved"].sum())
    table = Table(
        f"latest decisions of {folder.run_id}",
        ("time", "answer", "trace id"),
        tuple(
            (iso(int(ts)), "approved" if ok else str(reason), str(trace))
            for ts, ok, reason, trace in zip(
                latest["ts_event"], latest["approved"], latest["reason"], latest["trace_id"], strict=True
            )
        ),
    )
    refusals = Table(
        f"{len(decisions)} signals, {approved} approved; refused by reason",
        ("reason", "count"),
        tuple((reason, str(count)) for reason, count in counts.items()),
        right=frozenset({"count"}),
    )
    hint = f"crupto why {folder.run_id} --trace ID shows the chain of one of them"
    data = {
        "run": folder.run_id,
        "signals": len(decisions),
        "approved": approved,
        "refused": counts,
        "latest": list(latest["trace_id"]),
    }
    return Result(data, (refusals, "", table, hint))


def _around(folder: RunFolder, symbol: str, at_ns: int, span_ns: int, catalog_dir: Path | None) -> Result:
    from crupto_nautilus.cli.chain import desk_state, regime_at

    instrument = resolve_symbols([symbol], [row.instrument for row in folder.facts.instruments])[0]
    if not folder.facts.start_ns <= at_ns <= folder.facts.end_ns:
        raise UsageError(
            f"{iso(at_ns)} lies outside the run",
            found=iso(at_ns),
            expected=f"a moment from {iso(folder.facts.start_ns)} to {iso(folder.facts.end_ns)}",
        )
    regime = regime_at(folder, instrument, at_ns)
    desk = desk_state(folder, at_ns)
    decisions = folder.table("decisions")
    near = decisions[
        (decisions["instrument"] == instrument)
        & (decisions["ts_event"] >= at_ns - span_ns)
        & (decisions["ts_event"] <= at_ns + span_ns)
    ]
    columns = ("ts_event", "trace_id", "approved", "reason", "detail")
    answers = [
        Answer(int(ts), str(trace), "approved" if ok else str(reason), str(detail))
        for ts, trace, ok, reason, detail in zip(*(near[name] for name in columns), strict=True)
    ]
    held = _held(folder, instrument, at_ns)
    waiting = conditions(folder, instrument, at_ns, catalog_dir) if catalog_dir is not None else {}
    data = {
        "run": folder.run_id,
        "instrument": instrument,
        "at": at_ns,
        "regime": {key: regime[key] for key in ("label", "raw", "ts_event")} if regime else None,
        "desk": desk.text,
        "held": held,
        "decisions": answers,
        "waiting": waiting,
    }
    table = Table(
        f"signals within {span_ns / _HOUR_NS:g} h",
        ("time", "answer", "trace id", "detail"),
        tuple((iso(row.ts_event), row.answer, row.trace_id, row.detail) for row in answers),
    )
    blocks: list[str | Table] = [
        f"{instrument} at {iso(at_ns)}",
        f"regime   {regime['label'] if regime else 'unknown'}",
        f"desk     {desk.text}",
        f"held     {', '.join(held) or 'nothing'}",
        table if answers else f"no strategy gave a signal within {span_ns / _HOUR_NS:g} h",
    ]
    blocks += [_waiting_table(name, rows) for name, rows in waiting.items()]
    if catalog_dir is None:
        blocks.append("the run's catalog is not here: --catalog DIR adds what the conditions said")
    return Result(data, tuple(blocks))


def _held(folder: RunFolder, instrument: str, at_ns: int) -> list[str]:
    trades = folder.table("trades")
    open_then = trades[
        (trades["instrument"] == instrument) & (trades["ts_open"] <= at_ns) & (trades["ts_event"] > at_ns)
    ]
    return [str(trace) for trace in open_then["trace_id"]]


def conditions(
    folder: RunFolder, instrument: str, at_ns: int, catalog_dir: Path
) -> dict[str, list[dict[str, object]]]:
    """Return, for each strategy of the run, what its conditions said on its last bar closed by `at_ns`."""
    from catalog.errors import CatalogError
    from crupto_nautilus.cli.rules import replay
    from strategies.registry import RegistryError

    found: dict[str, list[dict[str, object]]] = {}
    for name in folder.facts.strategies:
        try:
            rule = replay(catalog_dir, name, instrument, at_ns)
        except (UsageError, CatalogError, RegistryError) as error:
            found[name] = [{"name": error.message, "met": False}]
            continue
        rows: list[dict[str, object]] = [condition._asdict() for condition in rule.waiting()]
        found[name] = rows or [{"name": rule.missing() or "no closed bar yet", "met": False}]
    return found


def _waiting_table(strategy: str, rows: list[dict[str, object]]) -> Table:
    return Table(
        f"{strategy} was waiting for",
        ("condition", "value", "threshold", "met", "missing by"),
        tuple(
            (
                str(row["name"]),
                _cell(row, "value"),
                _cell(row, "threshold"),
                "yes" if row["met"] else "no",
                _cell(row, "distance") if not row["met"] else "",
            )
            for row in rows
        ),
        right=frozenset({"value", "threshold", "missing by"}),
    )


def _cell(row: Mapping[str, object], key: str) -> str:
    return _number(row[key]) if key in row else ""
