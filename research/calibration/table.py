"""The calibration's result: promotion rates with exact binomial bounds, beside weaker rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from research.calibration.simulate import Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of market."""

    kind: str
    amplitude: float
    campaigns: int
    promoted: int
    lower_95: float  # one-sided bounds of the promotion rate
    upper_95: float
    holdout_sharpe: float  # mean, of the best candidate of each campaign
    weaker: dict[str, float]
    killed_by: dict[str, int]

    @property
    def rate(self) -> float:
        """Return the share of campaigns that promoted anything."""
        return self.promoted / self.campaigns


def bounds(successes: int, trials: int, alpha: float = 0.05) -> tuple[float, float]:
    """Return the one-sided lower and upper Clopper-Pearson bounds of a rate."""
    lower = float(beta.ppf(alpha, successes, trials - successes + 1)) if successes else 0.0
    upper = float(beta.ppf(1.0 - alpha, successes + 1, trials - successes)) if successes < trials else 1.0
    return lower, upper


def rows(outcomes: Iterable[Outcome]) -> list[Row]:
    """Return one row for each kind and size of edge, in order of first appearance."""
    groups: dict[tuple[str, float], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.kind, outcome.amplitude), []).append(outcome)
    return [_row(kind, amplitude, group) for (kind, amplitude), group in groups.items()]


def _row(kind: str, amplitude: float, group: Sequence[Outcome]) -> Row:
    promoted = sum(outcome.promoted > 0 for outcome in group)
    lower, upper = bounds(promoted, len(group))
    killed: dict[str, int] = {}
    for outcome in group:
        for gate, count in outcome.killed_by.items():
            killed[gate] = killed.get(gate, 0) + count
    return Row(
        kind,
        amplitude,
        len(group),
        promoted,
        lower,
        upper,
        float(np.nanmean([outcome.holdout_sharpe for outcome in group])),
        {name: float(np.mean([outcome.weaker[name] for outcome in group])) for name in group[0].weaker},
        dict(sorted(killed.items())),
    )
