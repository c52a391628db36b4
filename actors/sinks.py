"""Where the monitor's records go, and what an account says: protocols that the application fills in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from risk.vocabulary import AccountFunding, Approved, EntryDone, EquityPoint, Refused


class Kept(NamedTuple):
    """A message on its way to the journal, with what its row in the run folder says beside it.

    `seq` is the order over all tables (0: none); `regime`, `desk_mode` and `snapshot` stand around an answer
    or the end of an entry.
    """

    message: object
    seq: int = 0
    regime: str | None = None
    desk_mode: str | None = None
    snapshot: Mapping[str, float] | None = None


class Recorder(Protocol):
    """Where messages are collected (the run folder's recording); each `add` returns the row's number."""

    def add(self, message: object) -> int:
        """Append a message."""

    def add_decision(
        self,
        decision: Approved | Refused,
        *,
        regime: str,
        desk_mode: str,
        snapshot: Mapping[str, float] | None = None,
    ) -> int:
        """Append an answer with the book around it."""

    def add_entry(self, entry: EntryDone, snapshot: Mapping[str, float] | None = None) -> int:
        """Append an entry that is over."""


class JournalSink(Protocol):
    """Where settled batches go; `put` never waits."""

    wants_state: bool
    """Whether a batch comes with the state after it (a paper run: it may have to go on from there)."""

    @property
    def trouble(self) -> str:
        """Why nothing can be stored at present; empty while all is well."""

    @property
    def pause(self) -> str:
        """Why entries must wait (too much is not stored yet); empty while they need not."""

    def put(self, ts: int, messages: Sequence[Kept], state: dict[str, Any] | None) -> bool:
        """Take a batch; False when the backlog is full."""


class FundingSource(Protocol):
    """What a venue's account says of the funding that it settles by itself; safe to ask from any thread."""

    @property
    def trouble(self) -> str:
        """Why the account's funding is not known at present; empty while all is well."""

    def take(self) -> tuple[list[AccountFunding], int]:
        """Return what is new since the last call, repeats included, and up to where (ns) all is known."""


class TelemetrySink(Protocol):
    """Who watches the desk live (paper runs); what it does never raises and never waits."""

    def subscriptions(self) -> Iterable[tuple[str, Callable[[Any], None], int]]:
        """Return (topic, handler, priority) of everything it wants to hear."""

    def on_equity(self, point: EquityPoint) -> None:
        """Take a sample of the books."""

    def on_pulse(self, event: object) -> None:
        """Look at what is not published: books, tools, positions (called at intervals of wall time)."""
