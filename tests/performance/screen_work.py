"""What the benchmarks of the screen let an executor do; in a module that worker processes can import."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from research.dsl import Document
from research.trials.trial import Laboratory, try_batch


@dataclass(frozen=True, slots=True)
class Tried:
    """A batch: processor seconds, and what the ledger would hold of each candidate."""

    cpu_s: float
    bodies: list[str]


def try_and_time(laboratory: Laboratory, documents: Sequence[Document]) -> Tried:
    """Try a batch as a campaign does; the work of an executor."""
    began = time.process_time()
    trials = try_batch(laboratory, documents)
    used = time.process_time() - began
    return Tried(used, [repr(trial.to_body()) for trial in trials])


def spin(_: None, rounds: int) -> int:
    """Work without memory: what the machine itself gives two processes over one."""
    total = 0
    for k in range(rounds):
        total += k * k % 7
    return total
