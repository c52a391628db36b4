"""The tape: what the desk says is noted in passing and worked off later, by whoever looks.

Guarantees: hearing a message is one append, under a microsecond, whatever is made of it afterwards; messages
are worked off in the order in which they were said, each once; one that cannot be worked off is counted and
takes no other with it; nobody waits for the tape: who finds another at it goes on with what is there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Any

MOST = 20_000  # messages: a desk whose pulse is late works them off in between

Worker = Callable[[int, Any], None]


class Tape:
    """Messages and when they were heard (`perf_counter_ns`).

    Parameters
    ----------
    workers : Mapping
        Type of a message -> what is done with (time heard in ns, message); None stands for a mark.
    settle : Callable
        Called after the last message of a batch, to do once what one message after the other asked for.
    failed : Callable
        Told the message and the error of a worker; an error of `settle` comes with None.
    """

    def __init__(
        self,
        workers: Mapping[type, Worker],
        settle: Callable[[], None],
        failed: Callable[[object, Exception], None],
    ) -> None:
        self._workers, self._settle, self._failed = workers, settle, failed
        self._heard: deque[tuple[int, Any]] = deque()
        self._at_work = threading.Lock()

    def hear(self, message: Any) -> None:
        """Note a message (desk's thread)."""
        self._heard.append((perf_counter_ns(), message))

    def mark(self, _: Any) -> None:
        """Note the moment alone, as a message of its own: None (desk's thread)."""
        self._heard.append((perf_counter_ns(), None))
        if len(self._heard) > MOST:
            self.catch_up()

    def catch_up(self) -> bool:
        """Work off what was heard until now (any thread); False if another thread is at it."""
        if not self._at_work.acquire(blocking=False):
            return False
        try:
            heard, workers = self._heard, self._workers
            if not heard:
                return True
            for _ in range(len(heard)):
                at, message = heard.popleft()
                try:
                    workers[type(message)](at, message)
                except Exception as error:  # noqa: BLE001 - watching must never harm what is watched
                    self._failed(message, error)
            try:
                self._settle()
            except Exception as error:  # noqa: BLE001 - see above
                self._failed(None, error)
            return True
        finally:
            self._at_work.release()
