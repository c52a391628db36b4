"""The process of one challenger: instants in, its standing and at last its folder out.

Guarantees: signals sent to the whole process group do not end it, the desk's word does, or the end of the
desk's process; an error of any kind is the last word, with its reason.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.window import MarketChoice
from risk.vocabulary import Instant


@dataclass(frozen=True, slots=True)
class Finish:
    """No more instants come, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a challenger stands at a moment of desk time."""

    ts_event: int
    pnl_usd: float
    trades: int
    state: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The folder is written."""

    path: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there will be no folder."""

    text: str


@dataclass(frozen=True, slots=True)
class Start:
    """What a process is started with; `until_ns`: the catalog is played up to there first (a resume)."""

    challenger_id: str
    options: BacktestOptions
    choice: MarketChoice
    runs: Path
    until_ns: int | None = None


def run_shadow_process(pipe: Connection, start: Start) -> None:
    """Run a challenger until the desk has ended; called in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        path = _run(pipe, start)
        pipe.send(Finished(str(path)))
    except EOFError:
        return  # the desk's process is gone
    except Exception as error:  # noqa: BLE001 - told to the desk, which goes on
        pipe.send(Failed(f"{type(error).__name__}: {error}".splitlines()[0]))


def _run(pipe: Connection, start: Start) -> Path:
    from catalog.instants import run_instants
    from catalog.store import Catalog
    from crupto_nautilus.desk.plan import Prepared
    from crupto_nautilus.desk.shadow import ShadowRun, shadow_desks

    prepared = Prepared(Catalog(start.options.catalog), start.choice, {})
    desks = shadow_desks(prepared, start.options)
    run = ShadowRun(next(desk for desk in desks if desk.challenger.id == start.challenger_id))
    if start.until_ns is not None:
        run.play(
            run_instants(prepared.catalog, replace(start.choice.window, end_ns=start.until_ns)), last=False
        )
        pipe.send(_standing(run))
    while True:
        message: list[Instant] | Finish = pipe.recv()
        if isinstance(message, Finish):
            run.play([], last=True)
            return run.write(start.runs, mode="shadow", exit_reason=message.reason)
        run.play(message, last=False)
        pipe.send(_standing(run))


def _standing(run: object) -> Standing:
    from crupto_nautilus.desk.shadow import ShadowRun

    assert isinstance(run, ShadowRun)
    desk = run.desk
    books, state = desk.risk_desk.books, desk.brain.desk_state
    return Standing(desk.clock.now_ns, books.net_pnl_usd, books.trades, str(state.reason or state.mode))
