"""The market regime of one instrument from its closed 1h bars, with hysteresis.

Guarantees: plain Python over plain values, O(window) memory; the labels of a truncated history are the
beginning of the labels of all of it; nothing is said (`unknown`) until every window is filled, which takes
`WARMUP_BARS`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import NamedTuple

from catalog.timeframes import BarArrays
from risk.vocabulary import Bar, Regime, RegimeLabel
from strategies.indicators.donchian import RollingMax
from strategies.indicators.moving_averages import EmaSlope
from strategies.indicators.rolling import SortedWindow
from strategies.indicators.volatility import RealisedVolatility
from strategies.indicators.wilder import Adx, Atr

MINUTES = 60
VOLATILITY_BARS = 30
RANK_BARS = 720
WARMUP_BARS = VOLATILITY_BARS + RANK_BARS + 1

MIN_TREND_ADX = 22.0
MIN_TREND_SLOPE = 0.02
HIGH_VOLATILITY_RANK = 0.5
PANIC_RETURN_SIGMAS = 4.0
PANIC_VOLATILITY_RANK = 0.80
PANIC_MIN_FALL = 0.08
PANIC_FALL_DAILY_SIGMAS = 4.0
PANIC_FALL_BARS = 24
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
# A NamedTuple's own constructor takes twice as long.
_new_reading: Callable[
    [tuple[RegimeLabel, RegimeLabel, float, float, float, float, float, float, float]], RegimeReading
] = partial(tuple.__new__, RegimeReading)
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
    """

    __slots__ = ("_adx", "_atr", "_closes", "_hysteresis", "_rank", "_slope", "_volatility", "reading")

    def __init__(self, min_bars_hold: int = 3, panic_min_bars: int = 6) -> None:
        self.reading = _UNKNOWN
        self._atr = Atr(14)
        self._adx = Adx(14)
        self._slope = EmaSlope(200, 5)
        self._volatility = RealisedVolatility(VOLATILITY_BARS)
        self._rank = SortedWindow(RANK_BARS)
        self._closes = RollingMax(PANIC_FALL_BARS)
        self._hysteresis = Hysteresis(min_bars_hold, panic_min_bars)

    def update(self, bar: Bar) -> RegimeReading:
        """Take the next closed 1h bar."""
        _, _, _, _, high, low, close, _ = bar
        atr = self._atr.update(high, low, close)
        adx = self._adx.update(high, low)
        slope = self._slope.update(close, atr)
        highest = self._closes.update(close)
        volatility = self._volatility
        before = volatility.value
        now = volatility.update(close)
        rank = None if now is None else self._rank.update(now)
        if (
            rank is None
            or now is None
            or before is None
            or atr is None
            or adx is None
            or slope is None
            or highest is None
        ):
            return self.reading
        log_return = volatility.log_return
        daily = PANIC_FALL_DAILY_SIGMAS * before * _DAILY
        if (log_return <= -PANIC_RETURN_SIGMAS * before and rank >= PANIC_VOLATILITY_RANK) or (
            close <= (1.0 - (daily if daily > PANIC_MIN_FALL else PANIC_MIN_FALL)) * highest
        ):
            raw = RegimeLabel.PANIC
        elif adx >= MIN_TREND_ADX and slope > MIN_TREND_SLOPE:
            raw = RegimeLabel.TREND_UP
        elif adx >= MIN_TREND_ADX and slope < -MIN_TREND_SLOPE:
            raw = RegimeLabel.TREND_DOWN
        elif rank >= HIGH_VOLATILITY_RANK:
            raw = RegimeLabel.RANGE_HIGHVOL
        else:
            raw = RegimeLabel.RANGE_LOWVOL
        label = self._hysteresis.update(raw)
        reading = self.reading = _new_reading(
            (label, raw, atr, adx, slope, now, rank, log_return, close / highest - 1.0)
        )
        return reading

    @property
    def label(self) -> RegimeLabel:
        """The label in force."""
        return self.reading.label

    @property
    def warm(self) -> bool:
        """Whether every window is filled."""
        return self.reading.raw is not RegimeLabel.UNKNOWN

    @property
    def daily_volatility(self) -> float | None:
        """Realised volatility of the last 30 bars times sqrt(24), a fraction; None while its window fills."""
        value = self._volatility.value
        return None if value is None else value * _DAILY


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
