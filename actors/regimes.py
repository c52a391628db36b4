"""The market regime of one instrument from its closed 1h bars, with hysteresis.

Guarantees: plain Python over plain values, O(window) memory; the labels of a truncated history are the
beginning of the labels of all of it; nothing is said (`unknown`) until every window is filled, which takes
`WARMUP_BARS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from catalog.timeframes import BarArrays
from risk.vocabulary import Bar, Regime, RegimeLabel
from strategies.columns import Columns
from strategies.indicators.volatility import RealisedVolatility

if TYPE_CHECKING:
    from strategies.indicators.steps import Floats

MINUTES = 60
VOLATILITY_BARS = 30
RANK_BARS = 720
WARMUP_BARS = VOLATILITY_BARS + RANK_BARS + 1

_DAILY = sqrt(24.0)


class RegimeReading(NamedTuple):
    """What one bar said: the label in force after hysteresis, the bar's own label and the numbers behind
    it."""

    label: RegimeLabel
    raw: RegimeLabel
    atr: float
    adx: float
    ema_slope: float  # ATRs per bar
    volatility: float  # of one bar, fraction
    volatility_rank: float
    log_return: float
    fall: float  # close / highest close of the 24 bars before - 1

    @property
    def features(self) -> tuple[tuple[str, float], ...]:
        """The numbers by name; empty while unknown."""
        if self.raw is RegimeLabel.UNKNOWN:
            return ()
        return tuple(zip(_FEATURES, self[2:], strict=True))


_FEATURES = (
    "atr_14",
    "adx_14",
    "ema_200_slope",
    "volatility_30",
    "volatility_rank_720",
    "log_return",
    "fall_24",
)
_UNKNOWN = RegimeReading(RegimeLabel.UNKNOWN, RegimeLabel.UNKNOWN, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Hysteresis:
    """Holds a label against flicker.

    The first label applies at once; after that a new label other than panic takes effect once
    `min_bars_hold` bars in a row say it.  Panic is immediate and holds for `panic_min_bars` bars, its own
    included; each panic bar re-arms the hold, and candidates may count during it.
    """

    __slots__ = ("_candidate", "_count", "_hold_bars", "_panic_bars", "_panic_left", "label")

    def __init__(self, min_bars_hold: int = 3, panic_min_bars: int = 6) -> None:
        self.label = RegimeLabel.UNKNOWN
        self._hold_bars = min_bars_hold
        self._panic_bars = panic_min_bars
        self._candidate = RegimeLabel.UNKNOWN
        self._count = 0
        self._panic_left = 0

    def update(self, raw: RegimeLabel) -> RegimeLabel:
        """Take the next bar's own label and return the one in force."""
        label = self.label
        if raw is RegimeLabel.PANIC:
            self._panic_left = self._panic_bars - 1
            self._count = 0
            self.label = raw
            return raw
        held = self._panic_left > 0
        if held:
            self._panic_left -= 1
        if raw is label:
            self._count = 0
            return label
        if raw is self._candidate and self._count:
            self._count += 1
        else:
            self._candidate = raw
            self._count = 1
        if label is RegimeLabel.UNKNOWN or (self._count >= self._hold_bars and not held):
            self._count = 0
            self.label = raw
            return raw
        return label


# In the order of the kernel's codes.
_LABELS = (
    RegimeLabel.UNKNOWN,
    RegimeLabel.PANIC,
    RegimeLabel.TREND_UP,
    RegimeLabel.TREND_DOWN,
    RegimeLabel.RANGE_HIGHVOL,
    RegimeLabel.RANGE_LOWVOL,
)


def _kernel() -> Any:
    """Return the compiled part; it is imported late because most commands do without."""
    from actors import regime_kernel

    return regime_kernel


class RegimeClassifier:
    """The regime of one instrument, bar by bar.

    Rules in order: panic (one-bar log return <= -4 * volatility[1] with volatility rank >= 0.80, or close
    <= (1 - max(0.08, 4 * daily volatility[1])) * highest close of the 24 bars before) -> ADX(14) >= 22 and
    EMA(200) slope above 0.02: trend_up, below -0.02: trend_down -> volatility rank(720) >= 0.5:
    range_highvol -> range_lowvol.

    Parameters
    ----------
    min_bars_hold, panic_min_bars : int
        See `Hysteresis`.
    row : array of float, optional
        The row of a panel's table; without it the classifier has one of its own.

    Attributes
    ----------
    label, raw : RegimeLabel
        The label in force, and what the last bar said by itself.
    """

    __slots__ = ("_hysteresis", "_kernel", "_row", "label", "raw", "volatility")

    def __init__(self, min_bars_hold: int = 3, panic_min_bars: int = 6, row: Floats | None = None) -> None:
        self.label = self.raw = RegimeLabel.UNKNOWN
        self.volatility = RealisedVolatility(VOLATILITY_BARS)
        self._hysteresis = Hysteresis(min_bars_hold, panic_min_bars)
        self._kernel = _kernel()
        self._row: Floats = self._kernel.table(1)[0] if row is None else row

    def update(self, bar: Bar) -> RegimeReading:
        """Take the next closed 1h bar."""
        volatility = self.volatility
        now = volatility.update(bar.close)
        self.judge(
            self._kernel.step(
                self._row,
                bar.high,
                bar.low,
                bar.close,
                np.nan if now is None else now,
                volatility.log_return,
            )
        )
        return self.reading

    def judge(self, said: int) -> None:
        """Take what a bar said by itself, as the kernel's code."""
        if said:
            self.raw = _LABELS[said]
            self.label = self._hysteresis.update(self.raw)

    @property
    def reading(self) -> RegimeReading:
        """What the last bar said; all numbers are 0 until every window is filled."""
        if self.raw is RegimeLabel.UNKNOWN:
            return _UNKNOWN
        return RegimeReading(self.label, self.raw, *self._row[: self._kernel.SAID].tolist())

    @property
    def warm(self) -> bool:
        """Whether every window is filled."""
        return self.raw is not RegimeLabel.UNKNOWN

    @property
    def daily_volatility(self) -> float | None:
        """Realised volatility of the last 30 bars times sqrt(24), a fraction; None while its window fills."""
        value = self.volatility.value
        return None if value is None else value * _DAILY


class RegimePanel:
    """The classifiers of all instruments: one compiled call an hour takes the bars of all of them.

    Attributes
    ----------
    classifiers : dict of str to RegimeClassifier
        By instrument.
    """

    def __init__(self, instruments: Sequence[str], min_bars_hold: int = 3, panic_min_bars: int = 6) -> None:
        self._kernel = _kernel()
        self._table: Floats = self._kernel.table(len(instruments))
        self.classifiers = {
            name: RegimeClassifier(min_bars_hold, panic_min_bars, row)
            for name, row in zip(instruments, self._table, strict=True)
        }
        self._columns = Columns(instruments)
        self._said = np.zeros(len(instruments), np.int64)
        self.update(())  # compiled, or read from the cache, before the first bar

    def update(self, bars: tuple[Bar, ...]) -> list[tuple[Bar, RegimeClassifier]]:
        """Take closed 1h bars, at most one an instrument; return each with its classifier."""
        known, rows, numbers = self._columns.take(bars)
        classifiers = [self.classifiers[bar.instrument] for bar in known]
        volatilities = [one.volatility for one in classifiers]
        now = [one.update(bar.close) for one, bar in zip(volatilities, known, strict=True)]
        returns = [one.log_return for one in volatilities]
        said = self._said[: len(rows)]
        self._kernel.steps(
            self._table, rows, numbers, np.array(now, np.float64), np.array(returns, np.float64), said
        )
        for classifier, code in zip(classifiers, said.tolist(), strict=True):
            if code:
                classifier.judge(code)
        return list(zip(known, classifiers, strict=True))


def raw_regimes(
    instrument: str, bars: BarArrays, min_bars_hold: int = 3, panic_min_bars: int = 6
) -> list[Regime]:
    """Return the regime at each 1h bar of a history, in time order: `raw` is the label without hysteresis."""
    classifier = RegimeClassifier(min_bars_hold, panic_min_bars)
    out = []
    for bar in bars.bars(instrument, MINUTES):
        reading = classifier.update(bar)
        out.append(Regime(bar.ts_event, instrument, reading.label, reading.raw, reading.features))
    return out
