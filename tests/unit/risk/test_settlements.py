"""Funding that the venue's account settles: each row once, on who held it then, never worked out here."""

from __future__ import annotations

import json
import math
import random

import pytest

from risk.engine import RiskDesk
from risk.settlements import OVERLAP_NS
from risk.vocabulary import DAY_NS, HOUR_NS, MINUTE_NS, AccountFunding, Funding, FundingPaid, TradePlan
from tests.unit.risk.builders import BTC, ETH, World

BO, VE = "breakout_4h", "volatility_expansion_15m"


@pytest.fixture
def world() -> World:
    """Return a desk one instant before a full hour, whose account settles funding by itself."""
    made = World({BTC: 100.0, ETH: 10.0})
    made.desk = RiskDesk(
        made.desk.settings, made.rules, dict.fromkeys(made.rules, 15), 10_000.0, account_settles=True
    )
    made.step(bars=3)
    assert (made.ts + 15 * MINUTE_NS) % HOUR_NS == 0
    return made


def row(world: World, amount_usd: float, name: str = "7", instrument: str = BTC) -> AccountFunding:
    """Return what the account shows of the full hour that comes next."""
    return AccountFunding(name, instrument, next_hour(world) + 300_000_000, amount_usd)


def next_hour(world: World) -> int:
    return -(-world.ts // HOUR_NS) * HOUR_NS


def booked(world: World, settled: AccountFunding) -> list[FundingPaid]:
    found = world.desk.on_account_funding(settled, world.ts)
    assert isinstance(found, list), found
    return found


def enter(world: World, strategy: str = BO) -> TradePlan:
    plan = world.plan(strategy=strategy, confidence=0.4)
    world.fill(plan)
    return plan


def test_the_row_is_booked_as_the_account_shows_it_and_the_desk_estimates_nothing(world: World) -> None:
    plan = enter(world)
    before = world.desk.books.balance
    world.step()
    assert world.desk.on_funding(Funding(BTC, world.ts, 0.001)) == []
    assert world.desk.books.balance == before
    (paid,) = booked(world, row(world, -0.1234))
    assert (paid.trace_id, paid.strategy, paid.quantity) == (plan.signal.trace_id, BO, plan.quantity)
    assert (paid.amount_usd, paid.ts_event, paid.ts_venue) == (-0.1234, world.ts, world.ts + 300_000_000)
    assert math.isnan(paid.price)
    assert math.isnan(paid.rate)
    assert world.desk.books.balance == pytest.approx(before - 0.1234, abs=1e-9)
    assert world.desk.guard.equity == world.desk.books.equity
    trade = world.fill(plan, "stop", price=99.0)
    assert trade is not None
    assert trade.funding_usd == -0.1234


def test_a_repeated_row_is_booked_once_also_after_a_restart(world: World) -> None:
    enter(world)
    world.step()
    settled = row(world, -0.5)
    assert len(booked(world, settled)) == 1
    assert booked(world, settled) == []
    state = json.loads(json.dumps(world.desk.state()))
    again = RiskDesk(
        world.desk.settings, world.rules, dict.fromkeys(world.rules, 15), 1.0, account_settles=True
    )
    again.load(state)
    assert again.on_account_funding(settled, world.ts) == []
    assert again.books.funding_usd == -0.5
    assert again.state() == world.desk.state()


def test_a_row_that_comes_when_its_trade_has_closed_is_late_and_still_in_the_balance(world: World) -> None:
    plan = enter(world)
    world.step()
    trade = world.fill(plan, "stop", price=99.0)
    assert trade is not None
    before = world.desk.books.balance
    (paid,) = booked(world, row(world, -0.25))
    assert paid.trace_id == plan.signal.trace_id
    books = world.desk.books
    assert (books.late_funding_usd, books.balance) == (-0.25, pytest.approx(before - 0.25, abs=1e-9))
    assert books.balance == pytest.approx(10_000.0 + trade.net_usd + books.late_funding_usd, abs=1e-7)


def test_who_held_it_at_the_full_hour_gets_it_not_who_holds_it_when_the_row_comes(world: World) -> None:
    first = enter(world, BO)
    world.step()
    hour = world.ts
    world.ts += MINUTE_NS  # the position changes hands a minute after the settlement
    world.fill(first, "stop", price=100.0)
    second = enter(world, VE)
    world.step()
    (paid,) = booked(world, AccountFunding("1", BTC, hour, -0.3))
    assert (paid.strategy, paid.trace_id) == (BO, first.signal.trace_id)
    (paid,) = booked(world, AccountFunding("2", BTC, hour + HOUR_NS, -0.4))
    assert (paid.strategy, paid.trace_id) == (VE, second.signal.trace_id)


def test_what_was_opened_as_it_was_settled_belongs_to_who_opened_it(world: World) -> None:
    world.step()
    world.ts += 1  # a fill that the venue stamps behind the settlement, which counted it
    plan = enter(world)
    (paid,) = booked(world, AccountFunding("1", BTC, world.ts - 1, -0.3))
    assert paid.trace_id == plan.signal.trace_id


def test_two_strategies_on_one_position_share_it_by_what_each_held_and_to_the_last_digit(
    world: World,
) -> None:
    plans = [enter(world, BO), enter(world, VE)]
    held = sum(plan.quantity for plan in plans)
    source, total = random.Random(5), 0.0
    for n in range(200):
        amount = round(source.uniform(-1.0, 1.0), 4)
        before = world.desk.books.balance
        paid = booked(world, row(world, amount, str(n)))
        assert [p.strategy for p in paid] == [BO, VE]
        assert round(sum(p.amount_usd for p in paid), 8) == amount
        for part, plan in zip(paid, plans, strict=True):
            assert part.amount_usd == pytest.approx(amount * plan.quantity / held, abs=2e-8)
        assert round(world.desk.books.balance - before, 8) == amount
        total += amount
    assert world.desk.books.funding_usd == pytest.approx(total, abs=1e-8)


def test_funding_of_what_was_never_held_is_told_and_not_booked(world: World) -> None:
    enter(world)
    found = world.desk.on_account_funding(row(world, -2.0, instrument=ETH), world.ts)
    assert isinstance(found, str)
    assert "-2 USDT of funding were settled on ETHUSDT-PERP" in found
    assert world.desk.books.funding_usd == 0.0


def test_names_of_rows_are_kept_as_long_as_they_are_read_again(world: World) -> None:
    enter(world)
    settled = row(world, -0.5)
    booked(world, settled)
    world.desk.funding_read_until(settled.ts_venue + OVERLAP_NS)
    assert booked(world, settled) == []
    world.desk.funding_read_until(settled.ts_venue + 3 * DAY_NS)
    assert world.desk.state()["settlements"]["booked"] == {}
    world.desk.funding_read_until(settled.ts_venue)  # never back
    assert world.desk.state()["settlements"]["read_ns"] == settled.ts_venue + 3 * DAY_NS


def test_a_desk_that_books_its_own_funding_takes_none_from_an_account() -> None:
    with pytest.raises(ValueError, match="books its own"):
        World().step().desk.on_account_funding(AccountFunding("1", BTC, HOUR_NS, 1.0), HOUR_NS)
