"""Daily lock, kill switch, operator halt, unlock and cooling, each in a run in which it fires."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from crupto_nautilus.desk.assembly import Desk
from risk.vocabulary import LONG, SHORT, EntryStyle
from strategies.rule import Setup
from tests.fakes.scenario import BO, Cues, Scenario, ScenarioRun, scripted, wish
from tests.fakes.scenario_market import Tape, at

ACTIVE, LOCKED, HALTED = "ACTIVE", "REDUCE_ONLY", "HALTED"
DAILY_LOCK, KILL_SWITCH, OPERATOR_HALT, COOLING = "DAILY_LOCK", "KILL_SWITCH", "OPERATOR_HALT", "COOLING"
MIDNIGHT = 96  # the bar that closes at 00:00 UTC of the second day
THREE_DAYS = 288  # bars


def losing(price: float, gap_at: int, bars: int) -> Tape:
    """Return a market that stands at 100 and opens bar `gap_at` at `price`."""
    return Tape().hold(gap_at - 1).gap(price).hold(bars - gap_at)


def play(
    folder: Path, tapes: dict[str, Tape], script: dict[tuple[str, int], Setup], cues: Cues | None = None,
    governance: Mapping[str, object] | None = None, unlock_after_hours: float | None = None,
) -> ScenarioRun:  # fmt: skip
    return Scenario(
        tapes,
        [scripted(BO, script)],
        governance=governance or {},
        cues=cues or {},
        unlock_after_hours=unlock_after_hours,
    ).play(folder)


def halt(detail: str, *, flatten: bool = False) -> Callable[[Desk], None]:
    return lambda desk: desk.brain.halt(detail, flatten=flatten)


def unlock(desk: Desk) -> None:
    desk.brain.unlock("losses understood")


# --- daily lock -------------------------------------------------------------------------------------------


def test_daily_loss_at_limit_refuses_new_entries(tmp_path: Path) -> None:
    script = {("SOL", 2): wish(LONG, 0.5), ("SOL", 6): wish(LONG), ("SOL", 95): wish(LONG)}
    run = play(tmp_path, {"SOL": losing(98.3, 4, 95)}, script)
    assert run.states == [(4, LOCKED, DAILY_LOCK)]
    assert run.trade("SOL").exit_price == 98.3  # the stop at 99.50 filled where the market opened
    points = run.rows("equity")
    locked = next(p for p in points if p.daily_pnl_pct <= -1.8)
    assert locked.ts_event == at(4)
    assert locked.daily_pnl_pct == pytest.approx(100 * (locked.equity / 10_000 - 1))
    assert -3.5 < locked.daily_pnl_pct < -2.0
    assert run.reasons("SOL", 2, 6, 95) == ["", DAILY_LOCK, DAILY_LOCK]


def test_the_daily_limit_is_inclusive(tmp_path: Path) -> None:
    script = {("SOL", 2): wish(LONG, 0.5), ("SOL", 6): wish(LONG)}
    tapes = {"SOL": losing(98.3, 4, 8)}
    free = play(tmp_path / "free", tapes, script, governance={"max_daily_loss_pct": 9.0})
    lost = -min(p.daily_pnl_pct for p in free.rows("equity") if p.ts_event < at(6))
    at_limit = play(tmp_path / "at", tapes, script, governance={"max_daily_loss_pct": lost})
    # above it by less than the new entry costs
    above = play(tmp_path / "above", tapes, script, governance={"max_daily_loss_pct": lost + 1e-9})
    assert (free.states, free.reason("SOL", 6)) == ([], "")
    assert (at_limit.states, at_limit.reason("SOL", 6)) == ([(4, LOCKED, DAILY_LOCK)], DAILY_LOCK)
    assert (above.states, above.reason("SOL", 6)) == ([(6, LOCKED, DAILY_LOCK)], "")


def test_open_losses_count_and_exits_go_on_working_under_a_daily_lock(tmp_path: Path) -> None:
    tape = Tape().hold(2).to(99.3, 99.2).hold(4).to(98.9).hold(2)
    script = {("SOL", 2): wish(LONG), ("SOL", 7): wish(LONG)}
    run = play(tmp_path, {"SOL": tape}, script, governance={"max_daily_loss_pct": 0.5})
    assert run.states == [(3, LOCKED, DAILY_LOCK)]
    assert run.reason("SOL", 7) == DAILY_LOCK
    trade = run.trade("SOL")
    assert (run.bar(trade.ts_event), trade.exit_reason, trade.exit_price) == (9, "stop", 99.0)


def test_a_daily_lock_ends_with_the_first_event_of_the_next_day(tmp_path: Path) -> None:
    signals = (MIDNIGHT - 1, MIDNIGHT)
    script = {("SOL", 2): wish(LONG, 0.5)} | {("SOL", k): wish(LONG) for k in signals}
    run = play(tmp_path, {"SOL": losing(98.3, 4, 98)}, script)
    assert run.states == [(4, LOCKED, DAILY_LOCK), (MIDNIGHT, ACTIVE, "")]
    assert run.reasons("SOL", *signals) == [DAILY_LOCK, ""]  # the lock is lifted before the bar is decided on
    midnight = [p for p in run.rows("equity") if p.ts_event == at(MIDNIGHT)]
    assert midnight[0].daily_pnl_pct == 0.0
    before = [p for p in run.rows("equity") if p.ts_event < at(MIDNIGHT)][-1]
    last = run.rows("equity")[-1]
    assert last.daily_pnl_pct == pytest.approx(100 * (last.equity / before.equity - 1))


def test_entries_cool_for_an_hour_after_a_lock_that_was_set_shortly_before_midnight(tmp_path: Path) -> None:
    script = {("SOL", 91): wish(LONG, 0.5)} | {("SOL", k): wish(LONG) for k in (95, 96, 97)}
    run = play(tmp_path, {"SOL": losing(98.3, 93, 98)}, script)
    assert run.states == [(93, LOCKED, DAILY_LOCK), (MIDNIGHT, ACTIVE, "")]
    assert run.reasons("SOL", 95, 96, 97) == [DAILY_LOCK, COOLING, ""]
    assert "900 s left" in run.decision("SOL", 96)["detail"]


# --- kill switch ------------------------------------------------------------------------------------------


def killed(
    folder: Path,
    *,
    bars: int = 8,
    script: dict[tuple[str, int], Setup] | None = None,
    cues: Cues | None = None,
    unlock_after_hours: float | None = None,
) -> ScenarioRun:
    """Play a run whose long in SOL loses 3.7 % in a gap at bar 5 while a short in BNB is held and an entry
    in LTC rests."""
    resting = wish(LONG, style=EntryStyle.POST_ONLY)
    opened = {("SOL", 2): wish(LONG, 0.5), ("BNB", 3): wish(SHORT), ("LTC", 4): resting}
    tapes = {"SOL": losing(97.0, 5, bars), "BNB": Tape().hold(bars), "LTC": Tape().hold(bars)}
    governance = {"max_portfolio_r_pct": 3.0}
    return play(folder, tapes, opened | (script or {}), cues, governance, unlock_after_hours)


def test_kill_switch_flattens_positions_and_cancels_resting_entries(tmp_path: Path) -> None:
    run = killed(tmp_path, script={("LTC", 7): wish(LONG)})
    assert run.states == [(5, HALTED, KILL_SWITCH)]
    assert run.rows("states")[0].flatten
    fall = min(p.drawdown_72h_pct for p in run.rows("equity"))
    assert fall <= -3.5
    flattened = run.trade("BNB")
    assert (run.bar(flattened.ts_event), flattened.exit_reason) == (5, "kill_switch")
    (sent,) = run.rows("orders", role="exit", action="submit")
    assert (sent.instrument, sent.reduce_only, sent.quantity) == ("BNB-USDT.TEST", True, flattened.quantity)
    (never,) = run.rows("entries", instrument="LTC-USDT.TEST")
    assert (run.bar(never["ts_event"]), never["filled"], never["reason"]) == (5, 0.0, "kill_switch")
    assert not run.desk.risk_desk.books.positions
    assert not run.desk.risk_desk.books.reservations
    assert run.reason("LTC", 7) == KILL_SWITCH
    assert not run.rows("alarms")


def test_kill_switch_outlasts_midnight_until_an_operator_unlocks(tmp_path: Path) -> None:
    signals = (95, 97, 102, 104)
    run = killed(tmp_path, bars=106, script={("SOL", k): wish(LONG) for k in signals}, cues={100: unlock})
    assert run.states == [(5, HALTED, KILL_SWITCH), (100, ACTIVE, "")]
    assert "losses understood" in run.rows("states")[1].detail
    assert run.reasons("SOL", *signals) == [KILL_SWITCH, KILL_SWITCH, COOLING, ""]
    assert run.rows("states")[1].cooling_until_ns == at(104)
    before = [p for p in run.rows("equity") if at(90) < p.ts_event < at(100)]
    after = [p for p in run.rows("equity") if at(100) <= p.ts_event < at(104)]
    assert all(p.drawdown_72h_pct <= -3.5 for p in before)
    assert all(p.drawdown_72h_pct == 0.0 for p in after)  # a new 72 h window began at the equity then


def test_an_unlock_on_the_same_day_leaves_the_daily_lock_in_force(tmp_path: Path) -> None:
    script = {("SOL", 20): wish(LONG), ("SOL", 96): wish(LONG)}
    run = killed(tmp_path, bars=98, script=script, cues={10: unlock})
    assert run.states == [(5, HALTED, KILL_SWITCH), (10, LOCKED, DAILY_LOCK), (MIDNIGHT, ACTIVE, "")]
    assert run.reasons("SOL", 20, 96) == [DAILY_LOCK, ""]


def test_a_simulated_operator_unlocks_after_the_stated_time(tmp_path: Path) -> None:
    run = killed(tmp_path, bars=103, unlock_after_hours=24.0)
    assert run.states == [(5, HALTED, KILL_SWITCH), (5 + 96, ACTIVE, "")]
    assert "simulated operator" in run.rows("states")[1].detail


def test_open_losses_alone_pull_the_kill_switch_before_the_stop(tmp_path: Path) -> None:
    tape = Tape().hold(2).to(99.6, 99.2).hold(2)
    run = play(
        tmp_path, {"SOL": tape}, {("SOL", 2): wish(LONG)}, governance={"kill_switch_drawdown_72h": 0.5}
    )
    assert (4, HALTED, KILL_SWITCH) in run.states
    trade = run.trade("SOL")
    assert (run.bar(trade.ts_event), trade.exit_reason, trade.exit_price) == (4, "kill_switch", 99.2)


def test_the_fill_whose_cost_pulls_the_kill_switch_is_flattened_too(tmp_path: Path) -> None:
    limits = {"kill_switch_drawdown_72h": 0.05}  # the entry alone costs 0.055 %
    run = play(tmp_path, {"SOL": Tape().hold(4)}, {("SOL", 2): wish(LONG)}, governance=limits)
    assert run.states == [(2, HALTED, KILL_SWITCH)]
    quantity = run.decision("SOL", 2)["quantity"]
    assert run.fills("SOL", "entry") == run.fills("SOL", "exit") == [(2, quantity, 100.0)]
    assert run.trade("SOL").exit_reason == "kill_switch"


@pytest.mark.parametrize(
    ("second_loss", "state"),
    [
        (THREE_DAYS + 2, (HALTED, KILL_SWITCH)),  # the peak at bar 3 is 71:45 h old
        (THREE_DAYS + 3, (LOCKED, DAILY_LOCK)),  # 72 h: it has left the window
    ],
)
def test_the_peak_of_the_kill_switch_is_at_most_72_hours_old(
    second_loss: int, state: tuple[str, str], tmp_path: Path
) -> None:
    tape = Tape().hold(3).gap(98.3).hold(second_loss - 5).gap(96.6).hold(2)
    script = {("SOL", 2): wish(LONG, 0.5), ("SOL", second_loss - 2): wish(LONG, 0.5)}
    run = play(tmp_path, {"SOL": tape}, script)
    assert run.states[:2] == [(4, LOCKED, DAILY_LOCK), (MIDNIGHT, ACTIVE, "")]
    assert run.states[2] == (second_loss, *state)


# --- operator ---------------------------------------------------------------------------------------------


def test_an_operator_halt_without_flatten_refuses_entries_and_keeps_positions(tmp_path: Path) -> None:
    tape = Tape().hold(6).to(101.2).hold(2)
    script = {("SOL", 2): wish(LONG, targets_r=(1.0,)), ("SOL", 6): wish(LONG)}
    run = play(tmp_path, {"SOL": tape}, script, {4: halt("venue maintenance")})
    assert run.states == [(4, HALTED, OPERATOR_HALT)]
    assert (run.reason("SOL", 6), run.decision("SOL", 6)["detail"]) == (OPERATOR_HALT, "venue maintenance")
    assert not run.rows("orders", role="exit")
    trade = run.trade("SOL")
    assert (run.bar(trade.ts_event), trade.exit_reason, trade.exit_price) == (7, "target_2", 101.0)


def test_an_operator_halt_with_flatten_closes_everything_at_once(tmp_path: Path) -> None:
    script = {("SOL", 2): wish(LONG), ("BNB", 3): wish(SHORT)}
    tapes = {"SOL": Tape().hold(8), "BNB": Tape().hold(8)}
    run = play(tmp_path, tapes, script, {5: halt("leaving", flatten=True), 6: unlock})
    assert run.states == [(5, HALTED, OPERATOR_HALT), (6, ACTIVE, "")]
    for coin in ("SOL", "BNB"):
        trade = run.trade(coin)
        assert (run.bar(trade.ts_event), trade.exit_reason) == (5, "operator_halt")
    assert not run.desk.risk_desk.books.positions


def test_a_halt_between_signal_and_slices_stops_the_rest_of_the_entry(tmp_path: Path) -> None:
    # 4 children of at most 2 % of 1,000 coins; the halt comes before the third.
    tape = Tape(volume=1_000.0).hold(8)
    run = play(tmp_path, {"SOL": tape}, {("SOL", 2): wish(LONG)}, {4: halt("enough")})
    assert run.decision("SOL", 2)["n_children"] == 4
    assert [bar for bar, *_ in run.fills("SOL", "entry")] == [2, 3]
    (entry,) = run.rows("entries")
    assert (run.bar(entry["ts_event"]), entry["reason"]) == (4, "operator_halt")
    assert entry["filled"] == sum(quantity for _, quantity, _ in run.fills("SOL", "entry"))
    assert run.steps("SOL", "stop")[-1] == (3, "updated", entry["filled"], 99.0)
