"""What a signal is judged against: the desk as it stands, read no further than it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from risk.books import BookFigures, Books
from risk.correlation import pair_of
from risk.drawdown import DrawdownGuard
from risk.market import MarketView
from risk.portfolio import Concentration, Exposure, PortfolioController
from risk.settings import RiskSettings
from risk.vocabulary import DeskState, InstrumentRules, Mandate, MandateRow, Signal


@dataclass(eq=False)
class Situation:
    """One signal and the desk it is judged against, at desk time `ts`.

    `daily_volatility` is that of the signal's instrument (None: not known yet); `flags` are words of the
    assembly: `reconciling`, `disabled:<strategy>`, `tool_error` or `tool_error:<detail>`, and for a netted
    account `working@<instrument>:<order>`.
    """

    signal: Signal
    mandate: Mandate | None
    desk: DeskState
    ts: int
    daily_volatility: float | None
    warm: bool
    flags: frozenset[str]
    settings: RiskSettings
    rules: InstrumentRules | None
    market: MarketView
    books: Books
    guard: DrawdownGuard
    portfolio: PortfolioController
    equity: float  # risk equity
    risk_share: float = 1.0  # of the budget: less than 1 for a strategy on probation
    netted: bool = False  # the account has one position an instrument, whoever opened it

    @property
    def rules_checked(self) -> InstrumentRules:
        """The instrument's rules; the check of inputs has refused a signal without them."""
        if self.rules is None:
            raise ValueError(f"no rules for {self.signal.instrument}")
        return self.rules

    @property
    def half_floor_pct(self) -> float:
        """The smallest risk worth a trade: half the floor, of which a strategy on probation has its share."""
        return self.risk_share * self.settings.min_r_pct_floor / 2.0

    @property
    def half_floor_text(self) -> str:
        """Name the smallest risk by its setting."""
        share = f" x risk_share {self.risk_share:g}" if self.risk_share != 1.0 else ""
        return f"half of min_r_pct_floor {self.settings.min_r_pct_floor:g}{share}"

    @cached_property
    def used(self) -> BookFigures:
        """Risk and exposure of the book, reservations included."""
        return self.books.figures()

    @cached_property
    def row(self) -> MandateRow | None:
        """What the mandate says of the signal's strategy."""
        return None if self.mandate is None else self.mandate.row(self.signal.strategy)

    @cached_property
    def held(self) -> list[Exposure]:
        """Positions and pending entries of the desk."""
        return [Exposure(instrument, side) for _, instrument, side in self.books.active()]

    @cached_property
    def candidate(self) -> Exposure:
        """The signal as it would stand in the book."""
        return Exposure(self.signal.instrument, self.signal.side)

    @cached_property
    def concentration(self) -> Concentration:
        """Safe mode of the book with the candidate in it, on correlations that are refreshed where due."""
        name = self.signal.instrument
        others = dict.fromkeys(e.instrument for e in self.held if e.instrument != name)
        self.portfolio.correlations.refresh_all([pair_of(name, other) for other in others], self.ts)
        return self.portfolio.concentration([*self.held, self.candidate])

    @cached_property
    def concentrated(self) -> list[Exposure]:
        """The positions and pending entries that the candidate is concentrated with."""
        _ = self.concentration  # refreshes the correlations
        return self.portfolio.concentrated_with(self.candidate, self.held)
