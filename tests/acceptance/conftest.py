"""Runs of the desk on real history, made once a session through the command line and shared by the tests.

`spot` are BTC ETH SOL BNB XRP at 5m, 2022-12-01 .. 2023-10-02, as perpetuals without funding; `perps` are ten
1h perpetuals, 2023-01-01 .. 2025-09-30, with the real funding and basis there is.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from crupto_nautilus.cli.main import run
from crupto_nautilus.reports.run_folder import RunFolder

SETS: Mapping[str, tuple[str, ...]] = {
    "spot": ("spot_5m", "--as-perp"),
    "perps": ("perp_1h", "funding", "basis_1h"),
}

# name -> (set of data, arguments of `crupto backtest`); the windows of the short ones hold what they show:
# funding_reversion trades on three coins in 2024-11, range_lowvol alternates with trends in 2023-05.
RUNS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "spot-300": ("spot", ("--equity", "300")),
    "spot-10000-short": ("spot", ("--equity", "10000", "--start", "2023-05-01", "--end", "2023-06-01")),
    "perps-300-short": ("perps", ("--equity", "300", "--start", "2024-11-01", "--end", "2024-12-10")),
    "perps-10000-short": ("perps", ("--equity", "10000", "--start", "2023-11-01", "--end", "2024-01-10")),
    "spot-10000": ("spot", ("--equity", "10000")),
    "perps-300": ("perps", ("--equity", "300")),
    "perps-10000": ("perps", ("--equity", "10000")),
}


def crupto(*arguments: object) -> dict[str, Any]:
    """Run one command line in this process and return its JSON object."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = run([*(str(argument) for argument in arguments), "--json"])
    data = json.loads(out.getvalue())
    assert isinstance(data, dict)
    assert code == 0, data
    return data


@dataclass(frozen=True)
class RealRuns:
    """Catalogs and runs made so far."""

    base: Path
    market: Path
    _catalogs: dict[str, Path] = field(default_factory=dict)
    _runs: dict[str, RunFolder] = field(default_factory=dict)

    def catalog(self, name: str) -> Path:
        """Return the catalog of a set of data."""
        if name not in self._catalogs:
            words = [self.market / word if word[0] != "-" else word for word in SETS[name]]
            imported = crupto("catalog", "import", *words, "--catalog", self.base / name)
            assert imported["written"] > 300_000
            self._catalogs[name] = self.base / name
        return self._catalogs[name]

    def run(self, name: str) -> RunFolder:
        """Return the finished run of a name in `RUNS`."""
        if name not in self._runs:
            data, arguments = RUNS[name]
            done = crupto(
                "backtest", "--catalog", self.catalog(data), *arguments,
                "--out", self.base / "runs", "--run-id", name,
            )  # fmt: skip
            self._runs[name] = RunFolder(Path(done["path"]))
        return self._runs[name]


@pytest.fixture(scope="session")
def real_runs(tmp_path_factory: pytest.TempPathFactory, market_dir: Path) -> RealRuns:
    """Return the runs on real data; each is made when it is asked for first."""
    return RealRuns(tmp_path_factory.mktemp("real"), market_dir)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep variables of the developer's shell away from the runs."""
    for name in (
        "MODE",
        "RUN_ID",
        "CRUPTO_CATALOG",
        "CRUPTO_DB_URL",
        "USE_VIRTUAL_TRADING",
        "VIRTUAL_EQUITY",
    ):
        monkeypatch.delenv(name, raising=False)
