"""Venue time: by hand, as fast as the wall clock, or faster."""

from __future__ import annotations

import time


class VenueClock:
    """Milliseconds of venue time (UTC).

    Parameters
    ----------
    start_ms
        Venue time at the start; None for the wall clock.
    speed
        Venue milliseconds for each one of the wall clock; 0 stands still until `advance`.
    """

    def __init__(self, start_ms: int | None = None, speed: float = 1.0) -> None:
        if speed < 0:
            raise ValueError(f"speed was {speed}, expected 0 (by hand) or more")
        self.speed = speed
        self.start_ms = int(time.time() * 1000) if start_ms is None else start_ms
        self._wall_start = time.monotonic()
        self._added_ms = 0

    def now_ms(self) -> int:
        """Return the venue time."""
        passed = (time.monotonic() - self._wall_start) * 1000 * self.speed if self.speed else 0
        return self.start_ms + int(passed) + self._added_ms

    def set_speed(self, speed: float) -> None:
        """Go on from now at another speed."""
        self.start_ms, self._added_ms, self._wall_start = self.now_ms(), 0, time.monotonic()
        self.speed = speed

    def advance(self, ms: int) -> int:
        """Move the clock forward and return the new time."""
        if ms < 0:
            raise ValueError(f"a clock does not run backwards, was {ms} ms")
        self._added_ms += ms
        return self.now_ms()
