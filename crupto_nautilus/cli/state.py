"""`crupto state`: the operator's word to a paper run, running or stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from crupto_nautilus.cli.command import CONTEXT_SETTINGS, LazyGroup, command
from crupto_nautilus.cli.options import runs_option
from crupto_nautilus.cli.output import Result, Table

_HERE = "crupto_nautilus.cli.state"


@click.group(
    "state",
    cls=LazyGroup,
    table={
        "show": (_HERE, "show", "Where a run stands: desk state, positions, what is kept back."),
        "halt": (_HERE, "halt", "Refuse entries until resume; exits go on working."),
        "flatten": (_HERE, "flatten", "Halt, cancel entries and close every position at market."),
        "resume": (_HERE, "resume", "End an operator's halt."),
        "unlock": (_HERE, "unlock", "End a halt, a kill switch too; a new 72 h window begins."),
        "disable": (_HERE, "disable", "Refuse the entries of a strategy or on an instrument."),
        "enable": (_HERE, "enable", "Allow them again; for an instrument: what happened there is explained."),
        "backup": (_HERE, "backup", "Write a run of the journal, with its checkpoint, to a file of its own."),
        "restore": (_HERE, "restore", "Read such a file back into a journal."),
    },
    context_settings=CONTEXT_SETTINGS,
)
def state() -> None:
    """Show and change the state of a paper run.

    A running run is asked through its control endpoint, a stopped one through its checkpoint in the journal.
    """


_reason_option = click.option("--reason", default="", help="Who and why; it is journalled.  Required.")
_url_option = click.option(
    "--url",
    envvar="CRUPTO_DB_URL",
    show_envvar=True,
    help="Database of the journal; without it the file journal.db in the folder of the runs.",
)


@command("show")
@click.argument("run")
@runs_option
@_url_option
def show(*, run: str, runs_dir: Path, url: str | None) -> Result:
    """Tell where a run stands."""
    from crupto_nautilus.desk.state_access import StateAccess

    return _result(StateAccess(runs_dir, run, url).show())


def _said(name: str, text: str) -> click.Command:
    @command(name)
    @click.argument("run")
    @_reason_option
    @runs_option
    @_url_option
    def body(*, run: str, reason: str, runs_dir: Path, url: str | None) -> Result:
        return _say(name, run, "", reason, runs_dir, url)

    body.help = text
    return body


def _named(name: str, text: str) -> click.Command:
    @command(name)
    @click.argument("run")
    @click.argument("subject", metavar="STRATEGY|INSTRUMENT")
    @_reason_option
    @runs_option
    @_url_option
    def body(*, run: str, subject: str, reason: str, runs_dir: Path, url: str | None) -> Result:
        return _say(name, run, subject, reason, runs_dir, url)

    body.help = text
    return body


halt = _said("halt", "Refuse entries until `resume`; exits go on working.")
flatten = _said("flatten", "Halt, cancel entries and close every position at market.")
resume = _said("resume", "End an operator's halt; entries cool down first.")
unlock = _said("unlock", "End a halt, a kill switch too: a new 72 h window begins at the present equity.")
disable = _named("disable", "Refuse the entries of a strategy, or on an instrument.")
enable = _named("enable", "Allow the entries of a strategy, or on an instrument, again.")


@command("backup")
@click.argument("run")
@click.argument("file", type=click.Path(path_type=Path))
@runs_option
@_url_option
def backup(*, run: str, file: Path, runs_dir: Path, url: str | None) -> Result:
    """Write a run of the journal, with its checkpoint, to a SQLite file of its own."""
    from crupto_nautilus.desk.state_access import StateAccess

    rows = StateAccess(runs_dir, run, url).backup(file)
    return Result({"run": run, "file": file, "rows": rows}, (f"{rows} rows of run {run} are in {file}",))


@command("restore")
@click.argument("run")
@click.argument("file", type=click.Path(path_type=Path))
@runs_option
@_url_option
def restore(*, run: str, file: Path, runs_dir: Path, url: str | None) -> Result:
    """Read a backup back into a journal that does not hold the run."""
    from crupto_nautilus.desk.state_access import StateAccess

    rows = StateAccess(runs_dir, run, url).restore(file)
    last = f"next    crupto paper --resume {run}"
    return Result(
        {"run": run, "file": file, "rows": rows}, (f"{rows} rows of run {run} are in the journal", last)
    )


def _say(name: str, run: str, subject: str, reason: str, runs_dir: Path, url: str | None) -> Result:
    from crupto_nautilus.desk.state_access import StateAccess

    return _result(StateAccess(runs_dir, run, url).carry_out(name, subject, reason))


def _result(found: dict[str, Any]) -> Result:
    line: Callable[[str, object], str] = lambda name, value: f"{name:<12}{value}"  # noqa: E731
    head = [
        line("run", f"{found['run']} ({found['where']})"),
        line("desk", found["mode"] + (f" {found['reason']}: {found['detail']}" if found["detail"] else "")),
        line("now", found["still_happens"]),
        line("equity", f"{found['equity']:.2f} USDT"),
    ]
    if found["disabled"]:
        head.append(line("disabled", ", ".join(found["disabled"])))
    head += [line("kept back", text) for text in found["reconciling"]]
    if found.get("journalled") is False:
        head.append(line("journal", "the change is NOT in the journal yet: a restart would forget it"))
    columns = ("strategy", "instrument", "side", "quantity", "average_price", "stop_price")
    rows = tuple(tuple(str(p[name]) for name in columns) for p in found["positions"])
    numbers = frozenset(columns[2:])
    return Result(found, ("\n".join(head), *([Table("positions", columns, rows, numbers)] if rows else [])))
