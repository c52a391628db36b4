"""How the work of a campaign is spread: in this process, over a pool, over Ray; the results are the same."""

from __future__ import annotations

from collections.abc import Sequence

from research.errors import ResearchError
from research.executors.base import Executor, SerialExecutor, Work
from research.executors.pool import PoolExecutor, WorkerDied
from research.executors.ray import RayExecutor, RayMissing

NAMES = ("serial", "pool", "ray")


def make_executor(
    name: str = "pool", workers: int = 0, address: str = "", preload: Sequence[str] = ()
) -> Executor:
    """Return the executor of a name.

    Raises
    ------
    ResearchError
        There is none of that name.
    """
    if name == "serial":
        return SerialExecutor()
    if name == "pool":
        return PoolExecutor(workers, preload)
    if name == "ray":
        return RayExecutor(workers, address)
    raise ResearchError(
        f"there is no executor {name!r}",
        found=name,
        expected=f"one of {', '.join(NAMES)}",
        remedy="--executor pool",
    )


__all__ = [
    "NAMES",
    "Executor",
    "PoolExecutor",
    "RayExecutor",
    "RayMissing",
    "SerialExecutor",
    "Work",
    "WorkerDied",
    "make_executor",
]
