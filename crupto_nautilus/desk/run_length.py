"""Ends a paper run after a wall time, whatever the feed does."""

from __future__ import annotations

import threading

from crupto_nautilus.desk.services import PaperContext


class RunLength:
    """A service that asks for the end of the run after `seconds` of wall time."""

    name = "run length"

    def __init__(self, seconds: float, reason: str) -> None:
        self._seconds, self._reason = seconds, reason
        self._timer: threading.Timer | None = None

    def start(self, context: PaperContext) -> None:
        """Start the clock."""
        self._timer = threading.Timer(self._seconds, context.ending.request, (self._reason,))
        self._timer.daemon = True
        self._timer.start()

    def stop(self, reason: str) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()
