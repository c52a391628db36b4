"""Where a paper run goes on: its options, its newest checkpoint, and what changed since.

Guarantees: a resumed run looks at the same instruments from the same first bar as before, whatever the
command line says; limits that changed are refused unless that was asked for, and then journalled; a
checkpoint of another program version is refused.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from catalog.instants import run_instants
from crupto_nautilus.desk.checkpoint import Resumed, check_schema
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.plan import Prepared
from crupto_nautilus.errors import SafetyRefusal, UsageError
from crupto_nautilus.journal.database import journal_url
from crupto_nautilus.journal.journal import PRUNED, Checkpoint, Journal, RunRecord

COMPLETED: Final = "completed"
OVER: Final = (COMPLETED, PRUNED)  # how a run ended that cannot go on
OPENING_BALANCE: Final = "opening_balance"
"""Of the record of a run in the journal: what the venue's account held when the run began, USDT."""
_KEPT: Final = (
    "symbols", "start_ns", "end_ns", "equity", "strategies", "costs", "base_minutes", "unlock_after_hours",
    "feed", "execution", "speed",
)  # fmt: skip
"""Options that belong to the run and not to one of its sessions."""


@dataclass(frozen=True, slots=True)
class Previous:
    """A run as its earlier sessions left it; `checkpoint` is None if it was killed before the first one."""

    record: RunRecord
    checkpoint: Checkpoint | None
    last_row: int  # number of the last row of the run folder that is in the journal

    @property
    def session(self) -> int:
        """Starts of the run, this one included."""
        return 2 if self.checkpoint is None else int(self.checkpoint.state.get("session", 1)) + 1


def options_record(options: PaperOptions) -> dict[str, Any]:
    """Return what a later session must know of the options, JSON-able."""
    kept: dict[str, Any] = {name: getattr(options, name) for name in _KEPT}
    return kept | {"catalog": str(options.catalog.resolve())}


def find_run(url: str, run_id: str) -> RunRecord | None:
    """Return what the journal knows of a run; None if it does not know it, or there is no journal."""
    parsed = journal_url(url)
    if parsed.drivername.startswith("sqlite") and not Path(str(parsed.database)).exists():
        return None
    with Journal(url) as journal:
        journal.migrate()
        return next((run for run in journal.runs() if run.run_id == run_id), None)


def may_go_on(url: str | None, run_id: str) -> bool:
    """Return whether a run of that name was killed or interrupted, so that its name means to resume it."""
    run = None if url is None else find_run(url, run_id)
    return run is not None and run.mode != "backtest" and run.exit_reason not in OVER


def resumed_options(record: RunRecord, options: PaperOptions) -> PaperOptions:
    """Return the options of the run with what belongs to this session from `options`.

    Raises
    ------
    UsageError
        The run was written by a program that could not resume it.
    """
    kept = record.record.get("options")
    if not isinstance(kept, dict):
        raise UsageError(
            f"run {record.run_id} cannot be resumed",
            found=f"a {record.mode} run without its options in the journal",
            expected="a paper run of this version",
            remedy="start a new run",
        )
    names = {field.name for field in dataclasses.fields(PaperOptions)}
    values = {name: value for name, value in kept.items() if name in names and name != "catalog"}
    for name in ("symbols", "strategies"):
        if values.get(name) is not None:
            values[name] = tuple(values[name])
    facts = record.record
    values["start_ns"] = int(facts["start_ns"])
    values["symbols"] = tuple(row["instrument"] for row in facts["instruments"])
    if options.speed and values["feed"] == "replay":
        values["speed"] = options.speed
    return replace(options, **values, catalog=Path(kept["catalog"]), run_id=record.run_id, resume=True)


def previous_run(options: PaperOptions) -> Previous:
    """Return what a run left in the journal.

    Raises
    ------
    UsageError
        There is no such run, it cannot be resumed, or its checkpoint is of another version.
    SafetyRefusal
        The limits changed and that was not accepted.
    """
    if options.journal_url is None:
        raise UsageError(
            "a run is resumed from its journal",
            found="--no-journal",
            expected="a journal",
            remedy="leave --no-journal out",
        )
    record = find_run(options.journal_url, options.run_id)
    if record is None:
        raise UsageError(
            f"there is no run {options.run_id} to resume",
            found="no such run in the journal",
            expected="a paper run that was started here",
            remedy="crupto runs; --out names the folder of the runs",
        )
    _check_limits(record, options)
    with Journal(options.journal_url) as journal:
        checkpoint = journal.load_state(options.run_id)
        last_row = journal.last_number(options.run_id)
    if checkpoint is not None:
        check_schema(checkpoint.state)
    return Previous(record, checkpoint, last_row)


def resume_point(previous: Previous | None, prepared: Prepared, options: PaperOptions) -> Resumed | None:
    """Return where the desk goes on; None if it begins from the start."""
    checkpoint = None if previous is None else previous.checkpoint
    if previous is None or checkpoint is None:
        return None
    # What rests in the sandbox goes on from where it was; a venue has gone on without the desk.
    live_ns = 0 if options.execution == "sandbox" else prepared.live_ns
    window = replace(prepared.choice.window, end_ns=live_ns or checkpoint.ts_event)
    opening = previous.record.record.get(OPENING_BALANCE)
    return Resumed(
        checkpoint.ts_event,
        checkpoint.state,
        run_instants(prepared.catalog, window),
        previous.session,
        changes(previous.record, prepared, options),
        live_ns,
        None if opening is None else float(opening),
    )


def changes(record: RunRecord, prepared: Prepared, options: PaperOptions) -> tuple[tuple[str, str], ...]:
    """Return what is not as it was when the run began, as (kind, words)."""
    config, found = options.config, []
    if record.governance_hash != config.governance_hash:
        found.append(("governance_changed", f"accepted by the operator: {limits_changed(record, options)}"))
    elif record.config_hash != config.config_hash:
        found.append(
            ("config_changed", f"configuration {record.config_hash[:12]} became {config.config_hash[:12]}")
        )
    fingerprint = record.record.get("data_fingerprint", "")
    if fingerprint != prepared.choice.fingerprint and not prepared.live_ns:  # a live market goes on
        found.append(("data_changed", "the catalog has changed since the run began"))
    return tuple(found)


def limits_changed(record: RunRecord, options: PaperOptions) -> str:
    """Return the limits that differ, old and new."""
    before = record.record.get("limits", {})
    now = options.config.governance.model_dump(mode="json")
    return "; ".join(
        f"{name} {before.get(name)} -> {now.get(name)}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    )


def _check_limits(record: RunRecord, options: PaperOptions) -> None:
    if record.governance_hash == options.config.governance_hash or options.accept_governance_change:
        return
    raise SafetyRefusal(
        f"the limits are not those run {record.run_id} began with",
        found=limits_changed(record, options),
        expected="the same governance.yaml",
        remedy="restore it, or resume with --accept-governance-change: the change is journalled",
    )
