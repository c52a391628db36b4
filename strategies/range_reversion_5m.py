"""range_reversion_5m: fade a 5m close outside the Bollinger bands when RSI agrees."""

from __future__ import annotations

from risk.vocabulary import LONG, SHORT, Bar, EntryStyle, ExitSpec
from strategies.indicators.bollinger import Bollinger
from strategies.indicators.rsi import Rsi
from strategies.indicators.wilder import Atr
from strategies.rule import Condition, Rule, Setup, above, at_least, at_most, below

BAND_BARS = 20
BAND_WIDTH = 2.0
OVERSOLD = 30.0
OVERBOUGHT = 70.0
STOP_ATR = 1.2
TIME_STOP_BARS = 24
WARMUP_BARS = BAND_BARS


class RangeReversion5m(Rule):
    """Long: close < lower Bollinger(20, 2) and RSI(14) <= 30; short: close > upper band and RSI >= 70.

    Confidence 0.5 + (30 - RSI)/60, mirror (RSI - 70)/60, at most 1.  Stop 1.2 ATR(14), all out at the
    middle band as it stands on the signal's bar, time stop 24 bars, post-only entry.
    """

    __slots__ = ("_atr", "_bollinger", "_close", "_rsi")

    name = "range_reversion_5m"
    minutes = 5

    def __init__(self) -> None:
        super().__init__()
        self._atr = Atr(14)
        self._rsi = Rsi(14)
        self._bollinger = Bollinger(BAND_BARS, BAND_WIDTH)
        self._close = 0.0

    def update(self, bar: Bar) -> Setup | None:
        """Take the next closed 5m bar."""
        _, _, _, _, high, low, close, _ = bar
        atr = self.atr = self._atr.update(high, low, close)
        rsi = self._rsi.update(close)
        self._bollinger.push(close)
        self._close = close
        if rsi is None or OVERSOLD < rsi < OVERBOUGHT:  # the bands are needed on the other bars only
            return None
        bands = self._bollinger.bands()
        if atr is None or bands is None:
            return None
        if rsi <= OVERSOLD and close < bands.lower:
            side, extreme = LONG, OVERSOLD - rsi
        elif rsi >= OVERBOUGHT and close > bands.upper:
            side, extreme = SHORT, rsi - OVERBOUGHT
        else:
            return None
        return Setup(
            side=side,
            exits=ExitSpec(
                stop_distance=STOP_ATR * atr, target_price=bands.middle, time_stop_bars=TIME_STOP_BARS
            ),
            confidence=min(1.0, 0.5 + extreme / 60.0),
            atr=atr,
            entry_style=EntryStyle.POST_ONLY,
            indicators=(
                ("close", close),
                ("bollinger_lower", bands.lower),
                ("bollinger_middle", bands.middle),
                ("bollinger_upper", bands.upper),
                ("rsi_14", rsi),
                ("atr_14", atr),
            ),
        )

    def missing(self) -> str:
        """Say which window is not filled yet."""
        count = self._bollinger.count
        return f"Bollinger({BAND_BARS}) has {count} of {BAND_BARS} bars" if count < BAND_BARS else ""

    def waiting(self) -> tuple[Condition, ...]:
        """Return what each entry condition said on the last bar."""
        bands, rsi = self._bollinger.bands(), self._rsi.value
        if bands is None or rsi is None:
            return ()
        return (
            below("close below the lower Bollinger(20, 2) band", self._close, bands.lower, LONG),
            at_most("RSI(14)", rsi, OVERSOLD, LONG),
            above("close above the upper Bollinger(20, 2) band", self._close, bands.upper, SHORT),
            at_least("RSI(14)", rsi, OVERBOUGHT, SHORT),
        )
