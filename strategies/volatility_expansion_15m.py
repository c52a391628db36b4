"""volatility_expansion_15m: follow a 15m bar on which volatility and volume are both in their upper fifth."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from risk.vocabulary import LONG, SHORT, Bar, EntryStyle, ExitSpec
from strategies.columns import Columns, apart
from strategies.rule import Condition, Panel, Rule, Setup, above, at_least, below

if TYPE_CHECKING:
    from strategies.indicators.steps import Floats

ATR_BARS = 14
RANK_BARS = 480
MIN_RANK = 0.80
STOP_ATR = 1.5
TRAIL_ATR = 1.5
TIME_STOP_BARS = 16
WARMUP_BARS = ATR_BARS + RANK_BARS


def _kernel() -> Any:
    """Return the compiled part; it is imported late because most commands do without."""
    from strategies import volatility_kernel

    return volatility_kernel


class VolatilityExpansion15m(Rule):
    """Long: close > open, ATR% rank(480) >= 0.80, ATR% > ATR%[1], volume rank(480) >= 0.80; short: close <
    open.

    A doji gives nothing.  Confidence 0.5 + 2.5 * (smaller rank - 0.80), at most 1.  Stop 1.5 ATR(14),
    trailed by 1.5 ATR(14), time stop 16 bars, market entry.

    Parameters
    ----------
    row : array of float, optional
        The row of a panel's table; without it the rule has one of its own.
    """

    __slots__ = ("_kernel", "_row")

    name = "volatility_expansion_15m"
    minutes = 15

    def __init__(self, row: Floats | None = None) -> None:
        self._kernel = _kernel()
        self._row: Floats = self._kernel.table(1)[0] if row is None else row
        super().__init__()

    @classmethod
    def panel(cls, instruments: Sequence[str]) -> Panel:
        """Return the rules of all instruments over one table."""
        return VolatilityPanel(cls, instruments)

    @property
    def atr(self) -> float | None:
        """ATR(14), price units; None until 14 bars are in."""
        value = float(self._row[self._kernel.ATR])
        return None if isnan(value) else value

    @atr.setter
    def atr(self, value: float | None) -> None:
        self._row[self._kernel.ATR] = np.nan if value is None else value

    def update(self, bar: Bar) -> Setup | None:
        """Take the next closed 15m bar."""
        return self.setup() if self._kernel.step(self._row, *bar[3:], MIN_RANK) else None

    def setup(self) -> Setup:
        """Return the entry of the last bar, which met every condition."""
        open_, close, volume, atr, width, before, width_rank, volume_rank = self._said()
        return Setup(
            side=LONG if close > open_ else SHORT,
            exits=ExitSpec(stop_distance=STOP_ATR * atr, trail_atr=TRAIL_ATR, time_stop_bars=TIME_STOP_BARS),
            confidence=min(1.0, 0.5 + 2.5 * (min(width_rank, volume_rank) - MIN_RANK)),
            atr=atr,
            entry_style=EntryStyle.MARKET,
            indicators=(
                ("open", open_),
                ("close", close),
                ("atr_pct_rank_480", width_rank),
                ("volume_rank_480", volume_rank),
                ("atr_pct", width),
                ("atr_pct_before", before),
                ("volume", volume),
                ("atr_14", atr),
            ),
        )

    def _said(self) -> list[float]:
        said: list[float] = self._row[: self._kernel.SAID].tolist()
        return said

    def _ranks(self) -> tuple[float, float]:
        """Return the ranks of width and volume of the last bar, counted now; NaN while not warm."""
        kernel, row = self._kernel, self._row
        return kernel.rank(row[kernel.WIDTHS]), kernel.rank(row[kernel.VOLUMES])

    def missing(self) -> str:
        """Say which window is not filled yet."""
        before = min(int(self._row[self._kernel.WIDTHS][0]), RANK_BARS)
        warm = not isnan(self._ranks()[0])
        return "" if warm else f"the ATR% rank has {before} of {RANK_BARS} values before the bar"

    def waiting(self) -> tuple[Condition, ...]:
        """Return what each entry condition said on the last bar."""
        open_, close, _, _, width, before, _, _ = self._said()
        width_rank, volume_rank = self._ranks()
        if isnan(width_rank):
            return ()
        return (
            above("close above open", close, open_, LONG),
            below("close below open", close, open_, SHORT),
            at_least("rank of ATR(14)/close over 480 bars", width_rank, MIN_RANK),
            above("ATR(14)/close above the bar before", width, before),
            at_least("rank of volume over 480 bars", volume_rank, MIN_RANK),
        )


class VolatilityPanel(Panel):
    """The rule on all instruments: one compiled call a moment takes the bars of all of them."""

    def __init__(self, rule: type[VolatilityExpansion15m], instruments: Sequence[str]) -> None:
        self._kernel = _kernel()
        self._table: Floats = self._kernel.table(len(instruments))
        self._rules = {name: rule(row) for name, row in zip(instruments, self._table, strict=True)}
        super().__init__(dict(self._rules))
        self._columns = Columns(instruments)
        self._meets = np.zeros(len(instruments), np.int64)
        self._take(())  # compiled, or read from the cache, before the first bar

    def read(self, bars: tuple[Bar, ...], held: Container[str]) -> Iterator[tuple[Bar, Setup | None]]:
        """Yield the bars that make an entry, with it, and those of `held` instruments, as they come."""
        for group in apart(bars):
            for bar, met in self._take(group):
                if met or bar[0] in held:
                    yield bar, self._rules[bar.instrument].setup() if met else None

    def _take(self, bars: tuple[Bar, ...]) -> Iterator[tuple[Bar, int]]:
        known, rows, numbers = self._columns.take(bars)
        meets = self._meets[: len(rows)]
        self._kernel.steps(self._table, rows, numbers, MIN_RANK, meets)
        return zip(known, meets.tolist(), strict=True)
