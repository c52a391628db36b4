"""When each instant was handed to the node: the start of the way from bar to order, in a cheap clock.

Nothing that decides reads it.  In an accelerated replay the feed runs ahead of the desk on purpose; there the
clock of an instant starts when the desk has finished the one before, else at the moment of hand-over.
"""

from __future__ import annotations

from time import perf_counter_ns


class Stopwatch:
    """Times of hand-over by instant; `ahead` says that the feed runs ahead of the desk."""

    def __init__(self, *, ahead: bool = False) -> None:
        self._ahead = ahead
        self._sent: dict[int, int] = {}
        self._free_ns = 0

    def sent(self, ts: int) -> None:
        """Start the clock of the instant `ts`."""
        self._sent[ts] = perf_counter_ns()

    def handled(self) -> None:
        """Take note that the desk has finished the oldest instant."""
        self._free_ns = perf_counter_ns()
        oldest = next(iter(self._sent), None)
        if oldest is not None:
            del self._sent[oldest]

    def elapsed_ns(self, ts: int) -> int | None:
        """Return how long the instant has been with the node, None if it is not."""
        sent = self._sent.get(ts)
        if sent is None:
            return None
        return perf_counter_ns() - (max(sent, self._free_ns) if self._ahead else sent)
