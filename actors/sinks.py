"""Where the monitor's records go: protocols that the application fills in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from risk.vocabulary import Approved, EntryDone, EquityPoint, Refused


class Recorder(Protocol):
    """Where messages are collected (the run folder's recording)."""

    def add(self, message: object) -> None:
        """Append a message."""

    def add_decision(
        self,
        decision: Approved | Refused,
        *,
        regime: str,
        desk_mode: str,
        snapshot: Mapping[str, float] | None = None,
    ) -> None:
        """Append an answer with the book around it."""

    def add_entry(self, entry: EntryDone, snapshot: Mapping[str, float] | None = None) -> None:
        """Append an entry that is over."""


class JournalSink(Protocol):
    """Where settled batches go; `put` never waits."""

    def put(self, ts: int, messages: list[object], state: dict[str, Any] | None) -> bool:
        """Take a batch; False when the backlog is full."""


class TelemetrySink(Protocol):
    """Who watches the desk live (paper runs); what it does never raises and never waits."""

    def subscriptions(self) -> Iterable[tuple[str, Callable[[Any], None], int]]:
        """Return (topic, handler, priority) of everything it wants to hear."""

    def on_equity(self, point: EquityPoint) -> None:
        """Take a sample of the books."""

    def on_pulse(self, event: object) -> None:
        """Look at what is not published: books, tools, positions (called at intervals of wall time)."""
