"""What an executor promises, and the simplest one.

Guarantees of every executor: `run` yields one result for each item, in the order of the items; a result
depends on the item and the shared context only, so all executors give the same values; an exception inside
the work is the work's own business (it should return it as a value), and one that escapes ends the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

type Work = Callable[[Any, Any], Any]
"""(shared context, item) -> result; a function at the top of a module, for it travels by name."""


class Executor(Protocol):
    """Runs the same work over many items."""

    name: str
    workers: int

    def run(self, work: Work, context: Any, items: Sequence[Any]) -> Iterator[Any]:
        """Yield `work(context, item)` for each item, in order.  The context is sent to a worker once."""
        ...


class SerialExecutor:
    """One item after the other in this process."""

    name = "serial"
    workers = 1

    def run(self, work: Work, context: Any, items: Sequence[Any]) -> Iterator[Any]:
        """Yield the results."""
        for item in items:
            yield work(context, item)
