"""Small worlds for the tests of the risk room: rules, instants, signals, mandates, fills, a desk to drive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from risk.engine import RiskDesk
from risk.settings import RiskSettings
from risk.vocabulary import (
    LONG,
    MINUTE_NS,
    Bar,
    DeskMode,
    DeskState,
    EntryStyle,
    ExitSpec,
    Fill,
    Funding,
    Instant,
    InstrumentRules,
    Mandate,
    MandateRow,
    Quote,
    RefusalReason,
    Refused,
    RegimeLabel,
    Signal,
    Trade,
    TradePlan,
)

BTC, ETH, SOL, XRP = "BTCUSDT-PERP", "ETHUSDT-PERP", "SOLUSDT-PERP", "XRPUSDT-PERP"
ACTIVE = DeskState(0, DeskMode.ACTIVE)
ONE_DAY_OF_15M = 96


def rules(instrument: str = BTC, **changes: Any) -> InstrumentRules:
    """Rules like BingX's, with a coarse but exact grid."""
    base = InstrumentRules(
        instrument=instrument,
        price_digits=2,
        size_digits=4,
        tick=0.01,
        step=0.0001,
        min_quantity=0.0001,
        min_notional_usd=2.0,
        maker_fee=0.0002,
        taker_fee=0.0005,
    )
    return replace(base, **changes)


def settings(**changes: Any) -> RiskSettings:
    """Governance defaults with changes."""
    return RiskSettings(**changes)


class World:
    """A risk desk and a market that is moved by hand, one 15m instant at a time."""

    def __init__(
        self,
        prices: Mapping[str, float] | None = None,
        equity: float = 10_000.0,
        limits: RiskSettings | None = None,
        instrument_rules: Mapping[str, InstrumentRules] | None = None,
        start_ns: int = 20_000 * 1440 * MINUTE_NS,
        virtual_equity: float | None = None,
        virtual_asset: str = "",
        minutes: int = 15,
    ) -> None:
        self.prices = dict(prices or {BTC: 100.0})
        self.minutes = minutes
        self.ts = start_ns
        self.rules = dict(instrument_rules or {name: rules(name) for name in self.prices})
        self.desk = RiskDesk(
            limits or settings(),
            self.rules,
            dict.fromkeys(self.rules, minutes),
            equity,
            virtual_equity,
            virtual_asset,
        )
        self.count = 0

    def instant(
        self,
        prices: Mapping[str, float] | None = None,
        *,
        volume: float = 1e6,
        funding: tuple[Funding, ...] = (),
        marks: tuple[tuple[str, float], ...] = (),
        quotes: tuple[tuple[str, float, float], ...] = (),
        late: tuple[str, ...] = (),
        without: tuple[str, ...] = (),
        warm_only: bool = False,
        bars: int = 1,
    ) -> Instant:
        """Make the instant `bars` bars later, without telling the desk."""
        self.ts += bars * self.minutes * MINUTE_NS
        self.prices.update(prices or {})
        made = tuple(
            Bar(name, self.minutes, self.ts, price, price, price, price, volume)
            for name, price in sorted(self.prices.items())
            if name not in without
        )
        return Instant(
            self.ts,
            {self.minutes: made} if made else {},
            funding,
            marks,
            (),
            tuple(Quote(name, self.ts, bid, ask) for name, bid, ask in quotes),
            late,
            warm_only,
        )

    def step(self, prices: Mapping[str, float] | None = None, **how: Any) -> World:
        """Move the market by one instant."""
        self.desk.on_instant(self.instant(prices, **how))
        return self

    def signal(
        self,
        instrument: str = BTC,
        side: int = LONG,
        strategy: str = "breakout_4h",
        distance: float | None = None,
        confidence: float = 1.0,
        atr: float | None = None,
        style: EntryStyle = EntryStyle.MARKET,
        price: float | None = None,
        **exits: Any,
    ) -> Signal:
        """Make a signal at the present price; the stop is 2 % away unless given, the ATR 2 % of price."""
        self.count += 1
        at = self.prices[instrument] if price is None else price
        exits.setdefault("time_stop_bars", 30)
        return Signal(
            trace_id=f"{strategy}/{instrument}/{self.ts}/{self.count}",
            ts_event=self.ts,
            strategy=strategy,
            instrument=instrument,
            minutes=self.minutes,
            side=side,
            reference_price=at,
            exits=ExitSpec(0.02 * at if distance is None else distance, **exits),
            confidence=confidence,
            atr=0.02 * at if atr is None else atr,
            entry_style=style,
        )

    def mandate(self, instrument: str, strategy: str, **row: Any) -> Mandate:
        """Allow a strategy both ways unless said otherwise."""
        values: dict[str, Any] = {"allowed": True, "sides": (1, -1)} | row
        return Mandate(self.ts, instrument, RegimeLabel.TREND_UP, (MandateRow(strategy, **values),))

    def decide(self, signal: Signal, **how: Any) -> TradePlan | Refused:
        """Ask the desk, with everything in order unless said otherwise."""
        asked: dict[str, Any] = {
            "mandate": self.mandate(signal.instrument, signal.strategy),
            "desk": ACTIVE,
            "ts": self.ts,
            "daily_volatility": 0.02,
            "warm": True,
            "flags": frozenset(),
        } | how
        return self.desk.decide(signal, **asked)

    def plan(self, *args: Any, **how: Any) -> TradePlan:
        """Ask for a signal that must be approved."""
        answer = self.decide(self.signal(*args, **how))
        assert isinstance(answer, TradePlan), answer
        return answer

    def refusal(self, *args: Any, asked: Mapping[str, Any] | None = None, **how: Any) -> Refused:
        """Ask for a signal that must be refused."""
        answer = self.decide(self.signal(*args, **how), **(asked or {}))
        assert isinstance(answer, Refused), answer
        return answer

    def fill(
        self,
        plan: TradePlan,
        role: str = "entry",
        quantity: float | None = None,
        price: float | None = None,
        fee: float | None = None,
        slippage: float = 0.0,
    ) -> Trade | None:
        """Fill (part of) a plan at the present price."""
        signal = plan.signal
        filled = plan.quantity if quantity is None else quantity
        at = self.prices[signal.instrument] if price is None else price
        side = signal.side if role == "entry" else -signal.side
        cost = round(filled * at * 0.0005, 8) if fee is None else fee
        self.count += 1
        return self.desk.on_fill(
            Fill(
                self.ts,
                self.ts,
                signal.trace_id,
                signal.strategy,
                signal.instrument,
                f"id-{self.count}",
                role,
                side,
                filled,
                at,
                cost,
                slippage,
                False,
            )
        )

    def enter(self, *args: Any, **how: Any) -> TradePlan:
        """Approve and fill a signal at once."""
        plan = self.plan(*args, **how)
        self.fill(plan)
        return plan


def reason_of(answer: object) -> RefusalReason | None:
    """Return the reason of a refusal, None for anything else."""
    return answer.reason if isinstance(answer, Refused) else None
