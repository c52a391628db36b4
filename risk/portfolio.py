"""The book as a whole: risk cap, gross and net exposure, concentration and safe mode.

Guarantees: a hedge is not concentration (signs count); an unknown correlation is taken as 1 for equal signs
and 0 for opposite ones; the effective cap is never above `max_portfolio_r_pct`; nothing that is not finite
can be allocated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from risk.correlation import CorrelationBook
from risk.settings import RiskSettings


class Exposure(NamedTuple):
    """One position, pending entry or candidate; percentages of equity, `notional_pct` without a sign."""

    instrument: str
    side: int
    risk_pct: float = 0.0
    notional_pct: float = 0.0


class Concentration(NamedTuple):
    """The pair of a book that is nearest to, or deepest in, concentration; `active`: safe mode is on."""

    active: bool
    largest: float
    pair: tuple[str, str] | None
    multiplier: float
    cap_pct: float


def safe_mode_multiplier(largest: float, settings: RiskSettings) -> float:
    """Return clamp(1 - (c - threshold) / (1 - threshold), safe_mode_min_multiplier, 1)."""
    threshold = settings.max_abs_correlation
    reduced = 1.0 - (largest - threshold) / max(1e-6, 1.0 - threshold)
    return max(settings.safe_mode_min_multiplier, min(1.0, reduced))


class PortfolioController:
    """Answer whether one more position fits into the book.

    Parameters
    ----------
    settings : RiskSettings
        Governance limits.
    correlations : CorrelationBook
        Where correlations are stored.
    signed, with_candidate, unknown_counts : bool
        The desk's rules (True): signs of positions count, the candidate is part of the book it is judged
        in, unknown correlation is conservative.  False gives the original system's rules, which the golden
        vectors record.

    """

    def __init__(
        self,
        settings: RiskSettings,
        correlations: CorrelationBook,
        *,
        signed: bool = True,
        with_candidate: bool = True,
        unknown_counts: bool = True,
    ) -> None:
        self._settings = settings
        self.correlations = correlations
        self._signed, self._with_candidate, self._unknown_counts = signed, with_candidate, unknown_counts
        self._base = (0.0, 0.0, 0.0)
        self._book: list[Exposure] = []

    def begin_cycle(self, risk_pct: float = 0.0, gross_pct: float = 0.0, net_pct: float = 0.0) -> None:
        """Forget the registered positions; the arguments are exposure that is not registered one by one."""
        self._base = (max(0.0, risk_pct), max(0.0, gross_pct), net_pct)
        self._book = []

    def register(self, exposure: Exposure) -> None:
        """Add a position or pending entry to the book."""
        self._book.append(exposure)

    @property
    def risk_pct(self) -> float:
        """Open and reserved risk of the book."""
        return self._base[0] + sum([e.risk_pct for e in self._book])

    @property
    def gross_pct(self) -> float:
        """Gross exposure of the book."""
        return self._base[1] + sum([abs(e.notional_pct) for e in self._book])

    @property
    def net_pct(self) -> float:
        """Net exposure of the book, long positive."""
        return self._base[2] + sum([e.side * e.notional_pct for e in self._book])

    def can_allocate(self, candidate: Exposure) -> bool:
        """Return whether the candidate keeps every limit; anything not finite does not."""
        settings = self._settings
        risk, notional = candidate.risk_pct, candidate.notional_pct
        if not (math.isfinite(risk) and math.isfinite(notional)):
            return False
        judged = [*self._book, candidate] if self._with_candidate else self._book
        concentration = self.concentration(judged)
        return not (
            risk <= 0.0
            or risk > settings.max_per_trade_r_pct
            or self.risk_pct + risk > concentration.cap_pct
            or self.gross_pct + abs(notional) > settings.max_gross_exposure_pct
            or abs(self.net_pct + candidate.side * notional) > settings.max_net_exposure_pct
            or len(self.concentrated_with(candidate, self._book)) >= settings.max_high_corr_positions
            or (concentration.active and settings.safe_mode_action == "block")
        )

    def update_correlation(self, a: str, b: str, value: float, ts: int) -> float:
        """Offer a correlation; return what is stored afterwards (throttled, see `CorrelationBook.update`)."""
        return self.correlations.update(a, b, value, ts)

    def signed_correlation(self, one: Exposure, other: Exposure) -> float:
        """Return sign * sign * correlation of two positions (1 or -1 on the same instrument)."""
        sign = one.side * other.side if self._signed else 1
        if one.instrument == other.instrument:
            return float(sign)
        value = self.correlations.value(one.instrument, other.instrument)
        if value is None:
            return 1.0 if self._unknown_counts and sign > 0 else 0.0
        return sign * value if self._signed else abs(value)

    def concentrated_with(self, candidate: Exposure, book: Sequence[Exposure]) -> list[Exposure]:
        """Return the positions of the book that the candidate is concentrated with."""
        threshold = self._settings.max_abs_correlation
        return [e for e in book if self.signed_correlation(candidate, e) >= threshold]

    def concentration(self, book: Sequence[Exposure] | None = None) -> Concentration:
        """Return safe mode of a book (default: the registered one): largest concentrated pair and cap."""
        held = self._book if book is None else book
        largest, pair = 0.0, None
        for index, one in enumerate(held):
            for other in held[index + 1 :]:
                value = self.signed_correlation(one, other)
                if value > largest:
                    largest, pair = value, (one.instrument, other.instrument)
        settings = self._settings
        if largest < settings.max_abs_correlation:
            return Concentration(False, largest, pair, 1.0, settings.max_portfolio_r_pct)
        multiplier = safe_mode_multiplier(largest, settings)
        return Concentration(True, largest, pair, multiplier, settings.max_portfolio_r_pct * multiplier)
