"""A strategy for long runs: trades every few minutes, both ways, with every kind of exit."""

from __future__ import annotations

from typing import ClassVar

from risk.vocabulary import LONG, SHORT, Bar, EntryStyle, ExitSpec
from strategies.indicators.wilder import Atr
from strategies.registry import StrategySpec
from strategies.rule import Condition, Rule, Setup

EVERY_BARS = 2
STOP_FRACTION = 0.004
HELD_STOP_FRACTION = 0.05
QUIET_NS = 7 * 60 * 10**9  # before the last entry: time for the others to leave by their time stop
STYLES = (EntryStyle.MARKET, EntryStyle.POST_ONLY, EntryStyle.POST_ONLY_THEN_MARKET)


class Pulse(Rule):
    """Every second bar a setup: sides and entry styles take turns; exits by stop, target, trail and time.

    From `last_ns` on there is one more entry, with a stop so wide that it is held to the end, and then none:
    a run then ends with an open position and a resting stop, and nothing on its way.
    """

    __slots__ = ("_atr", "_held")

    last_ns: ClassVar[int] = 2**62

    name = "pulse_1m"
    minutes = 1

    def __init__(self) -> None:
        super().__init__()
        self._atr = Atr(14)
        self._held = False

    def update(self, bar: Bar) -> Setup | None:
        self.atr = self._atr.update(bar.high, bar.low, bar.close)
        # The minute of the day decides, so that a restarted desk goes on in step.
        beat = bar.ts_event // (60 * 10**9)
        if self.atr is None:
            return None
        if bar.ts_event >= self.last_ns:
            if self._held:
                return None
            self._held = True
            wide = ExitSpec(stop_distance=HELD_STOP_FRACTION * bar.close)
            return Setup(LONG, wide, 0.8, self.atr, EntryStyle.MARKET, ())
        if beat % EVERY_BARS or bar.ts_event >= self.last_ns - QUIET_NS:
            return None
        turn = beat // EVERY_BARS
        exits = ExitSpec(
            stop_distance=STOP_FRACTION * bar.close,
            targets_r=((0.5, 1.0), (0.7,), ())[turn % 3],
            trail_atr=2.0 if turn % 3 == 2 else None,
            time_stop_bars=3,
        )
        return Setup(LONG if turn % 2 else SHORT, exits, 0.8, self.atr, STYLES[turn % 3], ())

    def missing(self) -> str:
        return "" if self.atr is not None else "ATR(14) is not filled"

    def waiting(self) -> tuple[Condition, ...]:
        return ()


SPEC = StrategySpec(
    name=Pulse.name, tag="PU", rule=Pulse, minutes=1, mean_reverting=False, warmup={1: 15}, priority=46
)
