"""Entry point of `crupto`.

Nothing heavy is imported here: `crupto --help` knows its commands from a table and imports none of them.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import click

from crupto_nautilus.cli.command import CONTEXT_SETTINGS, LazyGroup
from crupto_nautilus.cli.failures import INTERRUPTED, Failure, explain
from crupto_nautilus.cli.output import Result, show

_HOME = "crupto_nautilus.cli"

COMMANDS = {
    "demo": (
        f"{_HOME}.demo",
        "demo",
        "Offline: the paper desk on the sample market, its report, its parity.",
    ),
    "backtest": (f"{_HOME}.backtest", "backtest", "Run the desk over recorded history."),
    "paper": (f"{_HOME}.paper", "paper", "Run the desk in a live node with sandbox execution."),
    "state": (f"{_HOME}.state", "state", "Show and change the state of a paper run."),
    "parity": (f"{_HOME}.parity", "parity", "Prove that a paper run decided exactly as the backtest."),
    "signals": (f"{_HOME}.signals", "signals", "Print the raw output of one strategy's rule."),
    "regimes": (f"{_HOME}.regimes", "regimes", "Print the market regime of every hour, with its features."),
    "report": (f"{_HOME}.report", "report", "Rebuild, verify or export the report of a run."),
    "runs": (f"{_HOME}.runs", "runs", "List the runs of a folder."),
    "why": (f"{_HOME}.why", "why", "Print the chain behind one decision, or why nothing was traded."),
    "research": (f"{_HOME}.research", "research", "Invent strategies, try to kill them, promote survivors."),
    "catalog": (f"{_HOME}.catalog", "catalog", "Import, download, check and describe market data."),
    "config": (f"{_HOME}.config", "config", "Show and check the configuration, publish its schemas."),
    "dashboards": (f"{_HOME}.dashboards", "dashboards", "Grafana boards, alert rules, the page of a run."),
    "db": (f"{_HOME}.db", "db", "The journal's database."),
    "doctor": (f"{_HOME}.doctor", "doctor", "Say what is missing on this machine and what mends it."),
    "vst": (f"{_HOME}.vst", "vst", "BingX demo account: ask it what only a real key can tell."),
    "live": (f"{_HOME}.live", "live", "Refused: this desk trades on paper only."),
    "version": (f"{_HOME}.version", "version", "Versions of the program and of what it stands on."),
}


@click.group(
    "crupto",
    cls=LazyGroup,
    table=COMMANDS,
    context_settings=CONTEXT_SETTINGS,
    epilog="Exit codes: 0 done, 1 a check failed, 2 usage or configuration, 3 environment, 4 safety rule.",
)
def cli() -> None:
    """A desk of agents that trades crypto perpetuals on paper."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(given))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors are printed, never raised."""
    as_json = "--json" in arguments
    try:
        code = cli.main(args=list(arguments), prog_name="crupto", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as asked:
        click.echo(asked.ctx.get_help() if asked.ctx else "", err=True)
        return asked.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _tell(Failure("Interrupted", INTERRUPTED, "interrupted"), as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the outermost border: shown with its traceback, never swallowed
        failure = explain(error)
        if failure is None:
            traceback.print_exc()
            failure = Failure(
                type(error).__name__,
                1,
                f"defect in crupto: {error}",
                remedy="report the traceback with the command that caused it",
            )
        return _tell(failure, as_json=as_json)


def _tell(failure: Failure, *, as_json: bool) -> int:
    if as_json:
        show(Result(failure.data()), as_json=True)
    else:
        click.echo(failure.lines(), err=True)
    return failure.exit_code
