"""What the monitor hands to the journal: the messages since the last settled instant, and the state then.

Guarantees: a batch ends where nothing is in flight; what an unfinished instant did is never handed over (a
resumed run does it again); a resumed run hands over nothing of its warm-up, which is in the journal already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.sinks import JournalSink, Kept


class JournalBatch:
    """Collects between two settled instants.

    Parameters
    ----------
    journal : JournalSink, optional
        Where batches go; without one everything is dropped.
    collect_state : callable, optional
        Returns the state of the desk; asked only if the journal wants it and something happened.
    """

    def __init__(
        self, journal: JournalSink | None, collect_state: Callable[[], dict[str, Any]] | None = None
    ) -> None:
        self._journal, self._collect = journal, collect_state
        self._kept: list[Kept] = []
        self._settled_ns = 0
        self._trouble = ""
        self.settled = True
        self.muted = False

    def keep(self, message: object, *beside: Any) -> None:
        """Take a message, with what else a `Kept` says of it."""
        self.settled = False
        if self._journal is not None:
            self._kept.append(Kept(message, *beside))

    def mute(self, muted: bool) -> None:
        """Keep nothing while a resumed run warms up."""
        self.muted = muted
        if not muted:
            self._kept = []

    def leave_unfinished(self) -> None:
        """Hand over nothing more if something is unfinished: a resumed run does it again."""
        if not self.settled:
            self._journal = None

    def trouble(self) -> str | None:
        """Return the journal's trouble if it changed since the last call (empty: it is over), else None."""
        if self._journal is None or self._journal.trouble == self._trouble:
            return None
        self._trouble = self._journal.trouble
        return self._trouble

    def settle(self, ts: int | None = None) -> None:
        """Hand over what was kept; `ts` is the instant that has settled, None the one that settled last."""
        self._settled_ns = self._settled_ns if ts is None else ts
        self.settled = True
        if self._journal is None or not self._kept:
            return
        kept, self._kept = self._kept, []
        collect = self._collect if self._journal.wants_state else None
        self._journal.put(self._settled_ns, kept, None if collect is None else collect())
