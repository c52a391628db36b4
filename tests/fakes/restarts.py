"""Play a scenario in processes that are killed, and compare what is left with a run that was not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

from crupto_nautilus.reports.run_folder import RunFolder
from tests.fakes.paper_scenario import SCENARIOS, prepare

COMPARED = (
    "signals", "decisions", "entries", "orders", "fills", "trades", "equity", "regimes", "funding",
    "protections", "states", "safe_mode",
)  # fmt: skip
NOT_COMPARED = [
    "seq",
    "ts_venue",
]  # the order over all tables (a session's last sample has a number too), wall time


def process(folder: Path, *arguments: str | int) -> subprocess.CompletedProcess[str]:
    """Play one session in a process of its own."""
    command = [sys.executable, "-m", "tests.fakes.paper_scenario", str(folder), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def market_of(folder: Path, name: str = "eventful") -> Path:
    """Write market and configuration of a scenario once; returns the folder to copy from."""
    prepare(folder, SCENARIOS[name]())
    return folder


def fresh(source: Path, folder: Path) -> Path:
    """Return a folder with the market and no run."""
    for part in ("catalog", "config"):
        shutil.copytree(source / part, folder / part)
    return folder


def differences(run: Path, other: Path) -> list[str]:
    """Return the tables in which two runs differ, with the first row that does."""
    found = []
    one, two = RunFolder(run), RunFolder(other)
    for name in COMPARED:
        a, b = (folder.table(name).drop(columns=NOT_COMPARED, errors="ignore") for folder in (one, two))
        try:
            pd.testing.assert_frame_equal(a, b, check_exact=True)
        except AssertionError as error:
            found.append(f"{name}: {len(a)} and {len(b)} rows; {str(error)[:400]}")
    return found
