"""The quiet after an instant: nothing has come for a moment, so the desk may put its things in order.

Between two instants of a live market there is time that no order needs: the state is saved then, the journal
written and garbage collected, and not at the beginning of the next instant, whose orders would wait for it.

Guarantee: a new instant begins the wait anew, so a feed that sends one after the other is never quiet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

QUIET_S: Final = 0.02
"""Long enough for what an instant causes inside the node; a venue that takes longer is not waited for."""


class Quiet:
    """Says once after each instant that nothing has come since (on the feed's event loop)."""

    def __init__(self, say: Callable[[], None], after_s: float = QUIET_S) -> None:
        self._say, self._after_s = say, after_s
        self._waiting: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Begin to wait: an instant has been sent."""
        self.over()
        self._waiting = asyncio.get_running_loop().call_later(self._after_s, self._say)

    def over(self) -> None:
        """Wait no more."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
