"""Whatever happens on a desk: caps hold at approval and entry, books balance, a restart changes nothing."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from risk.engine import RiskDesk
from risk.vocabulary import Bar, EntryDone, EntryStyle, Funding, Protection, TradePlan
from tests.unit.risk.builders import ACTIVE, BTC, ETH, SOL, World, rules, settings

NAMES = (BTC, ETH, SOL)
STRATEGIES = ("breakout_4h", "range_reversion_5m")
TOLERANCE = 1e-6
GRIDS: dict[str, dict[str, Any]] = {
    BTC: {"price_digits": 1, "tick": 0.1, "size_digits": 3, "step": 0.001, "min_quantity": 0.001},
    ETH: {"price_digits": 2, "tick": 0.01, "size_digits": 2, "step": 0.01, "min_quantity": 0.01},
    SOL: {"price_digits": 3, "tick": 0.005, "size_digits": 0, "step": 1.0, "min_quantity": 1.0},
}


class Play:
    """A desk driven by a seeded source of events; `log` tells everything it answered."""

    def __init__(self, seed: int, **limits: Any) -> None:
        self.random = random.Random(seed)
        self.world = World(
            {BTC: 2_000.0, ETH: 100.0, SOL: 20.0},
            equity=self.random.choice([300.0, 2_000.0, 50_000.0]),
            limits=settings(**limits),
            instrument_rules={name: rules(name, **grid) for name, grid in GRIDS.items()},
        )
        self.open: dict[tuple[str, str], TradePlan] = {}
        self.resting: list[TradePlan] = []
        self.history: list[Any] = []
        self.log: list[str] = []
        self.extra = ""  # an instrument that moves but is never asked for

    def move(self) -> None:
        """One instant of prices that move together and apart, sometimes with funding."""
        source, world = self.random, self.world
        common = source.gauss(0.0, 0.004)
        for name in NAMES:
            tick = GRIDS[name]["tick"]
            moved = world.prices[name] * (1.0 + common + source.gauss(0.0, 0.002))
            world.prices[name] = round(round(moved / tick) * tick, GRIDS[name]["price_digits"])
        instant = world.instant(volume=10 ** source.uniform(3.5, 7))
        if self.extra:
            bar = Bar(self.extra, 15, world.ts, 1.0, 1.0, 1.0, 1.0 + len(self.history) / 1e3, 1.0)
            instant = instant._replace(bars={15: tuple(sorted((*instant.bars[15], bar)))})
        self.history.append(instant)
        world.desk.on_instant(instant)
        if source.random() < 0.05:
            for paid in world.desk.on_funding(Funding(BTC, world.ts, source.gauss(0.0, 0.0005))):
                self.log.append(repr(paid))

    def ask(self) -> None:
        """One signal; an approved one fills at once, in slices, rests, or is released."""
        source, world = self.random, self.world
        name = source.choice(NAMES)
        signal = world.signal(
            name,
            source.choice([1, -1]),
            source.choice(STRATEGIES),
            distance=world.prices[name] * 10 ** source.uniform(-3, -1),
            confidence=source.uniform(0.2, 1.6),
            style=source.choice(list(EntryStyle)),
        )
        before = world.desk.snapshot()
        answer = world.decide(signal, daily_volatility=source.uniform(0.01, 0.12))
        self.log.append(repr(answer))
        if not isinstance(answer, TradePlan):
            return
        self.check_approval(answer)
        self.check_limits(before)
        fate = source.random()
        if fate < 0.2:
            world.desk.release(signal.trace_id)
        elif fate < 0.4:
            self.resting.append(answer)
        else:
            self.enter(answer, 1 if fate < 0.8 else 3)
            self.check_limits(before)

    def enter(self, plan: TradePlan, slices: int) -> None:
        """Fill a plan at the present price, with the costs it expected, and protect it."""
        world, signal = self.world, plan.signal
        grid = GRIDS[signal.instrument]
        left = plan.quantity
        for number in range(slices, 0, -1):
            piece = round(round(left / number / grid["step"]) * grid["step"], grid["size_digits"])
            if piece <= 0.0:
                continue
            left = round(left - piece, grid["size_digits"])
            fee, slip = plan.costs.entry_fee * piece, plan.costs.entry_slippage * piece
            world.fill(plan, quantity=piece, fee=round(fee, 8), slippage=round(slip, 8))
        key = (signal.strategy, signal.instrument)
        position = world.desk.books.positions[key]
        stop = round(position.average_price - signal.side * abs(signal.reference_price - plan.stop_price), 9)
        world.desk.on_protection(Protection(world.ts, signal.trace_id, *key, stop, position.quantity))
        world.desk.on_entry_done(
            EntryDone(world.ts, signal.trace_id, *key, position.quantity, position.average_price)
        )
        self.open[key] = plan

    def work(self) -> None:
        """Fill or drop what rests, close or trim what is open."""
        source, world = self.random, self.world
        for plan in list(self.resting):
            if source.random() < 0.3:
                self.resting.remove(plan)
                if source.random() < 0.5:
                    world.desk.release(plan.signal.trace_id)
                else:
                    self.enter(plan, 1)
        for key, plan in list(self.open.items()):
            position = world.desk.books.positions[key]
            chance = source.random()
            if chance < 0.15:
                self.log.append(repr(world.fill(plan, "exit", quantity=position.quantity)))
                del self.open[key]
            elif chance < 0.25:
                grid = GRIDS[key[1]]
                half = round(position.quantity / 2 / grid["step"]) * grid["step"]
                half = round(half, grid["size_digits"])
                if 0.0 < half < position.quantity:
                    self.log.append(repr(world.fill(plan, "target_1", quantity=half)))

    def run(self, steps: int) -> None:
        """Let some instants pass."""
        for _ in range(steps):
            self.move()
            self.work()
            self.ask()
            self.check_books()
            self.log.append(repr(self.world.desk.equity_point(self.world.ts, "bar", ACTIVE)))
            changes = self.world.desk.safe_mode_changes
            self.log.append(repr(changes.popleft() if changes else None))

    def check_approval(self, plan: TradePlan) -> None:
        limits = self.world.desk.settings
        assert plan.quantity > 0.0
        assert limits.min_r_pct_floor / 2 <= plan.risk_pct <= limits.max_per_trade_r_pct + TOLERANCE
        assert plan.costs.cost_r <= limits.max_cost_r
        assert plan.notional_usd <= plan.equity_usd * limits.leverage_cap + TOLERANCE
        assert plan.notional_usd >= 2.0

    def check_limits(self, before: dict[str, float]) -> None:
        """No limit is exceeded now that was kept before (prices and exits may move a book over a limit)."""
        limits, now = self.world.desk.settings, self.world.desk.snapshot()
        risk = now["open_risk_pct"] + now["reserved_risk_pct"]
        assert risk <= now["effective_cap_pct"] + TOLERANCE
        for name, limit in (
            ("gross_pct", limits.max_gross_exposure_pct),
            ("net_pct", limits.max_net_exposure_pct),
        ):
            assert abs(now[name]) <= max(limit, abs(before[name])) + TOLERANCE

    def check_books(self) -> None:
        books = self.world.desk.books
        assert books.cash_usd + books.margin_usd + books.unrealised_usd == pytest.approx(books.equity)
        assert books.open_risk_usd >= 0.0
        assert books.reserved_risk_usd >= 0.0


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=40, deadline=None)
def test_caps_hold_at_every_approval_and_every_entry(seed: int) -> None:
    Play(seed, max_daily_loss_pct=9.9, kill_switch_drawdown_72h=9.9).run(40)


@given(st.integers(0, 2**32), st.integers(1, 59))
@hypothesis_settings(max_examples=25, deadline=None)
def test_restart_at_any_moment_changes_no_later_answer(seed: int, cut: int) -> None:
    limits = {"correlation_window_bars": 20, "max_daily_loss_pct": 9.9, "kill_switch_drawdown_72h": 9.9}
    whole, broken = Play(seed, **limits), Play(seed, **limits)
    whole.run(60)
    broken.run(cut)
    state = json.loads(json.dumps(broken.world.desk.state()))
    old = broken.world.desk
    fresh = RiskDesk(old.settings, old.rules, dict.fromkeys(NAMES, 15), 1.0)
    for instant in broken.history:
        fresh.on_instant(instant._replace(warm_only=True))
    fresh.load(state)
    broken.world.desk = fresh
    broken.run(60 - cut)
    assert broken.log == whole.log
    assert fresh.state() == whole.world.desk.state()


@given(st.integers(0, 2**32))
@hypothesis_settings(max_examples=15, deadline=None)
def test_instrument_that_never_signals_changes_no_answer(seed: int) -> None:
    alone, crowded = Play(seed), Play(seed)
    world = crowded.world
    idle = "AAA-IDLE-PERP"
    everything = {**world.rules, idle: rules(idle)}
    crowded.world.desk = RiskDesk(
        world.desk.settings, everything, dict.fromkeys(everything, 15), world.desk.books.balance
    )
    crowded.extra = idle
    alone.run(40)
    crowded.run(40)
    assert crowded.log == alone.log
