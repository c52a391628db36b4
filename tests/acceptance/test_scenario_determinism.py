"""The desk's decisions depend on the market alone: not on the process, not on coins that never signal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from crupto_nautilus.reports.verify import run_hash
from strategies.registry import REGISTRY
from tests.fakes.scenario import Scenario, ScenarioRun
from tests.fakes.scenario_market import Tape, instrument

MINUTES = 5
BARS = 7 * 288

PROGRAM = """
import sys
from pathlib import Path
from tests.acceptance.test_scenario_determinism import busy
from crupto_nautilus.reports.verify import run_hash
print(hash("BTC"), run_hash(busy(Path(sys.argv[1])).folder))
"""


def walk(seed: int) -> Tape:
    """Return a week of 5m bars whose volatility and volume come in clusters."""
    rng = np.random.default_rng(seed)
    clusters = np.exp(np.repeat(rng.normal(0.0, 0.5, BARS // 48 + 1), 48)[:BARS])
    closes = 100.0 * np.exp(np.cumsum(0.003 * clusters * rng.standard_normal(BARS)))
    tape = Tape()
    for close, cluster in zip(np.round(closes, 2).tolist(), clusters.tolist(), strict=True):
        tape.volume(round(50_000.0 * cluster, 1))
        high, low = max(tape.price, close), min(tape.price, close)
        tape.bar(tape.price, round(high * 1.0005, 2), round(low * 0.9995, 2), close)
    return tape


def busy(folder: Path, *idle: str) -> ScenarioRun:
    """Play the real strategies on three coins, beside some that stand still."""
    tapes = {coin: walk(seed) for seed, coin in enumerate(("BNB", "ETH", "SOL"))}
    tapes |= {coin: Tape().hold(BARS) for coin in idle}
    return Scenario(tapes, list(REGISTRY.values()), minutes=MINUTES, unlock_after_hours=24.0).play(folder)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> ScenarioRun:
    """Return the run that the others are compared with."""
    run = busy(tmp_path_factory.mktemp("alone"))
    assert len(run.rows("trades")) > 50
    assert len({row["strategy"] for row in run.rows("decisions", approved=True)}) == 3  # no funding here
    assert len({row["reason"] for row in run.rows("decisions")}) > 8
    assert {mode for _, mode, _ in run.states} == {"ACTIVE", "REDUCE_ONLY", "HALTED"}
    return run


def test_two_processes_with_other_hash_seeds_decide_alike(
    alone: ScenarioRun, tmp_path: Path, project_dir: Path
) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path / seed)],
            cwd=project_dir,
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    answers = [process.communicate()[0].split() for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert answers[0][0] != answers[1][0]  # the seeds did differ
    assert {answer[1] for answer in answers} == {run_hash(alone.folder)}


@pytest.mark.parametrize("idle", [("AAVE",), ("AAVE", "LTC", "XRP")])
def test_coins_that_never_signal_change_nothing(
    idle: tuple[str, ...], alone: ScenarioRun, tmp_path: Path
) -> None:
    beside = busy(tmp_path, *idle)
    assert not [s for s in beside.rows("signals") if s.instrument in map(instrument, idle)]
    for table in ("signals", "decisions", "fills", "trades", "equity", "entries", "states", "safe_mode"):
        assert beside.rows(table) == alone.rows(table), table
    assert run_hash(beside.folder) == run_hash(alone.folder)
