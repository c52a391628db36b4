"""A pool of processes on this machine: the default.

Workers come from a fork server, a clean process without threads that has loaded the compiled kernels.  The
shared context is sent to each once, and a run of the same work on the same context finds the workers of the
run before: the rounds of a campaign start none.  A worker that dies (out of memory, killed) takes no result
with it: what was not finished is done again in a new pool, and an item that kills its worker twice is
reported by `WorkerDied` with the item's position.  Workers end with the process that they work for, also
where that one was killed.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any

from research.errors import ResearchError
from research.executors.base import Work

_PRELOAD = ["research.executors.pool", "research.trials.warm"]
_shared: dict[str, Any] = {}


class WorkerDied(ResearchError):
    """The process that worked on an item died, twice."""

    def __init__(self, position: int) -> None:
        super().__init__(
            f"the worker process of item {position + 1} died twice",
            found="a killed process (out of memory, a signal)",
            expected="a result or an exception",
            remedy="fewer workers (--workers 1), more memory; the campaign resumes where it stopped",
        )
        self.position = position


def _install(work: Work, context: Any) -> None:
    _shared["work"], _shared["context"] = work, context
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()


def _end_with_parent() -> None:
    # A worker holds both ends of the queue it reads from: it would wait for a killed parent for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _call(item: Any) -> Any:
    return _shared["work"](_shared["context"], item)


class PoolExecutor:
    """Processes of this machine.

    Parameters
    ----------
    workers : int
        Number of processes; 0 is one for each core this process may use.
    preload : sequence of module names
        Imported once by the fork server, so that workers start with them.
    """

    name = "pool"

    def __init__(self, workers: int = 0, preload: Sequence[str] = ()) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self._preload = [*_PRELOAD, *preload]
        self._pool: ProcessPoolExecutor | None = None
        self._serves: tuple[Work, Any] | None = None  # what the workers were started for

    def run(self, work: Work, context: Any, items: Sequence[Any]) -> Iterator[Any]:
        """Yield the results in order; at most three items a worker are under way ahead of the reader."""
        done, died_at = 0, -1
        while done < len(items):
            try:
                for result in self._run(work, context, items[done:]):
                    done += 1
                    yield result
            except BrokenProcessPool:
                if died_at == done:
                    raise WorkerDied(done) from None
                died_at = done

    def close(self) -> None:
        """End the workers; the end of the process does the same."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool, self._serves = None, None

    def _run(self, work: Work, context: Any, items: Sequence[Any]) -> Iterator[Any]:
        pool, waiting = self._workers(work, context), list[Future[Any]]()
        finished = False
        try:
            for item in items:
                waiting.append(pool.submit(_call, item))
                if len(waiting) >= 3 * self.workers:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
            finished = True
        finally:
            if not finished:
                self.close()

    def _workers(self, work: Work, context: Any) -> ProcessPoolExecutor:
        """Return the workers of the run before if it was the same work on the same object, else new ones."""
        if self._pool is None or self._serves is None or not _same(self._serves, (work, context)):
            self.close()
            server = multiprocessing.get_context("forkserver")
            server.set_forkserver_preload(self._preload)
            self._pool = ProcessPoolExecutor(self.workers, server, _install, (work, context))
            self._serves = (work, context)
        return self._pool


def _same(before: tuple[Any, Any], now: tuple[Any, Any]) -> bool:
    return before[0] is now[0] and before[1] is now[1]
