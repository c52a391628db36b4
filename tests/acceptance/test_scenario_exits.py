"""Every way out of a position, long and short, with the prices and quantities it must have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crupto_nautilus.desk.assembly import Desk
from risk.vocabulary import LONG, SHORT, Protection, Role
from tests.fakes.scenario import BO, FR, Scenario, ScenarioRun, scripted, wish
from tests.fakes.scenario_market import Tape

SIDES = pytest.mark.parametrize("side", [LONG, SHORT])


def turned(side: int, price: float) -> float:
    """Return a price for a long, or its mirror image at 100 for a short."""
    return round(100.0 + side * (price - 100.0), 2)


def path(side: int, *closes: float) -> Tape:
    """Return two bars at 100, then a bar to each close (mirrored for a short), then two that stand still."""
    return Tape().hold(2).to(*(turned(side, close) for close in closes)).hold(2)


def play(folder: Path, tape: Tape, side: int, *, cues: Any = None, **exits: Any) -> ScenarioRun:
    """Enter at bar 2, at 100, with a stop 1 away."""
    rules = {name: exits.pop(name) for name in ("leave", "atr") if name in exits}
    script = {("SOL", 2): wish(side, 1.0, **exits)}
    return Scenario({"SOL": tape}, [scripted(BO, script, **rules)], cues=cues or {}).play(folder)


def stops(run: ScenarioRun) -> list[tuple[int, float, float]]:
    """Return where the stop stood, whenever the venue said so: bar, quantity, price."""
    steps = run.steps("SOL", "stop")
    return [
        (bar, quantity, price) for bar, action, quantity, price in steps if action in ("accepted", "updated")
    ]


# --- stop and targets -------------------------------------------------------------------------------------


@SIDES
def test_a_stop_fills_at_its_price_and_loses_one_r(side: int, tmp_path: Path) -> None:
    run = play(tmp_path, path(side, 99.5, 98.5), side, targets_r=(2.0,))
    trade = run.trade("SOL")
    assert (run.bar(trade.ts_event), trade.exit_reason) == (4, "stop")
    assert trade.exit_price == turned(side, 99.0)
    assert trade.gross_usd == pytest.approx(-trade.quantity)
    assert -1.0 < trade.r < -0.99
    assert run.steps("SOL", "target_2")[-1][:2] == (4, "canceled")


@SIDES
def test_a_gap_beyond_the_stop_fills_where_the_market_opens(side: int, tmp_path: Path) -> None:
    tape = Tape().hold(3).gap(turned(side, 97.5)).hold(2)
    trade = play(tmp_path, tape, side).trade("SOL")
    assert (trade.exit_reason, trade.exit_price) == ("stop", turned(side, 97.5))
    assert trade.r < -2.0


@SIDES
def test_half_leaves_at_one_r_and_the_rest_at_two(side: int, tmp_path: Path) -> None:
    run = play(tmp_path, path(side, 100.5, 101.2, 101.5, 102.5), side, targets_r=(1.0, 2.0))
    quantity = run.decision("SOL", 2)["quantity"]
    half = 34.47
    assert quantity == 2 * half
    assert run.fills("SOL", "target_1") == [(4, half, turned(side, 101.0))]
    assert run.fills("SOL", "target_2") == [(6, half, turned(side, 102.0))]
    assert stops(run)[-1] == (4, half, turned(side, 100.17))  # break-even: the costs, up to a tick
    trade = run.trade("SOL")
    assert (trade.exit_reason, trade.gross_usd) == ("target_2", pytest.approx(1.5 * quantity))
    assert all(fill.maker for fill in run.rows("fills") if fill.role in ("target_1", "target_2"))


@SIDES
def test_after_the_first_target_the_rest_leaves_at_break_even(side: int, tmp_path: Path) -> None:
    run = play(tmp_path, path(side, 101.2, 99.0), side, targets_r=(1.0, 2.0))
    trade = run.trade("SOL")
    assert run.fills("SOL")[1:] == [(3, 34.47, turned(side, 101.0)), (4, 34.47, turned(side, 100.17))]
    assert trade.exit_reason == "stop"
    entry, *_, last = run.rows("fills")
    assert 0.0 < 34.47 * 0.17 - last.commission - entry.commission / 2 < 0.5  # the costs, up to a tick


@pytest.mark.parametrize(("low", "last_role"), [(99.5, "target_2"), (98.5, "stop")])
def test_what_a_wide_bar_reaches_first_wins_and_no_exit_is_larger_than_what_is_left(
    low: float, last_role: str, tmp_path: Path
) -> None:
    tape = Tape().hold(2).bar(100.0, 103.0, low, 100.0).hold(2)
    run = play(tmp_path, tape, LONG, targets_r=(1.0, 2.0))
    quantity = run.decision("SOL", 2)["quantity"]
    exits = [fill for fill in run.rows("fills") if fill.role != "entry"]
    assert sum(fill.quantity for fill in exits) == pytest.approx(quantity)
    assert exits[-1].role == last_role
    assert all(fill.side == SHORT for fill in exits)
    assert not run.desk.risk_desk.books.positions


def test_one_coin_step_cannot_be_halved_so_all_leaves_at_two_r_and_break_even_comes_at_one(
    tmp_path: Path,
) -> None:
    setup = wish(LONG, 1_200.0, atr=1_200.0, targets_r=(1.0, 2.0))
    tape = Tape(60_000.0).hold(2).to(61_100.0, 61_300.0, 60_000.0).hold(2)
    run = Scenario({"BTC": tape}, [scripted(BO, {("BTC", 2): setup})], equity=20.0).play(tmp_path)
    assert run.fills("BTC")[0] == (2, 0.0001, 60_000.0)
    assert not run.steps("BTC", "target_1")
    assert run.steps("BTC", "target_2")[0] == (2, "submit", 0.0001, 62_400.0)
    moved = [(bar, price) for bar, action, _, price in run.steps("BTC", "stop") if action == "updated"]
    assert [bar for bar, _ in moved] == [4]  # the close at 61,100 was not beyond 1 R
    assert run.trade("BTC").exit_price == moved[0][1]
    assert 60_060.0 < moved[0][1] < 60_100.0


@SIDES
def test_a_target_at_a_price_takes_everything(side: int, tmp_path: Path) -> None:
    run = play(tmp_path, path(side, 101.2, 101.5), side, target_price=turned(side, 101.3))
    trade = run.trade("SOL")
    assert (run.bar(trade.ts_event), trade.exit_reason) == (4, "target_1")
    assert run.fills("SOL", "target_1") == [(4, trade.quantity, turned(side, 101.3))]
    assert not run.steps("SOL", "target_2")


# --- trail, time, conditions ------------------------------------------------------------------------------


@SIDES
def test_a_trail_follows_the_best_close_and_never_goes_back(side: int, tmp_path: Path) -> None:
    closes = (100.1, 101.0, 100.6, 102.0, 101.4, 101.0)
    run = play(tmp_path, path(side, *closes), side, trail_atr=1.5, atr=0.5)
    quantity = run.decision("SOL", 2)["quantity"]
    seen = [(bar, price) for bar, size, price in stops(run) if size == quantity]
    # 0.75 behind the best close; 100.6 and 101.4 are no new best.
    assert seen == [(2, turned(side, 99.0))] + [
        (bar, turned(side, price)) for bar, price in ((3, 99.35), (4, 100.25), (6, 101.25))
    ]
    trade = run.trade("SOL")
    assert (run.bar(trade.ts_event), trade.exit_reason) == (8, "stop")
    assert trade.exit_price == turned(side, 101.25)


@SIDES
def test_a_trail_that_jumps_over_the_market_closes_at_once(side: int, tmp_path: Path) -> None:
    # ATR falls to 0.2: 0.3 behind the best close of 102 is beyond the close of 101.5.
    closes = (101.0, 102.0, 101.5)
    run = play(tmp_path, path(side, *closes), side, trail_atr=1.5, atr={1: 0.5, 5: 0.2})
    trade = run.trade("SOL")
    assert (run.bar(trade.ts_event), trade.exit_reason) == (5, "trail")
    assert trade.exit_price == turned(side, 101.5)


@pytest.mark.parametrize(
    ("minutes", "entry", "bars", "left"), [(15, 2, 3, 5), (60, 4, 2, 12), (60, 8, 1, 12)]
)
def test_a_time_stop_counts_bars_of_the_strategy_after_the_one_of_the_entry(
    minutes: int, entry: int, bars: int, left: int, tmp_path: Path
) -> None:
    script = {("SOL", entry): wish(LONG, targets_r=(1.0, 2.0), time_stop_bars=bars)}
    run = Scenario({"SOL": Tape().hold(14)}, [scripted(BO, script, minutes=minutes)]).play(tmp_path)
    trade = run.trade("SOL")
    assert (run.bar(trade.ts_event), trade.exit_reason) == (left, "time_stop")
    (sent,) = run.rows("orders", role="exit", action="submit")
    assert (sent.order_type, sent.reduce_only, sent.quantity) == ("market", True, trade.quantity)
    for role in ("target_1", "target_2"):
        assert [action for bar, action, *_ in run.steps("SOL", role) if bar == left] == ["cancel", "canceled"]
    # The stop stands until the position is flat.
    actions = [(o.role, o.action) for o in run.rows("orders") if run.bar(o.ts_event) == left]
    assert actions.index(("exit", "submit")) < actions.index(("stop", "cancel"))


@pytest.mark.parametrize(("asked", "left"), [(True, (5, "funding_normal")), (False, (9, "time_stop"))])
def test_a_condition_of_the_rule_closes_where_the_setup_asks_for_it(
    asked: bool, left: tuple[int, str], tmp_path: Path
) -> None:
    run = play(
        tmp_path, Tape().hold(10), LONG,
        on_condition=asked, time_stop_bars=7, leave={("SOL", 5): "funding_normal"},
    )  # fmt: skip
    trade = run.trade("SOL")
    assert (run.bar(trade.ts_event), trade.exit_reason) == left


@SIDES
def test_the_third_settlement_after_the_fill_closes_and_funding_is_booked_on_the_way(
    side: int, tmp_path: Path
) -> None:
    rates = {32: 0.0001, 64: -0.0002, 96: 0.0003, 128: 0.0001}
    script = {("SOL", 8): wish(side, 3.0, time_stop_settlements=3)}
    rules = scripted(FR, script, minutes=60)
    run = Scenario({"SOL": Tape().hold(130)}, [rules], funding={"SOL": rates}).play(tmp_path)
    trade = run.trade("SOL")
    assert (run.bar(trade.ts_event), trade.exit_reason) == (96, "time_stop")
    paid = [(run.bar(p.ts_event), p.amount_usd) for p in run.rows("funding")]
    notional = trade.quantity * 100.0
    assert paid == [(k, pytest.approx(-side * notional * rates[k], abs=1e-7)) for k in (32, 64, 96)]
    assert trade.funding_usd == pytest.approx(-side * notional * 0.0002, abs=1e-6)


# --- faults -----------------------------------------------------------------------------------------------


def venue_cancels_stop(desk: Desk) -> None:
    """Cancel the working stop as a venue might, without the desk having asked for it."""
    (strategy,) = desk.strategies
    (slot,) = strategy.slots.values()
    assert slot.stop is not None
    strategy.cancel_order(slot.stop.venue_id)


def test_a_lost_stop_is_placed_again(tmp_path: Path) -> None:
    cues: dict[int, Callable[[Desk], None]] = {4: venue_cancels_stop}
    run = play(tmp_path, path(LONG, 100.2, 100.2, 100.2, 98.5), LONG, cues=cues)
    quantity = run.decision("SOL", 2)["quantity"]
    assert [step for step in run.steps("SOL", "stop") if step[0] == 4] == [
        (4, "canceled", quantity, 99.0),
        (4, "submit", quantity, 99.0),
        (4, "accepted", quantity, 99.0),
    ]
    assert [(run.bar(p.ts_event), p.stop_price) for p in run.rows("protections")] == [
        (2, 99.0), (4, 0.0), (4, 99.0),
    ]  # fmt: skip
    assert run.trade("SOL").exit_price == 99.0
    ids = {o.client_order_id for o in run.rows("orders", role="stop")}
    assert len(ids) == 2


def test_a_stop_lost_three_times_closes_the_position(tmp_path: Path) -> None:
    cues: dict[int, Callable[[Desk], None]] = dict.fromkeys((3, 5, 6), venue_cancels_stop)
    run = play(tmp_path, Tape().hold(10), LONG, cues=cues)
    trade = run.trade("SOL")
    assert (run.bar(trade.ts_event), trade.exit_reason) == (6, "unprotected")
    assert [bar for bar, action, *_ in run.steps("SOL", "stop") if action == "submit"] == [2, 3, 5]


def test_a_position_whose_stop_does_not_work_for_a_bar_is_alarmed_once(tmp_path: Path) -> None:
    def lose(desk: Desk) -> None:
        (held,) = desk.risk_desk.books.positions.values()
        lost = Protection(desk.clock.now_ns, held.trace_id, held.strategy, held.instrument, 0.0, 0.0)
        desk.risk_desk.on_protection(lost)

    run = play(tmp_path, Tape().hold(10), LONG, cues={4: lose})
    assert [(run.bar(a.ts_event), a.kind) for a in run.rows("alarms")] == [(5, "unprotected")]


def test_a_close_that_was_asked_for_twice_is_sent_once(tmp_path: Path) -> None:
    # The operator flattens at the very bar of the time stop; the target would fill in the bar after.
    cues: dict[int, Callable[[Desk], None]] = {5: lambda desk: desk.brain.halt("leaving", flatten=True)}
    run = play(
        tmp_path, path(LONG, 100.0, 100.0, 100.0, 102.0), LONG, cues=cues, targets_r=(1.0,), time_stop_bars=3
    )
    assert len(run.rows("orders", role="exit", action="submit")) == 1
    assert [(bar, quantity) for bar, quantity, _ in run.fills("SOL", "exit")] == [
        (5, run.trade("SOL").quantity)
    ]
    assert not run.fills("SOL", "target_2")
    assert not run.desk.risk_desk.books.positions


@SIDES
def test_an_exit_that_is_too_large_closes_and_never_reverses(side: int, tmp_path: Path) -> None:
    def sell_twice_as_much(desk: Desk) -> None:
        (strategy,) = desk.strategies
        (slot,) = strategy.slots.values()
        strategy.send_market(slot, Role.EXIT, -side, 2 * slot.exits.left, 1.0, "too much")

    run = play(tmp_path, Tape().hold(8), side, cues={4: sell_twice_as_much}, targets_r=(1.0, 2.0))
    trade = run.trade("SOL")
    assert run.fills("SOL", "exit") == [(4, trade.quantity, 100.0)]
    assert (trade.exit_reason, len(run.rows("trades"))) == ("too much", 1)
    for role in ("stop", "target_1", "target_2"):
        assert run.steps("SOL", role)[-1][:2] == (4, "canceled")
    assert not run.desk.risk_desk.books.positions


@SIDES
def test_a_position_alive_at_the_end_is_marked_and_stays_protected(side: int, tmp_path: Path) -> None:
    run = play(tmp_path, path(side, 100.4, 100.6), side, targets_r=(2.0,))
    assert not run.rows("trades")
    (position,) = run.desk.risk_desk.books.positions.values()
    last = run.rows("equity")[-1]
    assert last.unrealised_pnl == pytest.approx(0.6 * position.quantity)
    assert last.equity == pytest.approx(
        10_000 + last.unrealised_pnl - position.fees_usd - position.slippage_usd
    )
    assert last.balance == pytest.approx(run.balance)
    assert stops(run)[-1] == (2, position.quantity, turned(side, 99.0))
    assert last.margin == pytest.approx(position.quantity * 100.0 / 3.0)
