"""Planted bars: histories built bar by bar so that one condition sits exactly at its threshold."""

from __future__ import annotations

from collections.abc import Iterable

from risk.vocabulary import HOUR_NS, MINUTE_NS, Bar, Funding
from strategies.funding_reversion import FundingReversion
from strategies.rule import Condition, Rule, Setup
from tests.fakes.histories import START_NS

NAME = "BTCUSDT-PERP.BINANCE"


class Plant:
    """Feeds one rule bar by bar; times follow from the count, `setup` is what the last bar made."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.count = 0
        self.setup: Setup | None = None

    @property
    def next_ts(self) -> int:
        """Close of the bar that `bar` will plant."""
        return START_NS + (self.count + 1) * self.rule.minutes * MINUTE_NS

    def bar(
        self,
        close: float,
        open_: float | None = None,
        high: float | None = None,
        low: float | None = None,
        volume: float = 1.0,
    ) -> Setup | None:
        """Plant one bar; what is left out is the close."""
        opened = close if open_ is None else open_
        bar = Bar(
            NAME,
            self.rule.minutes,
            self.next_ts,
            opened,
            max(opened, close) if high is None else high,
            min(opened, close) if low is None else low,
            close,
            volume,
        )
        self.count += 1
        self.setup = self.rule.update(bar)
        return self.setup

    def closes(self, closes: Iterable[float]) -> Setup | None:
        """Plant bars that open at the close before and have no wicks; return the last setup."""
        before = None
        for close in closes:
            self.bar(close, before)
            before = close
        return self.setup


class FundingPlant(Plant):
    """A warm funding_reversion, 8 h after the last of 270 settlements of `usual_rate`.

    720 hours have closed at a basis of `usual_bps`, on a spot price of 100,000.
    """

    def __init__(self, usual_rate: float = 0.0001, usual_bps: float = -4.0, hours: int = 720) -> None:
        super().__init__(FundingReversion())
        self.usual_bps = usual_bps
        first = START_NS + (hours + 1) * HOUR_NS - 270 * 8 * HOUR_NS
        due = [first + k * 8 * HOUR_NS for k in range(270)]
        for _ in range(hours):
            while due and due[0] <= self.next_ts:
                self.settle(usual_rate, due.pop(0))
            self.hour(usual_bps)

    def settle(self, rate: float, ts_event: int | None = None) -> None:
        """Settle at `ts_event`, else at the close of the next bar."""
        self.rule.on_funding(Funding(NAME, self.next_ts if ts_event is None else ts_event, rate))

    def hour(self, basis_bps: float, reference_known: bool = True) -> Setup | None:
        """Plant one bar whose close stands `basis_bps` above the spot price."""
        close = 100_000.0 + 10.0 * basis_bps
        if reference_known:
            self.rule.on_reference(self.next_ts, 100_000.0)
        return self.bar(close, high=close + 1.0, low=close - 1.0)


def unmet(rule: Rule, side: int) -> list[str]:
    """Names of the conditions of a side that the last bar did not meet."""
    conditions: tuple[Condition, ...] = rule.waiting()
    assert conditions, f"the rule is not warm: {rule.missing()}"
    return [c.name for c in conditions if c.side in (0, side) and not c.met]
