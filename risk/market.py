"""What the desk knows of each market at desk time: prices, volume, quotes, funding, freshness.

Guarantees: nothing here is newer than the last instant taken; nothing is invented (a missing price or
funding rate is None, not zero).  `on_instant` is on the hot path: the bars of an instant are kept as they
came and worked out when somebody asks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from risk.day_volume import DayVolumes
from risk.settings import RiskSettings
from risk.vocabulary import DAY_NS, MINUTE_NS, Bar, Instant, InstrumentRules, Quote

_DEFAULT_FUNDING_INTERVAL_NS = DAY_NS // 3
_DAY_MINUTES = 1440


def bar_of(bars: tuple[Bar, ...], instrument: str, slot: int) -> tuple[Bar | None, int]:
    """Find an instrument among bars ordered by id; `slot` is where it was found last time."""
    if slot < len(bars) and bars[slot][0] == instrument:
        return bars[slot], slot
    for index, bar in enumerate(bars):
        if bar[0] == instrument:
            return bar, index
    return None, slot


def _by_moment(bars: tuple[Bar, ...]) -> list[tuple[Bar, ...]]:
    """Separate bars that came late from those of the moment that brought them."""
    moments = sorted({bar.ts_event for bar in bars})
    return [tuple(bar for bar in bars if bar.ts_event == moment) for moment in moments]


class MarketView:
    """Latest market figures by instrument, fed by whole instants.

    Parameters
    ----------
    rules : Mapping[str, InstrumentRules]
        Rules by instrument id.
    settings : RiskSettings
        Governance limits (`stale_bars`).
    base_minutes : Mapping[str, int]
        Length of the finest bars of each instrument.

    """

    def __init__(
        self, rules: Mapping[str, InstrumentRules], settings: RiskSettings, base_minutes: Mapping[str, int]
    ) -> None:
        self.rules = rules
        self.ts_event = 0
        self._settings = settings
        self._base = dict(base_minutes)
        # One bar more than a day holds: the bar that ends exactly 24 h ago is excluded by time, not by
        # count.
        self._volumes: dict[int, DayVolumes] = {
            minutes: DayVolumes(_DAY_MINUTES // minutes + 1)
            for minutes in sorted(set(self._base.values()), reverse=True)
        }
        self._mixed = len(self._volumes) > 1
        self._last: dict[str, Bar] = {}
        self._marks: dict[str, tuple[int, float]] = {}
        self._quotes: dict[str, Quote] = {}
        self._funding: dict[str, tuple[int, float]] = {}
        self._funding_interval: dict[str, int] = {}
        self._late: tuple[str, ...] = ()
        self._day_volume: dict[str, tuple[int, float]] = {}  # asked several times in one decision

    def on_instant(self, instant: Instant) -> None:  # noqa: C901, PLR0912 - one pass over the instant
        """Take an instant over (hot path)."""
        ts = self.ts_event = instant.ts_event
        self._late = instant.late
        last = self._last
        by_minutes = instant.bars
        for minutes, volumes in self._volumes.items():
            bars = by_minutes.get(minutes)
            if not bars:
                continue
            if bars[0].ts_event == bars[-1].ts_event:
                volumes.push(bars)
            else:
                for moment in _by_moment(bars):
                    volumes.push(moment)
            if self._mixed:
                base = self._base
                for bar in bars:
                    if base.get(bar[0]) == minutes:
                        last[bar[0]] = bar
            else:
                for bar in bars:
                    last[bar[0]] = bar
        if instant.marks:
            marks = self._marks
            for name, price in instant.marks:
                marks[name] = (ts, price)
        if instant.quotes:
            for quote in instant.quotes:
                self._quotes[quote.instrument] = quote
        if instant.funding:
            self._on_funding(instant)

    def rest(self) -> None:
        """Do in a quiet moment what the next question would have to do first."""
        for volumes in self._volumes.values():
            volumes.catch_up()

    def _on_funding(self, instant: Instant) -> None:
        for funding in instant.funding:
            before = self._funding.get(funding.instrument)
            if before is not None and funding.ts_event > before[0]:
                self._funding_interval[funding.instrument] = funding.ts_event - before[0]
            self._funding[funding.instrument] = (funding.ts_event, funding.rate)

    @property
    def base_timeframes(self) -> tuple[int, ...]:
        """Lengths of the finest bars that occur, in minutes."""
        return tuple(sorted(self._volumes))

    def base_minutes(self, instrument: str) -> int | None:
        """Length of the instrument's finest bars in minutes, None if it is not traded here."""
        return self._base.get(instrument)

    def price(self, instrument: str) -> float | None:
        """Close of the newest finest bar, None before the first."""
        bar = self._last.get(instrument)
        return None if bar is None else bar.close

    def mark(self, instrument: str) -> float | None:
        """Mark price unless the newest bar is newer than it, else the last close, None before the first."""
        bar = self._last.get(instrument)
        mark = self._marks.get(instrument)
        if mark is not None and (bar is None or mark[0] >= bar.ts_event):
            return mark[1]
        return None if bar is None else bar.close

    def bar_volume(self, instrument: str) -> float:
        """Volume of the newest finest bar in base coins (0 if there is none)."""
        bar = self._last.get(instrument)
        return 0.0 if bar is None else bar.volume

    def bar_quote_volume(self, instrument: str) -> float:
        """Volume of the newest finest bar in quote money (0 if there is none)."""
        bar = self._last.get(instrument)
        return 0.0 if bar is None else bar.volume * bar.close

    def quote_volume_24h(self, instrument: str) -> float:
        """Sum of volume times close of the finest bars that closed in the last 24 h of desk time."""
        minutes = self._base.get(instrument)
        if minutes is None:
            return 0.0
        known = self._day_volume.get(instrument)
        if known is not None and known[0] == self.ts_event:
            return known[1]
        total = self._volumes[minutes].total_usd(instrument, self.ts_event)
        self._day_volume[instrument] = (self.ts_event, total)
        return total

    def quote(self, instrument: str, ts: int) -> Quote | None:
        """Best bid and ask if they are not older than one finest bar, else None."""
        quote = self._quotes.get(instrument)
        minutes = self._base.get(instrument)
        if quote is None or minutes is None or ts - quote.ts_event > minutes * MINUTE_NS:
            return None
        return quote

    def spread_bps(self, instrument: str, ts: int) -> float | None:
        """Spread of fresh quotes in basis points of their mid, None without fresh quotes."""
        quote = self.quote(instrument, ts)
        if quote is None:
            return None
        mid = (quote.bid + quote.ask) / 2.0
        return 10_000.0 * (quote.ask - quote.bid) / mid if mid > 0.0 else math.nan

    def last_ts(self, instrument: str) -> int | None:
        """Close time of the newest finest bar, None before the first."""
        bar = self._last.get(instrument)
        return None if bar is None else bar.ts_event

    def is_stale(self, instrument: str, ts: int) -> bool:
        """Return True if the newest bar is older than `stale_bars` of its lengths, or late right now."""
        last = self.last_ts(instrument)
        if last is None:
            return True
        if ts == self.ts_event and instrument in self._late:
            return True
        return ts - last > self._settings.stale_bars * self._base[instrument] * MINUTE_NS

    def funding_rate(self, instrument: str) -> float | None:
        """Last settled funding rate (fraction of notional), None if none is known."""
        funding = self._funding.get(instrument)
        return None if funding is None else funding[1]

    def settlements_within(self, instrument: str, ts: int, duration_ns: int) -> int:
        """Count funding settlements in (ts, ts + duration]; they lie on multiples of their interval (UTC)."""
        interval = self._funding_interval.get(instrument, _DEFAULT_FUNDING_INTERVAL_NS)
        return (ts + duration_ns) // interval - ts // interval
