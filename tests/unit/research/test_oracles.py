"""Every statistic reproduces the published numbers to their stated tolerance."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from research.statistics import overfitting, resampling, selection
from research.statistics.sharpe import psr_2012

_HERE = Path(__file__).parent
_SPEC = importlib.util.spec_from_file_location("oracle_calls", _HERE / "oracle_calls.py")
assert _SPEC is not None
assert _SPEC.loader is not None
_calls = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_calls)
CASES: list[dict[str, Any]] = json.loads((_HERE / "oracles_point.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_published_value_is_reproduced(case: dict[str, Any]) -> None:
    found = _calls.CALLS[case["function"]](case["inputs"])
    assert found == pytest.approx(case["expected"], abs=case["tol"], rel=0)


def test_the_shared_oracles_hold_too(shared_dir: Path) -> None:
    cases = json.loads((shared_dir / "oracles" / "oracles.json").read_text())["point"]
    wrong = {
        case["id"]: found
        for case in cases
        if (found := _calls.CALLS[case["function"]](case["inputs"]))
        != pytest.approx(case["expected"], abs=case["tol"], rel=0)
    }
    assert wrong == {}


PUBLISHED_DRAWS = 1000  # the published powers are simulated too


def _within(share: float, expected: float, draws: int) -> bool:
    variance = max(expected * (1 - expected), 1 / draws) * (1 / draws + 1 / PUBLISHED_DRAWS)
    return abs(share - expected) <= 3 * variance**0.5


@pytest.mark.parametrize(("edge", "power"), [(0.05, 0.005), (0.08, 0.09), (0.12, 0.651), (0.16, 0.998)])
def test_power_of_the_deflated_sharpe_ratio_with_25_edges_among_1000(edge: float, power: float) -> None:
    random, draws, trials, length = np.random.default_rng(int(edge * 1000)), 2000, 1000, 1000
    true = np.zeros(trials)
    true[:25] = edge
    found = 0
    for _ in range(draws):  # the estimate of a normal's Sharpe ratio: normal mean over chi deviation
        spread = np.sqrt(random.chisquare(length - 1, trials) / (length - 1))
        seen = (true + random.standard_normal(trials) / length**0.5) / spread
        benchmark = selection.expected_best_sharpe(float(seen.var(ddof=1)), trials, float(seen.mean()))
        found += psr_2012(float(seen.max()), benchmark, length) >= 0.95
    assert _within(found / draws, power, draws)


def test_overfitting_of_noise_is_half_and_of_a_planted_edge_none() -> None:
    random = np.random.default_rng(4)
    noise = [overfitting.pbo_cscv(random.standard_normal((1000, 200)), 10).pbo for _ in range(24)]
    planted = []
    for _ in range(4):
        returns = random.standard_normal((1000, 200))
        returns[:, :20] += 0.15
        planted.append(overfitting.pbo_cscv(returns, 10).pbo)
    assert abs(np.mean(noise) - 0.5) <= 3 * 0.147 / len(noise) ** 0.5
    assert np.mean(planted) <= 0.02


def test_superior_ability_has_its_size_without_an_edge() -> None:
    random = np.random.default_rng(11)
    upper = np.array(
        [resampling.spa_test(random.standard_normal((250, 20)), 5, 150, seed).upper for seed in range(80)]
    )
    assert (upper <= 0.05).mean() <= 0.05 + 3 * (0.05 * 0.95 / len(upper)) ** 0.5
    assert stats.kstest(upper, "uniform").pvalue >= 0.01
