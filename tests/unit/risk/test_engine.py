"""RiskDesk as the agents see it: reservations, samples, virtual equity, safe mode, funding, restart."""

from __future__ import annotations

import json

import pytest

from risk.vocabulary import (
    DAY_NS,
    LONG,
    MINUTE_NS,
    SHORT,
    DeskMode,
    DeskState,
    EntryDone,
    Funding,
    Protection,
    RefusalReason,
    TradePlan,
)
from tests.unit.risk.builders import ACTIVE, BTC, ETH, SOL, World, reason_of, settings


@pytest.fixture
def world() -> World:
    return World({BTC: 100.0, ETH: 10.0, SOL: 20.0}).step()


def test_approval_reserves_until_it_is_released(world: World) -> None:
    plan = world.plan()
    now = world.desk.snapshot()
    assert now["reserved_risk_pct"] == pytest.approx(plan.risk_pct)
    assert now["gross_pct"] == pytest.approx(100 * plan.notional_usd / 10_000)
    assert now["open_risk_pct"] == 0.0
    world.desk.release(plan.signal.trace_id)
    world.desk.release("never heard of")
    assert world.desk.snapshot()["reserved_risk_pct"] == 0.0


def test_two_signals_of_one_moment_cannot_share_the_same_room(world: World) -> None:
    world.plan(side=LONG)
    second = world.plan(ETH, side=SHORT)
    assert "max_portfolio_r_pct 1.5" in second.clamps[0]
    now = world.desk.snapshot()
    assert now["reserved_risk_pct"] <= 1.5


def test_what_is_open_after_the_entry_is_no_more_than_what_was_booked(world: World) -> None:
    plan = world.plan()
    world.fill(plan, slippage=plan.quantity * plan.costs.entry_slippage)
    done = EntryDone(world.ts, plan.signal.trace_id, plan.signal.strategy, BTC, plan.quantity, 100.0)
    world.desk.on_entry_done(done)
    now = world.desk.snapshot()
    assert now["reserved_risk_pct"] == 0.0
    assert 0.0 < now["open_risk_pct"] <= plan.risk_pct
    stop = Protection(world.ts, plan.signal.trace_id, plan.signal.strategy, BTC, 98.0, plan.quantity)
    world.desk.on_protection(stop)
    assert world.desk.snapshot()["open_risk_pct"] == pytest.approx(now["open_risk_pct"])


def test_a_position_without_a_working_stop_is_named_after_one_finest_bar(world: World) -> None:
    plan = world.enter()
    trace_id, opened = plan.signal.trace_id, world.ts
    bar = (world.desk.market.base_minutes(BTC) or 0) * MINUTE_NS

    def stop(ts: int, price: float) -> None:
        size = plan.quantity if price else 0.0
        world.desk.on_protection(Protection(ts, trace_id, plan.signal.strategy, BTC, price, size))

    stop(opened, 0.0)
    assert world.desk.unprotected(opened + bar - 1) == []
    assert world.desk.unprotected(opened + bar) == [trace_id]
    stop(opened + bar, 98.0)
    assert world.desk.unprotected(opened + 9 * bar) == []
    stop(opened + 9 * bar, 0.0)
    stop(opened + 10 * bar - 1, 0.0)  # said again: the gap began before
    assert world.desk.unprotected(opened + 10 * bar - 1) == []
    assert world.desk.unprotected(opened + 10 * bar) == [trace_id]


def test_open_losses_lower_daily_pnl_and_drawdown(world: World) -> None:
    plan = world.enter()
    world.step({BTC: 99.0})
    point = world.desk.equity_point(world.ts, "bar", ACTIVE)
    assert point.unrealised_pnl == pytest.approx(-plan.quantity)
    assert point.balance + point.unrealised_pnl == pytest.approx(point.equity)
    assert point.daily_pnl_pct == pytest.approx(100 * (point.equity / 10_000 - 1))
    assert point.drawdown_72h_pct == pytest.approx(point.daily_pnl_pct)
    assert point.margin == pytest.approx(plan.notional_usd / 3.0)
    assert (point.cause, point.desk_state) == ("bar", "ACTIVE")
    assert world.desk.max_drawdown_pct == pytest.approx(point.drawdown_72h_pct)
    assert world.desk.peak_equity == 10_000.0


def test_fill_is_sampled_at_once(world: World) -> None:
    plan = world.enter()
    world.fill(plan, "stop", price=98.0)
    assert world.desk.guard.equity == world.desk.books.equity < 10_000.0


def test_funding_is_booked_at_mark_on_every_position_and_only_there(world: World) -> None:
    assert world.desk.on_funding(Funding(BTC, world.ts, 0.001)) == []
    plan = world.enter()
    world.step(marks=((BTC, 101.0),))
    (paid,) = world.desk.on_funding(Funding(BTC, world.ts, 0.001))
    assert paid.price == 101.0
    assert paid.amount_usd == pytest.approx(-plan.quantity * 101.0 * 0.001)
    assert world.desk.guard.equity == world.desk.books.equity


def test_funding_before_any_price_raises() -> None:
    world = World().step()
    plan = world.enter()
    blind = World()
    blind.desk.books.load(world.desk.books.state())
    assert blind.desk.books.positions
    with pytest.raises(ValueError, match="before any price"):
        blind.desk.on_funding(Funding(BTC, plan.signal.ts_event, 0.001))


def test_virtual_equity_sizes_trades_and_follows_the_run_s_own_profit() -> None:
    world = World(equity=10_000.0, virtual_equity=300.0, virtual_asset="VST").step()
    assert world.desk.risk_equity == 300.0
    plan = world.plan()
    assert plan.equity_usd == 300.0
    assert plan.risk_usd <= 300.0 * 0.008
    world.fill(plan)
    world.step({BTC: 110.0})
    trade = world.fill(plan, "target_1")
    assert trade is not None
    assert trade.virtual_asset == "VST"
    assert world.desk.risk_equity == pytest.approx(300.0 + trade.net_usd)
    assert world.desk.guard.daily_pnl_pct == pytest.approx(100 * trade.net_usd / 300.0)
    assert world.desk.snapshot()["equity"] == pytest.approx(10_000.0 + trade.net_usd)


def test_unlock_starts_the_new_window_at_risk_equity() -> None:
    world = World(equity=10_000.0, virtual_equity=300.0).step()
    world.enter()
    world.step({BTC: 80.0})
    assert world.desk.guard.drawdown_72h_pct < -3.5
    world.desk.restart_window(world.ts)
    assert world.desk.guard.drawdown_72h_pct == 0.0
    assert world.desk.guard.peak_72h == world.desk.risk_equity < 300.0


def test_virtual_equity_is_never_above_the_venue_s() -> None:
    world = World(equity=200.0, virtual_equity=300.0).step()
    assert world.desk.risk_equity == 200.0


def test_safe_mode_is_entered_changed_and_left_as_messages(world: World) -> None:
    desk = world.desk
    desk.correlation.update(BTC, ETH, 0.7, world.ts)
    first = world.enter(confidence=0.5)
    assert not desk.safe_mode_changes
    second = world.enter(ETH, confidence=0.5)
    entered = desk.safe_mode_changes.popleft()
    assert entered.active
    assert set(entered.pair or ()) == {BTC, ETH}
    assert entered.effective_cap_pct == pytest.approx(1.5 * (1 - 0.05 / 0.35))
    assert desk.effective_cap_pct == entered.effective_cap_pct
    world.ts += DAY_NS
    desk.correlation.update(BTC, ETH, 0.8, world.ts)
    world.fill(first, "target_1", quantity=first.quantity / 2)
    changed = desk.safe_mode_changes.popleft()
    assert changed.largest == 0.8
    world.fill(second, "stop")
    left = desk.safe_mode_changes.popleft()
    assert not left.active
    assert left.effective_cap_pct == 1.5
    assert not desk.safe_mode_changes


def test_correlation_of_held_pairs_is_refreshed_by_instants_alone() -> None:
    world = World({BTC: 100.0, ETH: 10.0})
    for k in range(300):
        move = 1.001 if k % 3 else 0.998
        world.step({BTC: world.prices[BTC] * move, ETH: round(world.prices[ETH] / move, 6)})
    world.enter(confidence=0.5, atr=5.0)
    world.enter(ETH, confidence=0.5, atr=0.5)
    assert world.desk.correlation.value(BTC, ETH) == pytest.approx(-1.0, abs=1e-6)
    assert world.desk.effective_cap_pct == 1.5
    world.desk.safe_mode_changes.clear()
    for k in range(300):
        move = 1.002 if k % 2 else 0.9985
        world.step({BTC: world.prices[BTC] * move, ETH: world.prices[ETH] * move})
    change = world.desk.safe_mode_changes.popleft()
    assert change.active
    assert world.desk.correlation.value(BTC, ETH) == pytest.approx(1.0, abs=1e-6)


def test_losing_streak_of_the_whole_desk_reduces_the_next_size(world: World) -> None:
    for name in (BTC, ETH):
        plan = world.enter(name)
        world.fill(plan, "stop", price=plan.stop_price, fee=0.0)
    assert world.desk.books.losing_streak == 2
    world.ts += 2 * DAY_NS
    world.step()
    assert world.plan(SOL).risk_pct == pytest.approx(0.72, rel=1e-3)


def test_good_day_earns_the_bonus_and_volatility_takes_it_back(world: World) -> None:
    plan = world.enter()
    world.step({BTC: 103.0})
    world.fill(plan, "target_1")
    assert world.desk.guard.daily_pnl_pct >= 0.5
    rich = world.plan(ETH)
    assert rich.risk_pct == pytest.approx(1.1, rel=1e-3)
    world.desk.release(rich.signal.trace_id)
    wild = world.decide(world.signal(ETH), daily_volatility=0.08)
    assert isinstance(wild, TradePlan)
    assert wild.risk_pct == pytest.approx(0.88, rel=1e-3)


def test_cap_with_the_candidate_leaves_room_only_for_a_smaller_second_trade(world: World) -> None:
    world.desk.correlation.update(BTC, ETH, 0.7, world.ts)
    world.enter()
    second = world.plan(ETH)
    now = world.desk.snapshot()
    assert now["effective_cap_pct"] == pytest.approx(1.5 * (1 - 0.05 / 0.35))
    assert now["open_risk_pct"] + now["reserved_risk_pct"] <= now["effective_cap_pct"]
    assert "safe mode: BTCUSDT-PERP-ETHUSDT-PERP 0.700" in second.clamps[0]


def test_exposure_still_holds_after_the_entry_paid_its_costs() -> None:
    world = World(limits=settings(max_gross_exposure_pct=150.0)).step()
    plan = world.plan(distance=0.45, confidence=1.5, atr=1.0)
    assert "max_gross_exposure_pct 150" in " ".join(plan.clamps)
    world.fill(plan, slippage=plan.quantity * plan.costs.entry_slippage)
    after = world.desk.snapshot()
    assert after["equity"] < 10_000.0
    assert 149.0 < after["gross_pct"] <= 150.0 + 1e-9
    assert after["net_pct"] <= 150.0 + 1e-9


def test_warm_up_says_how_many_bars_are_wanted(world: World) -> None:
    assert world.desk.warmup_bars() == {5: 289, 15: 289, 60: 289}
    assert World(minutes=1).desk.warmup_bars()[1] == 1440


def test_ruined_account_is_refused_for_its_drawdown() -> None:
    world = World().step()
    world.enter()
    world.desk.books.balance = -5_000.0
    world.step()
    assert reason_of(world.decide(world.signal())) is RefusalReason.KILL_SWITCH
    now = world.desk.snapshot()
    assert now["gross_pct"] == 0.0


def test_account_without_equity_has_no_risk_left_after_an_unlock() -> None:
    world = World(equity=0.0)
    world.desk.guard.sample(world.ts, 1.0)
    world.desk.on_instant(world.instant(warm_only=True))
    refused = world.refusal()
    assert refused.reason is RefusalReason.NO_RISK_LEFT
    assert "equity" in refused.detail


def test_everything_survives_a_restart_in_the_middle(world: World) -> None:
    world.enter()
    world.plan(ETH, side=SHORT)
    twin = World({BTC: 100.0, ETH: 10.0, SOL: 20.0})
    twin.desk.on_instant(twin.instant(warm_only=True))
    twin.desk.load(json.loads(json.dumps(world.desk.state())))
    assert twin.desk.state() == world.desk.state()
    assert twin.desk.snapshot() == world.desk.snapshot()
    assert not twin.desk.safe_mode_changes
    assert twin.desk.equity_point(1, "bar", ACTIVE) == world.desk.equity_point(1, "bar", ACTIVE)


def test_desk_state_is_only_reported_never_changed(world: World) -> None:
    state = DeskState(5, DeskMode.HALTED, RefusalReason.OPERATOR_HALT, "x")
    assert world.desk.equity_point(world.ts, "close", state).desk_state == "HALTED"
