"""volatility_expansion_15m: follow a 15m bar on which volatility and volume are both in their upper fifth."""

from __future__ import annotations

from risk.vocabulary import LONG, SHORT, Bar, EntryStyle, ExitSpec
from strategies.indicators.rolling import RankWindow
from strategies.indicators.wilder import Atr
from strategies.rule import Condition, Rule, Setup, above, at_least, below

ATR_BARS = 14
RANK_BARS = 480
MIN_RANK = 0.80
STOP_ATR = 1.5
TRAIL_ATR = 1.5
TIME_STOP_BARS = 16
WARMUP_BARS = ATR_BARS + RANK_BARS


class VolatilityExpansion15m(Rule):
    """Long: close > open, ATR% rank(480) >= 0.80, ATR% > ATR%[1], volume rank(480) >= 0.80; short: close <
    open.

    A doji gives nothing.  Confidence 0.5 + 2.5 * (smaller rank - 0.80), at most 1.  Stop 1.5 ATR(14),
    trailed by 1.5 ATR(14), time stop 16 bars, market entry.
    """

    __slots__ = (
        "_atr",
        "_atr_pct",
        "_atr_pct_before",
        "_atr_window",
        "_bar",
        "_volume_window",
    )

    name = "volatility_expansion_15m"
    minutes = 15

    def __init__(self) -> None:
        super().__init__()
        self._atr = Atr(ATR_BARS)
        self._atr_window = RankWindow(RANK_BARS)
        self._volume_window = RankWindow(RANK_BARS)
        self._atr_pct = 0.0
        self._atr_pct_before = 0.0
        self._bar: Bar | None = None

    def update(self, bar: Bar) -> Setup | None:
        """Take the next closed 15m bar."""
        _, _, _, open_, high, low, close, volume = bar
        self._bar = bar
        self._volume_window.push(volume)
        atr = self.atr = self._atr.update(high, low, close)
        if atr is None:
            return None
        before = self._atr_pct_before = self._atr_pct
        atr_pct = self._atr_pct = atr / close
        self._atr_window.push(atr_pct)
        # The ranks come last: they are needed only on the bars that pass the two plain comparisons.
        if atr_pct <= before or close == open_ or not self._atr_window.warm:
            return None
        volume_rank = self._volume_window.rank_from(MIN_RANK)
        if volume_rank is None:
            return None
        atr_rank = self._atr_window.rank_from(MIN_RANK)
        if atr_rank is None:
            return None
        return Setup(
            side=LONG if close > open_ else SHORT,
            exits=ExitSpec(stop_distance=STOP_ATR * atr, trail_atr=TRAIL_ATR, time_stop_bars=TIME_STOP_BARS),
            confidence=min(1.0, 0.5 + 2.5 * (min(atr_rank, volume_rank) - MIN_RANK)),
            atr=atr,
            entry_style=EntryStyle.MARKET,
            indicators=(
                ("open", open_),
                ("close", close),
                ("atr_pct_rank_480", atr_rank),
                ("volume_rank_480", volume_rank),
                ("atr_pct", atr_pct),
                ("atr_pct_before", before),
                ("volume", volume),
                ("atr_14", atr),
            ),
        )

    def missing(self) -> str:
        """Say which window is not filled yet."""
        window = self._atr_window
        return "" if window.warm else f"the ATR% rank has {window.count} of {RANK_BARS} values before the bar"

    def waiting(self) -> tuple[Condition, ...]:
        """Return what each entry condition said on the last bar."""
        bar, atr_rank, volume_rank = self._bar, self._atr_window.rank(), self._volume_window.rank()
        if bar is None or atr_rank is None or volume_rank is None:
            return ()
        return (
            above("close above open", bar.close, bar.open, LONG),
            below("close below open", bar.close, bar.open, SHORT),
            at_least("rank of ATR(14)/close over 480 bars", atr_rank, MIN_RANK),
            above("ATR(14)/close above the bar before", self._atr_pct, self._atr_pct_before),
            at_least("rank of volume over 480 bars", volume_rank, MIN_RANK),
        )
