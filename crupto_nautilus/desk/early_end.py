"""Signals outside of the node's own time: while a run is prepared, and while its folder is written.

Guarantees: a run that has not begun ends at once, says so and leaves nothing behind; one that has ended is
written whole, unless somebody insists.  In between `gentle_end` has the signals.  No engine is imported here,
so that a command can use it before its slow imports.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from crupto_nautilus.errors import CruptoError, EnvironmentProblem, Interrupted

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED: Final = "interrupted"
"""Reason of a run that a signal ended."""


@contextmanager
def ends_at_once() -> Iterator[None]:
    """Let a signal end what has not begun; only the main thread may take signals over.

    Raises
    ------
    Interrupted
        A signal came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _ended) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hold_off() -> None:
    """From now on the first signal is overheard: the run is being written, which takes seconds."""
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, _overheard)


def without_an_instant(reason: str) -> CruptoError:
    """Return the error of a run that ended, for a reason, before its first instant: there is no folder."""
    if reason == INTERRUPTED:
        return _not_begun("a signal before the first instant")
    return EnvironmentProblem(
        "the run ended before its first instant",
        found=reason,
        expected="bars of one moment",
        remedy="check the feed, or give it more time; nothing was written",
    )


def _not_begun(cause: str) -> Interrupted:
    return Interrupted(
        "the run was ended before it began",
        found=cause,
        expected="a run that is left alone until its first bars are in",
        remedy="start it again; a run with a RUN_ID of its own goes on with --resume",
    )


def _ended(number: int, frame: FrameType | None) -> None:
    raise _not_begun(f"{signal.Signals(number).name} while it was being prepared")


def _overheard(number: int, frame: FrameType | None) -> None:
    for one in SIGNALS:
        signal.signal(one, _insisted)


def _insisted(number: int, frame: FrameType | None) -> None:
    raise Interrupted(
        "the run's folder was not written",
        found=f"a second {signal.Signals(number).name} while it was being written",
        expected="some seconds of patience",
        remedy="crupto paper --resume RUN goes on from the journal and writes it at its end",
    )
