"""What one run of the desk showed of a challenger, and what its research led to expect.

Clocks are data time.  Evidence of replays and of live feeds is never added up: each kind stands for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from research.statistics.performance import max_drawdown
from research.statistics.resampling import block_length, stationary_indices
from research.statistics.sharpe import Floats
from research.trials.windows import DAY_NS

type Label = Literal["replay", "live"]

_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Observation:
    """A challenger in one run.

    Attributes
    ----------
    label
        `live` only where the feed was a live one.
    r
        Results of the closed trades in R, in the order of their exits.
    signals_expected, signals_equal
        Entries of the document on the same bars, and how many of both sides are the same to the nanosecond.
    slippage_excess_bps
        Paid minus expected when the entry was approved, a fill.
    """

    challenger: str
    stage: str
    run: str
    label: Label
    start_ns: int
    end_ns: int
    r: tuple[float, ...]
    signals_expected: int
    signals_equal: int
    slippage_excess_bps: tuple[float, ...]

    def to_body(self) -> dict[str, Any]:
        """Return the values a ledger line holds."""
        return asdict(self)

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Self:
        """Return the observation of a ledger line."""
        values = {name: body[name] for name in cls.__dataclass_fields__}
        for name in ("r", "slippage_excess_bps"):
            values[name] = tuple(float(value) for value in values[name])
        return cls(**values)

    @property
    def days(self) -> float:
        """Return the length in days of data time."""
        return (self.end_ns - self.start_ns) / DAY_NS


class Expected(NamedTuple):
    """What so many trades are expected to show; drawdowns as shares of equity."""

    mean_low: float
    mean_high: float
    drawdown_median: float
    drawdown_p95: float


@dataclass(frozen=True, slots=True)
class Expectation:
    """The trades of the research window, in R; they are resampled to as many as were observed."""

    r: Floats
    risk_share: float  # of equity, a trade

    def of(self, trades: int, band: float, seed: int) -> Expected:
        """Return the central band of the mean of `trades` results, and the drawdowns of such paths.

        Paths are stretches of the stationary bootstrap of the whole record.
        """
        length = max(trades, 1)
        rows = stationary_indices(len(self.r), block_length(self.r), _DRAWS, seed)
        repeats = -(-length // len(self.r))
        picked = np.tile(self.r[rows], (1, repeats))[:, :length]
        means, tail = picked.mean(axis=1), (1.0 - band) / 2.0
        falls = np.array([drawdown(path, self.risk_share) for path in picked])
        return Expected(
            float(np.quantile(means, tail)),
            float(np.quantile(means, 1.0 - tail)),
            float(np.median(falls)),
            float(np.quantile(falls, 0.95)),
        )


def drawdown(r: Floats, risk_share: float) -> float:
    """Return the deepest fall of equity when each trade risks `risk_share` of the equity of its moment."""
    growth = np.maximum(1.0 + risk_share * r, 1e-9)
    return max_drawdown(np.concatenate(([1.0], np.cumprod(growth))))


def together(observations: Sequence[Observation]) -> Floats:
    """Return the results of several runs in their order."""
    return np.array([value for one in observations for value in one.r], float)
