"""The check of the feed at the start: a run begins only on a feed that delivers, or ends with its reason.

Guarantee: a feed that is not ready within the time-out ends the run with exit code 3, whatever the exchange
does: one that refuses, one that never answers, and a client that blocks the whole node (then the process is
ended from outside of it, since nothing inside can run any more).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

from crupto_nautilus.desk.services import PaperContext
from crupto_nautilus.errors import EnvironmentProblem, ExitCode

TIMEOUT_S = 60.0
POLL_S = 0.1
STOP_S = 10.0  # that a node gets to end before the process is ended


class FeedCheck:
    """A service that watches until the feed is ready."""

    name = "feed check"

    def __init__(
        self,
        timeout_s: float = TIMEOUT_S,
        stop_s: float = STOP_S,
        end_process: Callable[[int], object] = os._exit,
    ) -> None:
        self._timeout_s, self._stop_s, self._end_process = timeout_s, stop_s, end_process
        self._over = threading.Event()

    def start(self, context: PaperContext) -> None:
        """Begin to watch."""
        self._context = context
        self._thread = threading.Thread(target=self._watch, name="feed-check", daemon=True)
        self._thread.start()

    def stop(self, reason: str) -> None:
        """Watch no longer."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        feed, deadline = self._context.feed, time.monotonic() + self._timeout_s
        while reason := feed.unready():
            if self._over.wait(POLL_S):
                return
            if time.monotonic() > deadline:
                self._abort(reason)
                return

    def _abort(self, reason: str) -> None:
        problem = EnvironmentProblem(
            f"the feed is not healthy after {self._timeout_s:g} s",
            found=reason,
            expected="a connection, and something heard of every instrument",
            remedy="check the network and the exchange's status, leave silent instruments out with "
            "--symbols, or start all the same with --skip-feed-check",
        )
        self._context.abort = problem
        self._context.ending.request("feed check failed")
        if not self._over.wait(self._stop_s):
            sys.stderr.write(f"{problem}\nthe node does not stop: the process is ended\n")
            sys.stderr.flush()
            self._end_process(int(ExitCode.ENVIRONMENT))
