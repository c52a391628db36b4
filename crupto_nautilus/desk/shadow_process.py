"""The process of one challenger: instants in, its standing and at last its folder out.

Guarantees: signals sent to the whole process group do not end it, the desk's word does, or the end of the
desk's process; an error of any kind is the last word, with its reason.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from crupto_nautilus.desk.options import BacktestOptions
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


def run_shadow_process(pipe: Connection, options: BacktestOptions, challenger_id: str, runs: Path) -> None:
    """Run a challenger until the desk has ended; called in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        path = _run(pipe, options, challenger_id, runs)
        pipe.send(Finished(str(path)))
    except EOFError:
        return  # the desk's process is gone
    except Exception as error:  # noqa: BLE001 - told to the desk, which goes on
        pipe.send(Failed(f"{type(error).__name__}: {error}".splitlines()[0]))


def _run(pipe: Connection, options: BacktestOptions, challenger_id: str, runs: Path) -> Path:
    from crupto_nautilus.desk.plan import prepare
    from crupto_nautilus.desk.shadow import ShadowRun, shadow_desks

    prepared = prepare(options)
    desk = next(d for d in shadow_desks(prepared, options) if d.challenger.id == challenger_id)
    run = ShadowRun(desk)
    while True:
        message: list[Instant] | Finish = pipe.recv()
        if isinstance(message, Finish):
            run.play([], last=True)
            return run.write(runs, mode="shadow", exit_reason=message.reason)
        run.play(message, last=False)
        pipe.send(_standing(run))


def _standing(run: object) -> Standing:
    from crupto_nautilus.desk.shadow import ShadowRun

    assert isinstance(run, ShadowRun)
    desk = run.desk
    books, state = desk.risk_desk.books, desk.brain.desk_state
    return Standing(desk.clock.now_ns, books.net_pnl_usd, books.trades, str(state.reason or state.mode))
