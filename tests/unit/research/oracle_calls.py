"""How each oracle function is called in the package: name in the oracle file -> call."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from research.statistics import overfitting, performance, selection, sharpe


def _per_period(inputs: Mapping[str, Any], key: str = "sr_annual") -> float:
    return float(inputs[key]) / math.sqrt(inputs["ppy"])


def _trial_variance(inputs: Mapping[str, Any]) -> float:
    return float(inputs["var_trials_annual"]) / float(inputs["ppy"])


def lcg_matrix(rows: int, columns: int, state: int = 12345) -> np.ndarray:
    """Return the matrix of the linear congruential generator the oracle names."""
    values = []
    for _ in range(rows * columns):
        state = (1103515245 * state + 12345) % 2**31
        values.append(state / 2**31 - 0.5)
    return np.array(values).reshape(rows, columns)


CALLS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "dsr2014": lambda i: selection.dsr_2014(
        _per_period(i), i["T"], i["skew"], i["kurt"], _trial_variance(i), i["N"]
    ),
    "dsr2025": lambda i: selection.dsr_2025(
        _per_period(i), i["T"], i["skew"], i["kurt"], _trial_variance(i), i["N"]
    ),
    "sr0_per_obs": lambda i: selection.expected_best_sharpe(_trial_variance(i), i["N"]),
    "expected_max_z": lambda i: selection.expected_maximum(i["N"]),
    "psr2012": lambda i: sharpe.psr_2012(i["sr"], i["sr0"], i["T"], i["skew"], i["kurt"]),
    "psr2025": lambda i: sharpe.psr_2025(i["sr"], i["sr0"], i["T"], i["skew"], i["kurt"]),
    "mintrl2012_years": lambda i: (
        sharpe.min_track_record_2012(
            _per_period(i), _per_period(i, "sr0_annual"), i["skew"], i["kurt"], i["alpha"]
        )
        / i["ppy"]
    ),
    "mintrl2025_obs": lambda i: sharpe.min_track_record_2025(
        i["sr"], i["sr0"], i["skew"], i["kurt"], i["alpha"]
    ),
    "minbtl_years": lambda i: selection.min_backtest_years(i["N"], i["sr_target"]),
    "type2_error": lambda i: sharpe.type_2_error(
        i["sr0"], i["sr1"], i["T"], i["skew"], i["kurt"], i["alpha"]
    ),
    "pFDR": lambda i: sharpe.false_discovery_rate(i["p_h1"], i["alpha"], i["beta"]),
    "naive_p_one_sided": lambda i: sharpe.naive_p_value(i["sr"], i["T"]),
    "holm_adjusted_top_p": lambda i: selection.bonferroni(i["p"], i["M"]),
    "harvey_liu_haircut": lambda i: selection.haircut(i["sr"], i["T"], i["M"], i["method"]),
    "max_of_k_normals": lambda i: list(selection.maximum_moments(i["k"])),
    "pbo_cscv": lambda i: overfitting.pbo_cscv(lcg_matrix(240, 8), i["S"]).pbo,
    "cpcv_counts": lambda i: list(overfitting.split_count(i["n_groups"], i["n_test"])),
    "max_drawdown": lambda i: performance.max_drawdown(np.array(i["equity"], float)),
    "profit_factor": lambda i: performance.profit_factor(np.array(i["trades"], float)),
}
