"""The last look before an order: spread, volume, slippage, slices and the price of a resting entry."""

from __future__ import annotations

from typing import Any

import pytest

from risk.settings import RiskSettings
from risk.ticket import build_ticket, check_liquidity
from risk.vocabulary import LONG, SHORT, EntryStyle, RefusalReason, Refused, Ticket, TradePlan
from tests.unit.risk.builders import BTC, World, rules, settings


def answer(
    world: World, plan: TradePlan, limits: RiskSettings | None = None, **changes: Any
) -> Ticket | Refused:
    return build_ticket(plan, world.desk.market, limits or world.desk.settings, rules(**changes), world.ts)


def ticket(world: World, plan: TradePlan, **changes: Any) -> Ticket:
    found = answer(world, plan, **changes)
    assert isinstance(found, Ticket), found
    return found


def refused(world: World, plan: TradePlan, **changes: Any) -> Refused:
    found = answer(world, plan, **changes)
    assert isinstance(found, Refused), found
    return found


@pytest.fixture
def world() -> World:
    return World().step()


def test_market_order_within_the_bar_goes_out_whole(world: World) -> None:
    plan = world.plan()
    found = ticket(world, plan)
    assert found.children == (plan.quantity,)
    assert found.limit_price is None
    assert found.expected_slippage_bps == pytest.approx(plan.expected_slippage_bps, rel=0.05)
    assert check_liquidity(plan, world.desk.market, world.desk.settings, rules(), world.ts) is None


@pytest.mark.parametrize(("side", "price"), [(LONG, 99.99), (SHORT, 100.01)])
def test_resting_entry_lies_one_tick_inside_the_close_without_quotes(
    world: World, side: int, price: float
) -> None:
    plan = world.plan(side=side, style=EntryStyle.POST_ONLY)
    found = ticket(world, plan)
    assert found.limit_price == price
    assert found.expected_slippage_bps == 0.0
    assert plan.expected_slippage_bps == 0.0


@pytest.mark.parametrize(("side", "price"), [(LONG, 99.95), (SHORT, 100.03)])
def test_resting_entry_lies_at_the_touch_while_quotes_are_fresh(side: int, price: float) -> None:
    world = World().step(quotes=((BTC, 99.95, 100.03),))
    plan = world.plan(side=side, style=EntryStyle.POST_ONLY_THEN_MARKET)
    found = ticket(world, plan)
    assert found.limit_price == price
    assert found.expected_slippage_bps > 4.0  # half the quoted spread and more


def test_spread_too_wide_counts_only_where_quotes_exist() -> None:
    world = World().step(quotes=((BTC, 99.9, 100.1),))
    found = refused(world, world.plan(), max_spread_pct=0.1)
    assert found.reason is RefusalReason.SPREAD_TOO_WIDE
    assert "spread 0.2000 % > max_spread_pct 0.1" in found.detail
    plain = World().step()
    assert isinstance(answer(plain, plain.plan(), max_spread_pct=0.0001), Ticket)


def test_market_that_trades_too_little_is_illiquid(world: World) -> None:
    found = refused(world, world.plan(), min_liquidity_usd=2e8)
    assert found.reason is RefusalReason.ILLIQUID
    assert "24 h volume 100000000 USDT < min_liquidity_usd 2e+08" in found.detail


def test_bar_that_cannot_take_the_smallest_order_is_illiquid() -> None:
    world = World().step()
    plan = world.plan()
    world.step(volume=0.9)
    found = refused(world, plan)
    assert found.reason is RefusalReason.ILLIQUID
    assert "max_bar_volume_fraction 0.02" in found.detail


def test_slippage_is_checked_on_the_final_quantity() -> None:
    world = World(limits=settings(max_slippage_bps=3.0)).step(volume=1_000.0)
    found = refused(world, world.plan())
    assert found.reason is RefusalReason.SLIPPAGE_TOO_HIGH
    assert "> max_slippage_bps 3" in found.detail


def test_large_order_is_sliced_and_the_ticket_never_exceeds_the_plan() -> None:
    world = World().step(volume=1_000.0)
    plan = world.plan()
    found = ticket(world, plan)
    assert len(found.children) == 2
    assert found.quantity <= plan.quantity
    assert found.quantity == pytest.approx(plan.quantity, abs=0.0002)


def test_spread_is_refused_before_volume_before_slippage() -> None:
    world = World(limits=settings(max_slippage_bps=0.5)).step(quotes=((BTC, 99.9, 100.1),))
    plan = world.plan()
    assert refused(world, plan, max_spread_pct=0.1, min_liquidity_usd=1e12).reason is (
        RefusalReason.SPREAD_TOO_WIDE
    )
    assert refused(world, plan, min_liquidity_usd=1e12).reason is RefusalReason.ILLIQUID
    assert refused(world, plan).reason is RefusalReason.SLIPPAGE_TOO_HIGH
