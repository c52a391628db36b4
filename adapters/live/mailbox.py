"""A way for other threads to reach the event loop of a feed.

Guarantee: what is posted runs on the loop's thread, between two pieces of data; before the loop runs and
after it has closed nothing is lost silently: `post` says whether it was taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Mailbox:
    """Runs functions on the thread of an event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Bind to the running event loop; called on its thread."""
        self._loop = asyncio.get_running_loop()

    def post(self, work: Callable[[], None]) -> bool:
        """Have the loop call `work` soon; False if no loop runs."""
        if self._loop is None:
            return False
        try:
            self._loop.call_soon_threadsafe(work)
        except RuntimeError:  # the loop has closed
            return False
        return True
