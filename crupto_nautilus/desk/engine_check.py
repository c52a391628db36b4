"""The engine check of a research document: its trades in the Nautilus engine against those of the screen.

The document runs as it would on the desk, through the base strategy, the router and the simulated venue; only
the answers to its signals come from a plain approver with a fixed quantity, so that regimes, budgets and
exposure of a desk do not decide which signals are compared.

Guarantees: entries and exits are compared one by one (moment, side, price, reason), and what the engine's
account made with what the screen says; a handler that raised fails the check.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from nautilus_trader.common import DataActorConfig
from nautilus_trader.model import ActorId, Venue

from actors.agent import DeskAgent
from actors.router import RouterActor
from actors.selection_rules import CooldownBook
from actors.toolbox import ToolRegistry
from adapters.simulated import USDT
from catalog.feed import EngineFeed
from crupto_nautilus.desk.engine import make_engine, play
from research import simulate
from research.costs import Costs
from research.dsl.document import Document
from research.dsl.rule import spec_of
from research.market import Frame, MarketArrays
from research.screen import ScreenSettings, screen
from research.trades import Trades
from risk.clock import DeskClock
from risk.costs import estimate_costs
from risk.rounding import price_down, price_up
from risk.vocabulary import (
    DAY_NS,
    Alarm,
    Approved,
    Bar,
    Decision,
    EntryDone,
    EntryStyle,
    Fill,
    Funding,
    Instant,
    InstrumentRules,
    RefusalReason,
    Refused,
    Role,
    Signal,
    Ticket,
    TradePlan,
)
from strategies import bus, classes
from strategies.guarded import HANDLER_ERROR, guarded

PRICE_TOLERANCE = 1e-9
MAX_MEAN_DIFFERENCE_BPS = 1.0
_LEVERAGE = 3.0
_REASONS = {Role.STOP: "stop", Role.TARGET_1: "target", Role.TARGET_2: "target"}


@dataclass(slots=True)
class EngineTrade:
    """One position of the engine, from its first entry fill to flat; the result is a fraction of notional."""

    entry_ts: int
    side: int
    entry_price: float
    quantity: float
    exit_ts: int = 0
    reason: str = ""
    exit_price: float = 0.0
    net: float = 0.0
    funding: float = 0.0
    left: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineCheck:
    """What the engine did with a document beside what the screen says.

    `differences` name what is not equal; `mean_difference_bps` is the mean absolute difference of a trade's
    net result, funding included; `account_difference_bps` is that of the engine's account as a whole, of
    the notional traded.
    """

    document_hash: str
    instrument: str
    signals: int
    trades: int
    differences: tuple[str, ...]
    mean_difference_bps: float
    account_difference_bps: float

    @property
    def ok(self) -> bool:
        """Whether entries and exits are identical and the results agree to a basis point a trade."""
        return (
            not self.differences
            and self.mean_difference_bps <= MAX_MEAN_DIFFERENCE_BPS
            and self.account_difference_bps <= MAX_MEAN_DIFFERENCE_BPS
        )


class Approver(DeskAgent):
    """Approves every signal that the screen would take, with one fixed quantity."""

    agent: ClassVar[str] = "approver"

    def setup(
        self,
        strategy: str,
        minutes: int,
        rules: InstrumentRules,
        settings: ScreenSettings,
        slippage_bps: dict[int, float],
        untraded: frozenset[int],
        quantity: float,
    ) -> Approver:
        """Hand over the strategy to answer and the figures of the screen, slippage by bar close."""
        self.strategy, self.minutes, self.rules, self.settings = strategy, minutes, rules, settings
        self.slippage_bps_at, self.untraded, self.quantity = slippage_bps, untraded, quantity
        self.cooldowns = CooldownBook(settings.cooldown_bars, settings.cooldown_after_2_losses)
        self.pending = False
        self.signals: list[Signal] = []
        self.open: EngineTrade | None = None
        self.trades: list[EngineTrade] = []
        self.errors: list[str] = []
        self.close = 0.0
        return self

    def on_start(self) -> None:
        """Subscribe to what the strategy says and to what becomes of its orders."""
        self.hear(bus.signal(self.strategy), self.on_wish, 70)
        self.hear(bus.fill(self.strategy), self.on_fill, 71)
        self.hear(bus.entry_done(self.strategy), self.on_entry_done, 72)
        self.hear(bus.ALARM, self.on_alarm, 73)
        self.hear(bus.INSTANT, self.on_instant, 75)

    def on_alarm(self, alarm: Alarm) -> None:
        """Keep what went wrong."""
        if alarm.kind == HANDLER_ERROR:
            self.errors.append(f"{alarm.subject}: {alarm.detail}")

    @guarded
    def on_instant(self, instant: Instant) -> None:
        """Book the funding that the venue settles on what is held."""
        for bar in instant.bars.get(self.minutes, ()):
            self.close = bar.close
        trade = self.open
        if trade is not None:
            for funding in instant.funding:
                paid = trade.side * funding.rate * trade.left * self.close
                trade.funding -= paid / (trade.quantity * trade.entry_price)

    @guarded
    def on_wish(self, signal: Signal) -> None:
        """Answer a signal."""
        self.signals.append(signal)
        self.publish_message(bus.decision(self.strategy), self._answer(signal))

    def _answer(self, signal: Signal) -> Decision:
        ts, side, price = signal.ts_event, signal.side, signal.reference_price
        refused = None
        slippage_bps = self.slippage_bps_at[ts]
        costs = estimate_costs(
            side, price, signal.exits.stop_distance, signal.entry_style, self.rules, slippage_bps, None, 0
        )
        if self.pending or self.open is not None:
            refused = RefusalReason.ALREADY_OPEN
        elif ts < self.cooldowns.until_ns((self.strategy, signal.instrument)):
            refused = RefusalReason.COOLDOWN
        elif not 0.0 < signal.exits.stop_distance < price:
            refused = RefusalReason.INVALID_STOP
        elif ts in self.untraded:
            refused = RefusalReason.ILLIQUID
        elif costs.cost_r > self.settings.max_cost_r:
            refused = RefusalReason.COST_TOO_HIGH
        if refused is not None:
            return Refused(ts, signal, refused)
        rules, style = self.rules, signal.entry_style
        plan = TradePlan(
            signal, self.quantity, signal.stop_price, 0.0, 0.0, self.quantity * price, costs, slippage_bps
        )
        limit = None
        if style is not EntryStyle.MARKET:
            grid = price_down if side > 0 else price_up
            limit = grid(price - side * rules.tick, rules.tick, rules.price_digits)
        resting = style is EntryStyle.POST_ONLY
        ticket = Ticket(plan, style, (self.quantity,), limit, 0.0 if resting else slippage_bps)
        self.pending = True
        return Approved(ts, ticket)

    @guarded
    def on_fill(self, fill: Fill) -> None:
        """Follow the position."""
        trade, cost = self.open, (fill.fee + fill.slippage_usd)
        if fill.role == Role.ENTRY:
            if trade is None:
                trade = self.open = EngineTrade(fill.ts_event, fill.side, fill.price, 0.0)
                self.cooldowns.entered((self.strategy, fill.instrument), fill.ts_event, self.minutes)
            trade.quantity += fill.quantity
            trade.left = round(trade.left + fill.quantity, self.rules.size_digits)
            trade.net -= cost
            return
        if trade is None:
            self.errors.append(f"exit fill without a position at {fill.ts_event}")
            return
        trade.left = round(trade.left - fill.quantity, self.rules.size_digits)
        trade.net += (fill.price - trade.entry_price) * trade.side * fill.quantity - cost
        trade.exit_price += fill.price * fill.quantity
        if trade.left <= 0.0:
            trade.exit_ts, trade.exit_price = fill.ts_event, trade.exit_price / trade.quantity
            trade.reason = fill.reason or _REASONS.get(Role(fill.role), str(fill.role))
            trade.net = trade.net / (trade.quantity * trade.entry_price) + trade.funding
            self.trades.append(trade)
            self.open = None
            self.cooldowns.closed((self.strategy, fill.instrument), fill.ts_event, self.minutes, trade.net)

    @guarded
    def on_entry_done(self, _: EntryDone) -> None:
        """Take the next signal again."""
        self.pending = False


@dataclass(slots=True)
class _Run:
    approver: Approver
    balance: float
    equity: float = field(default=0.0)


def check_in_engine(
    document: Document,
    frame: Frame,
    rules: InstrumentRules,
    *,
    costs: Costs | None = None,
    settings: ScreenSettings | None = None,
) -> EngineCheck:
    """Run a document in the engine on one instrument and compare it with the screen.

    A position that is open at the end of the history is left out on both sides.
    """
    costs = (costs or Costs()).of(rules)
    settings = settings or ScreenSettings()
    market = MarketArrays([frame], {rules.instrument: rules})
    expected = screen([document], market, costs, settings)[0]
    run = _run(document, frame, rules, costs, settings)
    closed = expected.trades.reason != simulate.REASONS.index("end")
    found = run.approver.trades
    differences = [*run.approver.errors, *_compare(expected.trades, closed, found)]
    if len(run.approver.signals) != expected.signals:
        differences.append(
            f"{len(run.approver.signals)} signals in the engine, {expected.signals} in the screen"
        )
    pairs = list(zip(expected.trades.net[closed].tolist(), found, strict=False))
    mean = sum(abs(a - b.net) for a, b in pairs) / len(pairs) * 10_000.0 if pairs else 0.0
    account = 0.0
    if pairs and bool(closed.all()) and run.approver.open is None:
        wanted = sum(
            net * trade.entry_price * trade.quantity
            for net, trade in zip(expected.trades.net.tolist(), found, strict=False)
        )
        notional = sum(trade.entry_price * trade.quantity for trade in found)
        account = abs(run.balance - run.equity - wanted) / notional * 10_000.0
    return EngineCheck(
        document.document_hash,
        frame.instrument,
        expected.signals,
        len(found),
        tuple(differences),
        mean,
        account,
    )


def _run(
    document: Document, frame: Frame, rules: InstrumentRules, costs: Costs, settings: ScreenSettings
) -> _Run:
    quantity, equity = 2.0 * max(rules.step, rules.min_quantity), 1_000_000.0
    while quantity / 2 * float(frame.low.min()) < rules.min_notional_usd:
        quantity *= 2.0
    quantity = round(quantity, rules.size_digits)
    slippage = (replace(costs, multiplier=1.0).taker(frame) - costs.taker_fee) * 10_000.0
    stamps = frame.ts_event.tolist()
    slippage_at = dict(zip(stamps, slippage.tolist(), strict=True))
    untraded = frozenset(
        ts for ts, volume in zip(stamps, frame.volume.tolist(), strict=True) if volume <= 0.0
    )
    clock, spec = DeskClock(), spec_of(document)
    run_id = "check"
    approver = Approver(DataActorConfig(actor_id=ActorId("desk-approver-001")))
    approver.connect(run_id, clock, ToolRegistry())
    approver.setup(spec.name, spec.minutes, rules, settings, slippage_at, untraded, quantity)
    strategy = classes.build(spec).setup(
        spec,
        bus.STRATEGY_PRIORITY,
        run_id=run_id,
        rules={rules.instrument: rules},
        clock=clock,
        slippage_bps_of=lambda _, __: slippage_at.get(clock.now_ns, 0.0),
        virtual_asset="",
        leverage=_LEVERAGE,
    )
    base = {rules.instrument: frame.minutes}
    early, instants = frame_instants(frame)
    router = RouterActor(DataActorConfig(actor_id=ActorId("desk-router-001")))
    router.connect(run_id, clock, ToolRegistry())
    router.setup(base, (frame.minutes,), early)
    engine = make_engine({rules.instrument: rules}, equity, charge=True)
    try:
        engine.add_actor(approver)
        engine.add_strategy(strategy)
        engine.add_actor(router)
        play(engine, EngineFeed({rules.instrument: rules}, base), instants, 90 * DAY_NS)
        account: Any = engine.portfolio.account(venue=Venue(rules.instrument.rpartition(".")[2]))
        balance = float(account.balance_total(USDT).as_double())
    finally:
        engine.dispose()
    return _Run(approver, balance, equity)


def frame_instants(frame: Frame) -> tuple[list[Instant], Iterator[Instant]]:
    """Return the settlements before the first bar as warm-up, and the instants of the frame."""
    name, first = frame.instrument, int(frame.ts_event[0])
    settled = list(zip(frame.settled.ts_event.tolist(), frame.settled.rate.tolist(), strict=True))
    early = [
        Instant(ts, {}, (Funding(name, ts, rate),), warm_only=True) for ts, rate in settled if ts < first
    ]
    return early, _instants(frame, [row for row in settled if row[0] >= first])


def _instants(frame: Frame, settled: list[tuple[int, float]]) -> Iterator[Instant]:
    name, last = frame.instrument, int(frame.ts_event[-1])
    pending = iter(settled)
    following = next(pending, None)
    for bar, reference in zip(frame.bars.bars(name, frame.minutes), frame.reference.tolist(), strict=True):
        while following is not None and following[0] < bar.ts_event:
            yield Instant(following[0], {}, (Funding(name, *following),))
            following = next(pending, None)
        funding: tuple[Funding, ...] = ()
        if following is not None and following[0] == bar.ts_event <= last:
            funding = (Funding(name, *following),)
            following = next(pending, None)
        references = () if math.isnan(reference) else ((name, reference),)
        bars: dict[int, tuple[Bar, ...]] = {frame.minutes: (bar,)}
        yield Instant(bar.ts_event, bars, funding, references=references)


def _compare(expected: Trades, closed: Any, found: list[EngineTrade]) -> list[str]:
    """Say where the trades of the engine are not those of the screen; the first few places."""
    told: list[str] = []
    count = int(closed.sum())
    if count != len(found):
        told.append(f"{len(found)} closed trades in the engine, {count} in the screen")
    for k, trade in zip([k for k in range(len(expected)) if closed[k]], found, strict=False):
        wanted = (
            int(expected.entry_ts[k]),
            int(expected.side[k]),
            float(expected.entry_price[k]),
            int(expected.exit_ts[k]),
            float(expected.exit_price[k]),
            simulate.REASONS[int(expected.reason[k])],
        )
        got = (trade.entry_ts, trade.side, trade.entry_price, trade.exit_ts, trade.exit_price, trade.reason)
        for name, one, other in zip(
            ("entry", "side", "entry price", "exit", "exit price", "reason"), got, wanted, strict=True
        ):
            same = one == other
            if isinstance(one, float) and isinstance(other, float):
                same = math.isclose(one, other, rel_tol=PRICE_TOLERANCE)
            if not same:
                told.append(f"trade {k} {name}: engine {one}, screen {other} (engine {got}, screen {wanted})")
                break
        if len(told) > 3:
            break
    return told
