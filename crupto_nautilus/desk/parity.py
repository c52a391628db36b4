"""Parity: a paper run's data through the backtest path, compared row by row.

Guarantees: the backtest is the one that `crupto backtest` runs, with the options of the run's own record; a
run that was interrupted is compared up to its last moment, one that was resumed as a whole, and what an
operator said during the run is said again at the same moments.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from crupto_nautilus.config import DeskConfig
from crupto_nautilus.desk.backtest import simulate
from crupto_nautilus.desk.operator_replay import commands_of, operator_replay
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.outcome import check_run
from crupto_nautilus.desk.plan import prepare
from crupto_nautilus.errors import UsageError
from crupto_nautilus.reports.facts import RunFacts
from crupto_nautilus.reports.parity import TABLES, Circumstances, Parity, compare
from crupto_nautilus.reports.rows import to_table
from crupto_nautilus.reports.run_folder import RunFolder

_BY_ITSELF = ("completed", "max_cycles")
"""Ends at which everything of the last instant was carried out."""


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
            found=f"{options.config.config_hash[:12]}: {_changed(options.config, facts)}",
            expected=facts.config_hash[:12],
            remedy="give the run's configuration with --config DIR",
        )
    prepared = prepare(options)
    commands = commands_of(folder)
    run = simulate(
        prepared, options, beside=partial(operator_replay, commands=commands) if commands else None
    )
    check_run(run)
    ours = {name: folder.table(name) for name in TABLES}
    theirs = {name: to_table(name, list(run.recording.rows(name))).to_pandas() for name in TABLES}
    return compare(ours, theirs, _circumstances(folder, prepared.choice.fingerprint))


def options_of(folder: RunFolder, *, catalog: Path, config: DeskConfig, out: Path) -> BacktestOptions:
    """Return the backtest options that repeat a run."""
    facts = folder.facts
    return BacktestOptions(
        catalog=catalog,
        config=config,
        out=out,
        run_id=facts.run_id,
        symbols=tuple(one.instrument for one in facts.instruments),
        start_ns=facts.start_ns,
        end_ns=facts.end_ns,
        equity=facts.starting_equity,
        strategies=facts.strategies,
        costs=facts.costs == "on",
        base_minutes=min(one.base_minutes for one in facts.instruments),
        unlock_after_hours=facts.unlock_after_hours,
        netted=facts.netted,
    )


def _circumstances(folder: RunFolder, fingerprint: str) -> Circumstances:
    facts, alarms = folder.facts, folder.table("alarms")
    ended = facts.exit_reason.startswith(_BY_ITSELF)
    resumed = alarms[alarms["kind"] == "resumed"]["ts_event"]
    return Circumstances(
        facts.run_id,
        facts.start_ns,
        fingerprint == facts.data_fingerprint,
        None if ended else facts.end_ns,
        tuple(int(ts) for ts in resumed),
    )


def _changed(config: DeskConfig, facts: RunFacts) -> str:
    """Name the settings that differ from those in the run's record."""
    names = [key for key, pair in _pairs(config.public(), facts.config) if pair[0] != pair[1]]
    return ", ".join(names[:6]) or "settings of another version"


def _pairs(now: Any, then: Any, key: str = "") -> list[tuple[str, tuple[Any, Any]]]:
    if isinstance(now, dict) and isinstance(then, dict):
        names = dict.fromkeys((*now, *then))
        return [
            pair
            for name in names
            for pair in _pairs(now.get(name), then.get(name), f"{key}.{name}" if key else str(name))
        ]
    return [(key, (now, then))]
