"""breakout_4h: a 4h close beyond the Donchian(20) channel while ADX(14) shows a trend."""

from __future__ import annotations

from risk.vocabulary import LONG, SHORT, Bar, EntryStyle, ExitSpec
from strategies.indicators.donchian import Donchian
from strategies.indicators.wilder import Adx, Atr
from strategies.rule import Condition, Rule, Setup, above, at_least, below

CHANNEL_BARS = 20
LONG_CHANNEL_BARS = 55
MIN_ADX = 20.0
STOP_ATR = 1.2
TARGETS_R = (1.0, 2.0)
TIME_STOP_BARS = 30
CONFIDENCE = 0.6
CONFIDENCE_BEYOND_LONG_CHANNEL = 0.9
WARMUP_BARS = LONG_CHANNEL_BARS + 1


class Breakout4h(Rule):
    """Long: close > Donchian(20) high and ADX(14) >= 20; short: the mirror.

    Confidence 0.6, or 0.9 when the close is beyond Donchian(55) too.  Stop 1.2 ATR(14), half at 1R, the
    rest at 2R, time stop 30 bars, market entry.
    """

    __slots__ = ("_adx", "_atr", "_channel", "_close", "_long_channel")

    name = "breakout_4h"
    minutes = 240

    def __init__(self) -> None:
        super().__init__()
        self._atr = Atr(14)
        self._adx = Adx(14)
        self._channel = Donchian(CHANNEL_BARS)
        self._long_channel = Donchian(LONG_CHANNEL_BARS)
        self._close = 0.0

    def update(self, bar: Bar) -> Setup | None:
        """Take the next closed 4h bar."""
        _, _, _, _, high, low, close, _ = bar
        atr = self.atr = self._atr.update(high, low, close)
        adx = self._adx.update(high, low)
        channel, long_channel = self._channel, self._long_channel
        channel.update(high, low)
        long_channel.update(high, low)
        self._close = close
        if (
            atr is None
            or adx is None
            or channel.high is None
            or channel.low is None
            or long_channel.high is None
            or long_channel.low is None
            or adx < MIN_ADX
        ):
            return None
        if close > channel.high:
            side, beyond = LONG, close > long_channel.high
        elif close < channel.low:
            side, beyond = SHORT, close < long_channel.low
        else:
            return None
        return Setup(
            side=side,
            exits=ExitSpec(stop_distance=STOP_ATR * atr, targets_r=TARGETS_R, time_stop_bars=TIME_STOP_BARS),
            confidence=CONFIDENCE_BEYOND_LONG_CHANNEL if beyond else CONFIDENCE,
            atr=atr,
            entry_style=EntryStyle.MARKET,
            indicators=(
                ("close", close),
                ("donchian_20_high", channel.high),
                ("donchian_20_low", channel.low),
                ("donchian_55_high", long_channel.high),
                ("donchian_55_low", long_channel.low),
                ("adx_14", adx),
                ("atr_14", atr),
            ),
        )

    def missing(self) -> str:
        """Say which window is not filled yet."""
        if self._long_channel.high is None:
            return f"Donchian({LONG_CHANNEL_BARS}) has {self._long_channel.count} of {WARMUP_BARS} bars"
        return ""

    def waiting(self) -> tuple[Condition, ...]:
        """Return what each entry condition said on the last bar."""
        high, low, adx = self._channel.high, self._channel.low, self._adx.value
        if self.missing() or high is None or low is None or adx is None:
            return ()
        return (
            above("close above the Donchian(20) high", self._close, high, LONG),
            below("close below the Donchian(20) low", self._close, low, SHORT),
            at_least("ADX(14)", adx, MIN_ADX),
        )
