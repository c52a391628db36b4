"""Engine behaviour the live sandbox relies on: the in-flight check takes a waiting stop for a lost order.

A stop that is attached to a resting entry is SUBMITTED until the entry fills.  The engine's check of orders
in flight declares such an order rejected after its threshold; an interval of 0 turns the check off.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("interval_ms", "ends"),
    [
        (100, "OrderInitialized OrderSubmitted OrderRejected REJECTED"),
        (0, "OrderInitialized OrderSubmitted SUBMITTED"),
    ],
)
def test_a_waiting_stop_outlives_its_entry_s_rest_only_without_the_check(
    interval_ms: int, ends: str, project_dir: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fakes.waiting_stop", str(interval_ms)],
        cwd=project_dir, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == ends
