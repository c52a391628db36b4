"""What came of a run: its checks, and its folder, reports and journal.

Guarantees: a run in which a handler raised, or whose books differ from the account, is refused whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nautilus_trader.model import Venue

from adapters.live.feed import UNSETTLED_END
from adapters.simulated import USDT
from catalog.instants import RunWindow
from crupto_nautilus.desk.assembly import Desk
from crupto_nautilus.desk.facts import call_rows, write_benchmark
from crupto_nautilus.desk.journalling import CollectedJournal, LiveJournal
from crupto_nautilus.desk.options import MONEY_TOLERANCE, BacktestOptions
from crupto_nautilus.desk.plan import Prepared
from crupto_nautilus.errors import CheckFailed
from crupto_nautilus.reports.build import build_report
from crupto_nautilus.reports.facts import RunFacts
from crupto_nautilus.reports.recording import Recording
from crupto_nautilus.reports.run_folder import RunWriter
from risk.vocabulary import Alarm
from strategies.guarded import HANDLER_ERROR
from strategies.order_desk import FOREIGN_CHANGE


@dataclass(slots=True)
class DeskRun:
    """A finished engine run, before its folder is written."""

    desk: Desk
    recording: Recording
    engine_balance: float
    cpu_seconds: float


def account_balance(portfolio: Any, window: RunWindow) -> float:
    """Return the engine account's balance; read it before the engine is disposed of."""
    venue = Venue(window.instruments[0].rpartition(".")[2])
    account = portfolio.account(venue=venue)
    if account is None:
        raise CheckFailed("the engine has no account after the run", found=f"venue {venue}")
    return float(account.balance_total(USDT).as_double())


def finish(
    writer: RunWriter,
    prepared: Prepared,
    run: DeskRun,
    facts: RunFacts,
    options: BacktestOptions,
    journal: CollectedJournal | LiveJournal | None,
    earlier: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> Path:
    """Write the run folder, its reports and the journal; return the folder.

    `earlier` are the rows of earlier sessions of a resumed run, by table.
    """
    writer.write_table("calls", call_rows(run.desk.tools))
    writer.write_recording(run.recording, earlier)
    write_benchmark(writer, prepared.catalog, prepared.choice)
    folder = writer.finish(facts)
    build_report(folder.path)
    summary = folder.read_json("summary.json")
    if isinstance(journal, LiveJournal):
        journal.finish(folder.facts, summary)
    elif journal is not None and options.journal_url:
        journal.store(options.journal_url, folder.facts, summary)
    return folder.path


def check_run(run: DeskRun, *, account_has_funding: bool = True, tolerance: float = MONEY_TOLERANCE) -> None:
    """Refuse a run in which a handler raised, or whose books differ from the engine's account.

    The sandbox settles no funding: there the books hold it alone (`account_has_funding` False).
    """
    alarms = run.recording.rows("alarms")
    errors = [a for a in alarms if isinstance(a, Alarm) and a.kind == HANDLER_ERROR]
    # A recorder that fails records nothing, so the monitor's own count is asked too.
    count = max(len(errors), run.desk.monitor.counters[f"Alarm.{HANDLER_ERROR}"])
    if count:
        raise CheckFailed(
            f"{count} handlers of the desk raised during the run",
            found=f"{errors[0].subject}: {errors[0].detail}" if errors else "none of them was recorded",
            expected="none: a run with a broken part proves nothing",
            remedy="this is a defect of the desk: please report it with the run's command and data",
        )
    if any(isinstance(a, Alarm) and a.kind in (FOREIGN_CHANGE, UNSETTLED_END) for a in alarms):
        # The account holds what others did on it, or what was on its way at the end: each was told.
        return
    books = run.desk.risk_desk.books
    expected = books.balance - (0.0 if account_has_funding else books.funding_usd)
    difference = abs(expected - run.engine_balance)
    if difference > tolerance:
        raise CheckFailed(
            "the desk's books and the engine's account disagree",
            found=f"books {expected:.8f} USDT, account {run.engine_balance:.8f} USDT",
            expected=f"a difference of at most {tolerance}",
            remedy="this is a defect of the desk: please report it with the run's command and data",
        )
