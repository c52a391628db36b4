"""funding_reversion: take the side that is paid when settled funding and the perpetual's basis are both
extreme.

Guarantees: only SETTLED rates are used; at most one setup a settlement; a hole in the funding history is
missing data, never a rate of zero.
"""

from __future__ import annotations

from collections import deque

from risk.vocabulary import DAY_NS, HOUR_NS, LONG, MINUTE_NS, SHORT, Bar, EntryStyle, ExitSpec, Funding
from strategies.indicators.rolling import SortedWindow
from strategies.indicators.wilder import Atr
from strategies.rule import Condition, Rule, Setup, at_least, at_most

MIN_THRESHOLD = 0.0003
SETTLEMENTS = 270
HISTORY_DAYS = 100
BASIS_HOURS = 720
MIN_DEVIATION_BPS = 5.0
EXIT_DEVIATION_BPS = 1.0
LONGEST_INTERVAL_NS = 8 * HOUR_NS
STOP_ATR = 2.0
TIME_STOP_SETTLEMENTS = 3
WARMUP_BARS = BASIS_HOURS + 1


class FundingReversion(Rule):
    """Short: rate >= threshold and deviation >= +5 bps; long: rate <= -threshold and deviation <= -5 bps.

    threshold = max(0.0003, 95th percentile of abs(rate) over the 270 settlements before the current one);
    deviation = basis - median of the 720 hourly basis values before, basis = 10,000 * (close / reference -
    1) bps.  Confidence 0.5 + 0.25 * (abs(rate)/threshold - 1), at most 1.  Stop 2 ATR(14), out when the
    deviation is back to +1 bp or less (long: -1 bp or more) or abs(rate) is at most its median, or after 3
    settlements; post-only entry, then market.

    The settlement interval is the time between the last two settlements, at most 8 h (the longest that
    venues use), so a hole before the last settlement does not stretch it.
    """

    __slots__ = (
        "_atr",
        "_basis_window",
        "_deviation",
        "_interval_ns",
        "_median_rate",
        "_rate",
        "_rate_ts",
        "_rate_window",
        "_reference",
        "_settlements",
        "_signalled_ts",
        "_threshold",
        "_ts_event",
    )

    name = "funding_reversion"
    minutes = 60
    uses_funding = True
    uses_reference = True

    def __init__(self) -> None:
        super().__init__()
        self._atr = Atr(14)
        self._rate_window = SortedWindow(SETTLEMENTS)
        self._settlements: deque[int] = deque(maxlen=SETTLEMENTS)
        self._rate: float | None = None
        self._rate_ts = 0
        self._interval_ns = LONGEST_INTERVAL_NS
        self._threshold: float | None = None
        self._median_rate: float | None = None
        self._reference: tuple[int, float] | None = None
        self._basis_window = SortedWindow(BASIS_HOURS)
        self._deviation: float | None = None
        self._signalled_ts = 0
        self._ts_event = 0

    def on_funding(self, funding: Funding) -> None:
        """Take a settled rate; one that is not newer than the last is ignored."""
        ts_event = funding.ts_event
        if self._rate is not None:
            if ts_event <= self._rate_ts:
                return
            self._rate_window.update(abs(self._rate))
            self._settlements.append(self._rate_ts)
            between = ts_event - self._rate_ts + MINUTE_NS // 2
            self._interval_ns = min(LONGEST_INTERVAL_NS, between - between % MINUTE_NS)
        self._rate = funding.rate
        self._rate_ts = ts_event
        self._threshold = self._median_rate = None
        if len(self._settlements) == SETTLEMENTS and not self._history_too_long():
            quantile, self._median_rate = self._rate_window.quantile(0.95), self._rate_window.quantile(0.5)
            self._threshold = None if quantile is None else max(MIN_THRESHOLD, quantile)

    def on_reference(self, ts_event: int, price: float) -> None:
        """Take the index (else spot) price; only one of the bar's own time is used."""
        self._reference = (ts_event, price)

    def update(self, bar: Bar) -> Setup | None:
        """Take the next closed 1h bar."""
        _, _, ts_event, _, high, low, close, _ = bar
        self._ts_event = ts_event
        atr = self.atr = self._atr.update(high, low, close)
        reference, deviation = self._reference, None
        if reference is not None and reference[0] == ts_event:
            deviation = self._next_deviation(reference[1], close)
        self._deviation = deviation
        rate, threshold = self._rate, self._threshold
        if (
            atr is None
            or deviation is None
            or rate is None
            or threshold is None
            or self._rate_ts == self._signalled_ts
            or self._stale()
        ):
            return None
        if rate >= threshold and deviation >= MIN_DEVIATION_BPS:
            side = SHORT
        elif rate <= -threshold and deviation <= -MIN_DEVIATION_BPS:
            side = LONG
        else:
            return None
        self._signalled_ts = self._rate_ts
        return Setup(
            side=side,
            exits=ExitSpec(
                stop_distance=STOP_ATR * atr, time_stop_settlements=TIME_STOP_SETTLEMENTS, on_condition=True
            ),
            confidence=min(1.0, 0.5 + 0.25 * (abs(rate) / threshold - 1.0)),
            atr=atr,
            entry_style=EntryStyle.POST_ONLY_THEN_MARKET,
            indicators=(
                ("close", close),
                ("funding_rate", rate),
                ("funding_threshold", threshold),
                ("basis_deviation_bps", deviation),
                ("atr_14", atr),
            ),
        )

    def exit_due(self, side: int) -> str | None:
        """Return `basis_reverted` or `funding_normal` when a position of `side` has had its move."""
        deviation = self._deviation
        if deviation is not None and side * deviation >= -EXIT_DEVIATION_BPS:
            return "basis_reverted"
        rate, median_rate = self._rate, self._median_rate
        if rate is not None and median_rate is not None and not self._stale() and abs(rate) <= median_rate:
            return "funding_normal"
        return None

    def missing(self) -> str:
        """Say which input is missing or which window is not filled yet."""
        if self._rate is None or self._stale():
            return "funding missing"
        if self._threshold is None:
            count = len(self._settlements)
            if count < SETTLEMENTS:
                return f"funding history has {count} of {SETTLEMENTS} settlements before the last"
            return f"the last {SETTLEMENTS} settlements reach back more than {HISTORY_DAYS} days"
        if self._deviation is None:
            if self._reference is None or self._reference[0] != self._ts_event:
                return "reference price missing"
            return f"basis history has {self._basis_window.count - 1} of {BASIS_HOURS} hours before the bar"
        return "" if self.atr is not None else "ATR(14) has less than 14 bars"

    def waiting(self) -> tuple[Condition, ...]:
        """Return what each entry condition said on the last bar."""
        rate, threshold, deviation = self._rate, self._threshold, self._deviation
        if self.missing() or rate is None or threshold is None or deviation is None:
            return ()
        return (
            at_most("settled funding rate", rate, -threshold, LONG),
            at_most("basis deviation, bps", deviation, -MIN_DEVIATION_BPS, LONG),
            at_least("settled funding rate", rate, threshold, SHORT),
            at_least("basis deviation, bps", deviation, MIN_DEVIATION_BPS, SHORT),
        )

    def _history_too_long(self) -> bool:
        return self._rate_ts - self._settlements[0] > HISTORY_DAYS * DAY_NS

    def _stale(self) -> bool:
        return self._ts_event - self._rate_ts > self._interval_ns + HOUR_NS

    def _next_deviation(self, reference: float, close: float) -> float | None:
        basis = 10_000.0 * (close - reference) / reference
        window = self._basis_window
        median = window.median()
        window.update(basis)
        return None if median is None else basis - median
