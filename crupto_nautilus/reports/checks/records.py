"""Checks of the record itself: files as written, times in order, one answer a signal, ids that join."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from crupto_nautilus.reports.checks.base import Check, Context, answer, when
from crupto_nautilus.reports.errors import RunFolderError
from crupto_nautilus.reports.schema import TABLES, TIMELESS
from risk.vocabulary import MINUTE_NS, RefusalReason

_IN_WINDOW = (
    "signals",
    "decisions",
    "entries",
    "orders",
    "fills",
    "trades",
    "equity",
    "funding",
    "protections",
)
_OF_A_TRADE = ("entries", "orders", "fills", "trades", "funding", "protections")
_REASONS = {str(reason) for reason in RefusalReason}


def files(context: Context) -> Check:
    """Every table is there, readable, with its columns, and is the file that the run wrote."""
    folder = context.folder
    recorded = folder.run.get("tables", {})
    violations = []
    rows = 0
    for name in TABLES:
        try:
            rows += len(folder.table(name))
        except RunFolderError as error:
            violations.append(error.message)
            continue
        if name not in recorded:
            violations.append(f"run.json does not record {name}.parquet")
        elif recorded[name].get("sha256") != folder.sha256(name):
            violations.append(f"{name}.parquet is not the file that the run wrote (sha256 differs)")
    return answer("files", f"{len(TABLES)} tables, {rows:,} rows, hashes as in run.json", violations)


def times(context: Context) -> Check:
    """Rows are in order of time and of recording, and inside the run's window."""
    facts = context.folder.facts
    violations = []
    for name in TABLES:
        if name in TIMELESS or name == "benchmark":
            continue
        frame = context.folder.table(name)
        ts, seq = frame["ts_event"].to_numpy(), frame["seq"].to_numpy()
        if (ts[1:] < ts[:-1]).any():
            at = int((ts[1:] < ts[:-1]).argmax()) + 1
            violations.append(f"{name}: row {at} ({when(int(ts[at]))}) is older than the row before")
        if seq.any() and (seq[1:] <= seq[:-1]).any():
            violations.append(f"{name}: recording order goes back")
        if name in _IN_WINDOW and len(ts) and (ts[0] < facts.start_ns or ts[-1] > facts.end_ns):
            violations.append(f"{name}: rows outside of {when(facts.start_ns)} .. {when(facts.end_ns)}")
    return answer("times", f"{when(facts.start_ns)} .. {when(facts.end_ns)} UTC", violations)


def answers(context: Context) -> Check:
    """Every signal has exactly one answer at its own instant, and an approval its end of entry."""
    signals, decisions = context.signals, context.rows("decisions")
    violations = [f"{trace}: {count} signals" for trace, count in _repeated(context, "signals")]
    violations += [f"{trace}: {count} answers" for trace, count in _repeated(context, "decisions")]
    answered = set()
    for row in decisions:
        answered.add(row.trace_id)
        signal = signals.get(row.trace_id)
        if signal is None:
            violations.append(f"{row.trace_id}: a decision without a signal")
            continue
        same = ("ts_event", "strategy", "instrument", "side")
        different = [name for name in same if getattr(row, name) != getattr(signal, name)]
        if different:
            violations.append(f"{row.trace_id}: decision and signal differ in {', '.join(different)}")
        if bool(row.reason) == bool(row.approved) or (row.reason and row.reason not in _REASONS):
            violations.append(f"{row.trace_id}: approved {row.approved} with reason {row.reason!r}")
    violations += [f"{trace}: no answer" for trace in signals if trace not in answered]
    violations += _unfinished_entries(context)
    return answer("answers", f"{len(signals):,} signals, {len(decisions):,} answers", violations)


def _repeated(context: Context, table: str) -> list[tuple[str, int]]:
    counts = Counter(row.trace_id for row in context.rows(table))
    return [(trace, count) for trace, count in counts.items() if count > 1]


def _unfinished_entries(context: Context) -> Iterator[str]:
    ended = Counter(row.trace_id for row in context.rows("entries"))
    end = context.folder.facts.end_ns
    for trace, row in context.approvals.items():
        signal = context.signals.get(trace)
        patience = (signal.minutes if signal else 0) * MINUTE_NS
        if ended[trace] > 1:
            yield f"{trace}: its entry ended {ended[trace]} times"
        elif not ended[trace] and row.ts_event + patience < end:
            yield f"{trace}: approved at {when(row.ts_event)}, but its entry never ended"


def traces(context: Context) -> Check:
    """Every order, fill, protection, funding and trade leads back to an approved signal."""
    violations = []
    joined = 0
    for name in _OF_A_TRADE:
        for row in context.rows(name):
            approval = context.approvals.get(row.trace_id)
            if approval is None:
                violations.append(f"{name} at {when(row.ts_event)}: {row.trace_id} was never approved")
            elif (row.strategy, row.instrument) != (approval.strategy, approval.instrument):
                violations.append(f"{name} at {when(row.ts_event)}: {row.trace_id} is of another strategy")
            elif row.ts_event < approval.ts_event:
                violations.append(f"{name} at {when(row.ts_event)}: {row.trace_id} before its approval")
            joined += 1
    return answer("traces", f"{joined:,} rows lead back to {len(context.approvals):,} approvals", violations)
