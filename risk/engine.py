"""RiskDesk: the whole risk room behind one door: market, books, limits, decisions.

Guarantees: what it approves is reserved at once, so that two signals of one moment cannot share the same
room; risk, gross, net and effective cap hold with the candidate in the book; every figure is of desk time;
the same inputs give the same answers, also across `state()` and `load()`.  `on_instant` is on the hot path.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from risk.books import Books
from risk.context import DecisionContext
from risk.correlation import CorrelationBook
from risk.drawdown import DrawdownGuard
from risk.market import MarketView
from risk.pipeline import first_refusal
from risk.portfolio import Concentration, Exposure, PortfolioController
from risk.proposal import plan_of
from risk.settings import RiskSettings
from risk.settlements import Settlements, booked
from risk.stops import with_planned_stops
from risk.vocabulary import (
    DAY_NS,
    MINUTE_NS,
    AccountFunding,
    DeskState,
    EntryDone,
    EquityPoint,
    Fill,
    Funding,
    FundingPaid,
    Instant,
    InstrumentRules,
    Mandate,
    Protection,
    Refused,
    SafeMode,
    Signal,
    Trade,
    TradePlan,
)


class RiskDesk:
    """Risk room of one desk (a challenger has one of its own).

    Parameters
    ----------
    settings : RiskSettings
        Governance limits.
    rules : Mapping[str, InstrumentRules]
        Rules by instrument id.
    base_minutes : Mapping[str, int]
        Length of the finest bars of each instrument.
    equity : float
        The venue's equity at the start, USDT.
    virtual_equity : float, optional
        In virtual mode the equity that risk is measured on starts here: risk equity = virtual equity + the
        run's own net PnL, never above the venue's equity.
    virtual_asset : str
        Tag of trades in virtual mode.
    risk_shares : Mapping[str, float], optional
        Share of the risk budget of strategies on probation, by name; all others have all of it.
    netted : bool
        The venue has one position an instrument, whoever opened it: one strategy at a time may be on it.
    account_settles : bool
        The venue's account settles funding: what its rows say is booked (`on_account_funding`), nothing else.

    """

    def __init__(
        self,
        settings: RiskSettings,
        rules: Mapping[str, InstrumentRules],
        base_minutes: Mapping[str, int],
        equity: float,
        virtual_equity: float | None = None,
        virtual_asset: str = "",
        risk_shares: Mapping[str, float] | None = None,
        *,
        netted: bool = False,
        account_settles: bool = False,
    ) -> None:
        self.settings = settings
        self.rules = rules
        self.virtual_equity, self.virtual_asset = virtual_equity, virtual_asset
        self.risk_shares = dict(risk_shares or {})
        self.netted = netted
        self.settlements = Settlements() if account_settles else None
        self.books = Books(equity, settings.leverage_cap)
        self.guard = DrawdownGuard()
        self.market = MarketView(rules, settings, base_minutes)
        self.correlation = CorrelationBook(settings)
        self.portfolio = PortfolioController(settings, self.correlation)
        self.max_drawdown_pct = 0.0
        self.peak_equity = self.risk_equity
        self._concentration = Concentration(False, 0.0, None, 1.0, settings.max_portfolio_r_pct)
        self._held: list[tuple[str, str, int]] = []  # what `_active` and `_pairs` were made of
        self._active: list[Exposure] = []
        self._pairs: list[tuple[str, str]] = []
        self._refresh_ns: int | None = None
        self._revision = -1  # of the correlations that the concentration was judged on
        self.safe_mode_changes: deque[SafeMode] = deque()  # entered, changed, left; whoever tells takes them

    def on_instant(self, instant: Instant) -> None:
        """Take over a whole instant: prices, marks, correlation bars, and a sample of equity (hot path)."""
        market, ts = self.market, instant.ts_event
        market.on_instant(instant)
        self.correlation.on_instant(instant)
        if instant.warm_only:
            return
        books = self.books
        unrealised = 0.0
        for position in books.positions.values():
            mark = market.mark(position.instrument)
            # A mark that is not a number must not reach the books; the check of inputs refuses its signals.
            if mark is not None and math.isfinite(mark):
                position.mark = mark
            unrealised += position.unrealised_usd
        self._sample(ts, self._risk_equity(books.balance + unrealised))
        if self._is_due(ts):
            self._refresh(ts)

    def rest(self) -> None:
        """Do in a quiet moment what the next decision would have to do first."""
        self.market.rest()
        self.correlation.rest()

    def on_funding(self, funding: Funding) -> list[FundingPaid]:
        """Book a settlement at the mark price on what is held; nothing where the account settles it."""
        held = any(p.instrument == funding.instrument for p in self.books.positions.values())
        if not held or self.settlements is not None:
            return []
        price = self.market.mark(funding.instrument)
        if price is None:
            raise ValueError(f"funding of {funding.instrument} came before any price of it")
        paid = self.books.settle_funding(funding, price)
        self._sample(funding.ts_event, self.risk_equity)
        return paid

    def on_account_funding(self, row: AccountFunding, ts: int) -> list[FundingPaid] | str:
        """Book a settlement of the venue's account on who held it then; a row that came before is nothing.

        Returns what was booked, or why the row is nobody's here.
        """
        settlements = self.settlements
        if settlements is None:
            raise ValueError("the account's funding was told to a desk that books its own")
        shares = settlements.take(row, self.books)
        if shares is None:
            return []
        if not shares:
            return f"{row.amount_usd:+g} USDT of funding were settled on {row.instrument}, never held here"
        paid = booked(row, shares, self.books, ts)
        self._sample(ts, self.risk_equity)
        return paid

    def funding_read_until(self, ts: int) -> None:
        """Take note of how far the account's funding is known: a restart goes on from there."""
        if self.settlements is not None:
            self.settlements.read_until(ts)

    def decide(
        self,
        signal: Signal,
        mandate: Mandate | None,
        desk: DeskState,
        ts: int,
        daily_volatility: float | None,
        warm: bool,
        flags: frozenset[str] = frozenset(),
    ) -> TradePlan | Refused:
        """Answer a signal; a plan is reserved until its fills, `release` or `on_entry_done`.

        Parameters
        ----------
        daily_volatility : float or None
            Daily volatility of the signal's instrument (fraction), None while it is not known.
        warm : bool
            Whether the regime of the instrument is warm.
        flags : frozenset of str
            `reconciling`, `disabled:<strategy>`, `tool_error`, `working@<instrument>`, each with `:<detail>`
            where it has one.

        """
        context = DecisionContext(
            signal=with_planned_stops(signal, self.settings),
            mandate=mandate,
            desk=desk,
            ts=ts,
            daily_volatility=daily_volatility,
            warm=warm,
            flags=flags,
            settings=self.settings,
            rules=self.rules.get(signal.instrument),
            market=self.market,
            books=self.books,
            guard=self.guard,
            portfolio=self.portfolio,
            equity=self.risk_equity,
            risk_share=self.risk_shares.get(signal.strategy, 1.0),
            netted=self.netted,
        )
        refused = first_refusal(context)
        if refused is not None:
            return refused
        plan = plan_of(context, context.proposal)
        self.books.reserve(plan)
        self._recompute(ts)
        return plan

    def release(self, trace_id: str) -> None:
        """Give back a reservation; an unknown one is nothing to give back."""
        if self.books.release(trace_id):
            self._recompute(self.market.ts_event)

    def on_fill(self, fill: Fill) -> Trade | None:
        """Book a fill, sample equity, and return the trade that it closed."""
        if self.settlements is not None:
            self.settlements.before_fill(fill, self.books)
        trade = self.books.apply(fill)
        self._sample(fill.ts_event, self.risk_equity)
        self._recompute(fill.ts_event)
        if trade is not None and self.virtual_asset and not trade.virtual_asset:
            return trade._replace(virtual_asset=self.virtual_asset)
        return trade

    def on_protection(self, protection: Protection) -> None:
        """Take over the working stop of a position."""
        self.books.protect(protection)

    def on_entry_done(self, entry: EntryDone) -> None:
        """Release what an entry that is over has not used."""
        if self.books.entry_done(entry):
            self._recompute(entry.ts_event)

    def unprotected(self, ts: int) -> list[str]:
        """Return the trace ids of positions that no stop has protected for one finest bar or longer."""
        return [
            position.trace_id
            for position in self.books.positions.values()
            if not position.stop_working
            and ts - (position.unprotected_ns or position.ts_open)
            >= (self.market.base_minutes(position.instrument) or 1) * MINUTE_NS
        ]

    def restart_window(self, ts: int) -> None:
        """Begin a new 72 h window at the present risk equity (after an unlock)."""
        self.guard.restart_window(ts, self.risk_equity)

    @property
    def risk_equity(self) -> float:
        """The equity that percentages are of (see the class's `virtual_equity`)."""
        return self._risk_equity(self.books.equity)

    @property
    def effective_cap_pct(self) -> float:
        """Cap of open and reserved risk: `max_portfolio_r_pct`, less in safe mode."""
        return self._concentration.cap_pct

    def snapshot(self) -> dict[str, float]:
        """Return equity, risk and exposure of the book, reservations included."""
        now = self.books.figures()
        equity = self.books.balance + now.unrealised_usd
        risk_equity = self._risk_equity(equity)
        scale = 100.0 / risk_equity if risk_equity > 0.0 else 0.0
        return {
            "equity": equity,
            "risk_equity": risk_equity,
            "open_risk_pct": scale * now.open_risk_usd,
            "reserved_risk_pct": scale * now.reserved_risk_usd,
            "gross_pct": scale * now.gross_usd,
            "net_pct": scale * now.net_usd,
            "effective_cap_pct": self.effective_cap_pct,
        }

    def equity_point(self, ts: int, cause: str, desk: DeskState) -> EquityPoint:
        """Return a sample of the books; `cause` is bar, fill, funding or close."""
        books, guard = self.books, self.guard
        now = books.figures()
        equity = books.balance + now.unrealised_usd
        risk_equity = self._risk_equity(equity)
        scale = 100.0 / risk_equity if risk_equity > 0.0 else 0.0
        return EquityPoint(
            ts,
            equity,
            books.balance,
            now.margin_usd,
            now.unrealised_usd,
            guard.daily_pnl_pct,
            guard.drawdown_72h_pct,
            scale * now.open_risk_usd,
            scale * now.reserved_risk_usd,
            scale * now.gross_usd,
            scale * now.net_usd,
            self.effective_cap_pct,
            desk.mode.value,
            books.cum_r,
            cause,
        )

    def warmup_bars(self) -> dict[int, int]:
        """Return how many bars of each timeframe (minutes) to feed as `warm_only` before a start or `load`.

        A day of finest bars for the 24 h volume, a window of correlation bars on each of its timeframes.
        """
        wanted = self.correlation.warmup_bars()
        for minutes in self.market.base_timeframes:
            wanted[minutes] = max(wanted.get(minutes, 0), DAY_NS // (minutes * MINUTE_NS))
        return wanted

    def state(self) -> dict[str, Any]:
        """Return what must survive a restart as JSON-able values.

        Market figures and correlation bars are not in it: they come back by warm-up instants, which must be
        fed before `load` (see `warmup_bars`).
        """
        found = self._concentration
        settled = {} if self.settlements is None else {"settlements": self.settlements.state()}
        return settled | {
            "books": self.books.state(),
            "guard": self.guard.state(),
            "correlation": self.correlation.state(),
            "max_drawdown_pct": self.max_drawdown_pct,
            "peak_equity": self.peak_equity,
            "concentration": list(found),
            "refresh_ns": self._refresh_ns,
            "changes": [
                [c.ts_event, c.active, c.largest, c.pair, c.effective_cap_pct] for c in self.safe_mode_changes
            ],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self.books.load(state["books"])
        if self.settlements is not None:
            self.settlements.load(state["settlements"])
        self.guard.load(state["guard"])
        self.correlation.load(state["correlation"])
        self.max_drawdown_pct = float(state["max_drawdown_pct"])
        self.peak_equity = float(state["peak_equity"])
        active, largest, pair, multiplier, cap = state["concentration"]
        self._concentration = Concentration(active, largest, _pair(pair), multiplier, cap)
        self.safe_mode_changes = deque(
            SafeMode(ts, active, largest, _pair(pair), cap)
            for ts, active, largest, pair, cap in state["changes"]
        )
        self._look(self.books.active())
        self._refresh_ns, self._revision = state["refresh_ns"], -1

    def _risk_equity(self, equity: float) -> float:
        if self.virtual_equity is None:
            return equity
        return min(self.virtual_equity + equity - self.books.start_balance, equity)

    def _sample(self, ts: int, equity: float) -> None:
        if not math.isfinite(equity):
            return
        self.guard.sample(ts, equity)
        if equity > self.peak_equity:
            self.peak_equity = equity
        elif self.peak_equity > 0.0:
            fall = 100.0 * (equity / self.peak_equity - 1.0)
            self.max_drawdown_pct = min(self.max_drawdown_pct, fall)

    def _recompute(self, ts: int) -> None:
        """Judge what is held or reserved now, unless nothing that counts has changed."""
        held = self.books.active()
        if held != self._held:
            self._look(held)
        elif self.correlation.revision == self._revision and not self._is_due(ts):
            return
        self._refresh(ts)

    def _look(self, held: list[tuple[str, str, int]]) -> None:
        self._held = held
        self._active = [Exposure(instrument, side) for _, instrument, side in held]
        names = sorted({e.instrument for e in self._active})
        self._pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]

    def _is_due(self, ts: int) -> bool:
        return self._refresh_ns is not None and ts >= self._refresh_ns

    def _refresh(self, ts: int) -> None:
        """Refresh the correlations of what is held where due, and note a change of safe mode."""
        self._refresh_ns = self.correlation.refresh_all(self._pairs, ts)
        before, now = self._concentration, self.portfolio.concentration(self._active)
        self._concentration, self._revision = now, self.correlation.revision
        if now.active != before.active or now.cap_pct != before.cap_pct:
            self.safe_mode_changes.append(SafeMode(ts, now.active, now.largest, now.pair, now.cap_pct))


def _pair(names: Sequence[str] | None) -> tuple[str, str] | None:
    """Make a pair out of what JSON made of it."""
    return None if names is None else (names[0], names[1])
