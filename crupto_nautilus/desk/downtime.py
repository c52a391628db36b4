"""What a live market did while its desk was down, gone through in the sandbox before the desk goes on.

Guarantees: the bars that passed reach the simulated venue in their order, so what rested there fills as it
would have filled; funding is booked and positions are led out by their rules; nothing is entered: the desk is
halted over those minutes, with that reason, in the words of an operator (parity says them again).  A halt
that was in force before stays in force, and so does one that the losses of those minutes caused; bars that
the venue does not have are told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from adapters.live.feed import FEED_GAP
from catalog.feed import call_mark, notice
from catalog.instants import run_instants
from crupto_nautilus.desk.assembly import Desk, DeskPlan
from crupto_nautilus.desk.operator import LiveOperator
from crupto_nautilus.desk.plan import Prepared
from crupto_nautilus.desk.state_words import clock_words
from risk.vocabulary import MINUTE_NS, Alarm, DeskMode, Instant, RefusalReason

DOWN: Final = "the desk was down"


class Downtime:
    """The minutes that a resumed run has missed; there are none where orders rest at a real venue."""

    def __init__(self, prepared: Prepared, plan: DeskPlan) -> None:
        self._prepared, self._plan = prepared, plan
        self._desk: Desk | None = None

    def attach(self, desk: Desk) -> None:
        """Hand over the desk that was down."""
        self._desk = desk

    def data(self) -> Iterator[Any | Instant]:
        """Yield the instants that were missed, between the marks that halt the desk and end the halt."""
        resume, until_ns = self._plan.resume, self._prepared.live_ns
        if resume is None or until_ns <= resume.begin_ns:
            return
        window = replace(self._prepared.choice.window, start_ns=resume.begin_ns, end_ns=until_ns)
        last_ns, seen = 0, Counter[str]()
        for instant in run_instants(self._prepared.catalog, window):
            if not last_ns:
                yield call_mark(resume.begin_ns, self._halt)
            last_ns = instant.ts_event
            seen.update(bar.instrument for bars in instant.bars.values() for bar in bars)
            yield instant
        for name, minutes in window.base_minutes.items():
            missing = (until_ns - resume.begin_ns) // (minutes * MINUTE_NS) - seen[name]
            if missing > 0:
                detail = f"{missing} bars of the time in which {DOWN} that the venue does not have"
                yield notice(Alarm(last_ns or until_ns, FEED_GAP, name, detail))
        if last_ns:
            yield call_mark(last_ns, self._end_halt)

    def _halt(self) -> None:
        resume, desk = self._plan.resume, self._attached()
        if resume is not None and desk.brain.desk_state.mode is not DeskMode.HALTED:
            span = f"from {clock_words(resume.begin_ns)} to {clock_words(self._prepared.live_ns)}"
            LiveOperator(desk).carry_out("halt", "", f"{DOWN} {span}: exits only")

    def _end_halt(self) -> None:
        desk = self._attached()
        state = desk.brain.desk_state
        ours = state.reason is RefusalReason.OPERATOR_HALT and state.detail.startswith(DOWN)
        if state.mode is DeskMode.HALTED and ours:
            LiveOperator(desk).carry_out("resume", "", "the desk has caught up with its market")

    def _attached(self) -> Desk:
        if self._desk is None:
            raise RuntimeError("the feed was not told which desk it feeds")
        return self._desk
