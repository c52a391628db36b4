"""What surrounds a node run: services that start once the desk is assembled and stop when the node has.

Guarantees: services start in the given order and stop in reverse, whatever ended the run; one that fails to
stop keeps no other from stopping and is told after the run's folder is written; the first wish to end the
run is the one that is recorded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from nautilus_trader.live import LiveNode

    from crupto_nautilus.desk.assembly import Desk, DeskPlan
    from crupto_nautilus.desk.edges import Feed
    from crupto_nautilus.desk.options import PaperOptions
    from crupto_nautilus.desk.plan import Prepared
    from crupto_nautilus.journal.sessions import Sessions
    from crupto_nautilus.reports.recording import Recording


class RunEnding:
    """The wish to end a run and its reason; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop: Callable[[], None] | None = None
        self.reason = ""

    def bind(self, stop: Callable[[], None]) -> None:
        """Say how the node is stopped; a wish that came before is carried out at once."""
        with self._lock:
            self._stop = stop
            wanted = bool(self.reason)
        if wanted:
            stop()

    def request(self, reason: str) -> None:
        """End the run; only the first reason counts."""
        with self._lock:
            if self.reason:
                return
            self.reason = reason
            stop = self._stop
        if stop is not None:
            stop()


class JournalHealth(Protocol):
    """How the journal of a run is."""

    @property
    def backlog(self) -> int:
        """Instants that are not stored yet."""

    @property
    def trouble(self) -> str:
        """Why the last attempt to store failed; empty while all is well."""

    @property
    def pause(self) -> str:
        """Why entries must wait; empty while they need not."""


@dataclass(slots=True)
class PaperContext:
    """What a service may see of a paper run; read the desk, never write it."""

    options: PaperOptions
    prepared: Prepared
    plan: DeskPlan
    desk: Desk
    recording: Recording
    feed: Feed
    node: LiveNode
    folder: Path  # the run's folder while it runs; it gets its final name at the end
    ending: RunEnding
    journal: JournalHealth | None = None
    notes: list[str] = field(default_factory=list)  # go into run.json
    measured: dict[str, Any] = field(default_factory=dict)  # figures of the node itself, into the summary
    opening_balance: float | None = None  # of an account at a venue, when the run began
    earlier: Sessions | None = None  # what a resumed run did before
    page: str = ""  # address of the run's page, while it is served
    abort: Exception | None = None  # why there is no run: raised once the node has stopped


class RunService(Protocol):
    """Something beside the desk: status, control, telemetry, recording of the feed, the journal."""

    name: str

    def start(self, context: PaperContext) -> None:
        """Begin; the desk is assembled, the node does not run yet.  An error here ends the run."""

    def stop(self, reason: str) -> None:
        """End; the node has stopped, its cache and portfolio can still be read."""


@contextmanager
def running(services: Sequence[RunService], context: PaperContext) -> Iterator[list[Exception]]:
    """Start the services, stop those that started in reverse; yields the list of what failed to stop."""
    started: list[RunService] = []
    failures: list[Exception] = []
    try:
        for service in services:
            service.start(context)
            started.append(service)
        yield failures
    finally:
        for service in reversed(started):
            try:
                service.stop(context.ending.reason or context.feed.ended or "interrupted")
            except Exception as error:  # noqa: BLE001 - the others must stop, and this one is told
                failures.append(error)
                context.notes.append(f"{service.name} did not stop cleanly: {error}".splitlines()[0])
