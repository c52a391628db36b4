"""Ray: the same work on a local or remote cluster (extra `ray`).

The cluster starts with the first work and serves until `close`.  The context is put into the object store
once; items travel as plain tasks (no actors: actors that hold every core beside waiting tasks deadlock in
silence).  Send batches of a second of work or more: a task costs about half a millisecond, a start of a local
cluster about five seconds.
"""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from research.errors import ResearchError
from research.executors.base import Work

STARTS = 2  # of a local cluster: Ray gives a node thirty seconds, too few for a machine that is busy


class RayMissing(ResearchError):
    """Ray is not installed, or its cluster cannot be reached."""


class RayExecutor:
    """Tasks on a Ray cluster.

    Parameters
    ----------
    workers : int
        Cores of a local cluster, and tasks under way at once; 0 is one for each core of this machine.
    address : str
        Address of a running cluster, such as `ray://head:10001`; empty starts a local one.
    """

    name = "ray"

    def __init__(self, workers: int = 0, address: str = "") -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self._address = address
        self._started = False

    def run(self, work: Work, context: Any, items: Sequence[Any]) -> Iterator[Any]:
        """Yield the results in order."""
        ray = _ray()
        if not ray.is_initialized():
            self._start(ray)
            self._started = True
        shared = ray.put(context)
        task = ray.remote(work)
        waiting: list[Any] = []
        for item in items:
            waiting.append(task.remote(shared, item))
            if len(waiting) >= 3 * self.workers:
                yield ray.get(waiting.pop(0))
        while waiting:
            yield ray.get(waiting.pop(0))

    def close(self) -> None:
        """Leave the cluster; end it if it was started here.  The end of the process does the same."""
        if self._started:
            self._started = False
            _ray().shutdown()
            with warnings.catch_warnings():  # Ray drops the handles of its processes before they have ended
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()

    def _start(self, ray: Any) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        for attempt in range(STARTS):
            try:
                self._init(ray)
            except Exception as error:  # what a node that starts too slowly raises has no class of its own
                ray.shutdown()
                if attempt + 1 == STARTS or self._address:
                    raise RayMissing(
                        "the Ray cluster cannot be reached",
                        found=str(error).splitlines()[0],
                        expected=f"a cluster at {self._address or 'this machine'}",
                        remedy="check the address, RAY_AUTH_MODE and the load, or use --executor pool",
                    ) from error
            else:
                return

    def _init(self, ray: Any) -> None:
        if self._address:
            ray.init(address=self._address, logging_level=logging.ERROR)
        else:
            ray.init(
                num_cpus=self.workers,
                include_dashboard=False,
                logging_level=logging.ERROR,
                log_to_driver=False,
                _node_ip_address="127.0.0.1",
            )


def _ray() -> Any:
    # Ray would start its workers by the `uv run` that started us, in a copy of this folder without its tools.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
    except ImportError as error:
        raise RayMissing(
            "ray is not installed",
            found="no module ray",
            expected="the extra `ray`",
            remedy="make sync EXTRAS='--extra ray', or use --executor pool",
        ) from error
    return ray
