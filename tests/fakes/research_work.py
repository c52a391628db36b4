"""Work for executors that behaves and misbehaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np

from research.standards import GateResult


def spread(context: dict[str, Any], item: int) -> dict[str, Any]:
    """Return figures that show any difference of arithmetic or order."""
    picked = np.random.default_rng(item).choice(context["prices"], 200)
    return {"item": item, "mean": float(picked.mean()), "deviation": float(picked.std(ddof=1))}


def process_of(context: object, item: int) -> int:
    """Return who works."""
    return os.getpid()


def die_once(marker: str, item: int) -> int:
    """Kill the own process at item 5, the first time only."""
    if item == 5 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return item * 2


def die_always(context: None, item: int) -> int:
    """Kill the own process."""
    os.kill(os.getpid(), signal.SIGKILL)
    return item


def fail_on_three(context: None, item: int) -> int:
    """Raise at item 3."""
    return item // (item != 3)


def no_engine_here(laboratory: object, document: object, result: object) -> GateResult:
    """Stand in for the engine, which lives on a higher floor; its gate has tests of its own."""
    return GateResult.not_applicable("G3", "no engine in this test")
