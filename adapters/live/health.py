"""How a live feed is doing: plain values for the status line, the metrics and the check at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.arrivals import FeedCounts


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """A look at a feed; ages are wall time in seconds, None where nothing has arrived yet.

    `arrival_age_s` is since anything of an instrument arrived, `bar_age_s` since the close of its newest bar.
    """

    connected: bool
    counts: FeedCounts
    arrival_age_s: Mapping[str, float | None]
    bar_age_s: Mapping[str, float | None]
    missing_bars: int  # not yet backfilled
    restarts: int  # of the venue's tasks
    backlog: int  # instants sent that the desk has not handled
    last_error: str
    failure: str

    @property
    def silent(self) -> tuple[str, ...]:
        """Instruments of which nothing has arrived since the start."""
        return tuple(name for name, age in self.arrival_age_s.items() if age is None)

    @property
    def ready(self) -> bool:
        """Whether trading may begin: connected, and every instrument has been heard of."""
        return self.connected and not self.silent and not self.failure


@dataclass(slots=True)
class Restarts:
    """Counts the restarts of a venue's tasks and says how long to wait before the next one, seconds.

    The wait doubles with each failure and is forgiven after `STABLE_S` without one, so a connection that
    breaks each second does not become a storm of connections.
    """

    first_s: float = 1.0
    longest_s: float = 60.0
    stable_s: float = 120.0
    total: int = 0
    _row: int = field(default=0)
    _last_s: float = field(default=0.0)

    def wait_s(self, now_s: float) -> float:
        """Count a failure at `now_s` and return the pause before the next attempt."""
        if now_s - self._last_s > self.stable_s:
            self._row = 0
        self._last_s = now_s
        self.total += 1
        self._row += 1
        return float(min(self.longest_s, self.first_s * 2.0 ** min(self._row - 1, 16)))
