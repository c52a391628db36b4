"""The bridge from the desk's messages to metrics and graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crupto_nautilus.desk.telemetry import agent_graph as names
from dashboards.source import DecisionQuery
from risk.vocabulary import (
    Alarm,
    DeskMode,
    DeskState,
    Mandate,
    MandateRow,
    RefusalReason,
    RegimeLabel,
    Role,
    SafeMode,
)
from tests.fakes.watched_desk import STRATEGIES, WatchedDesk


@pytest.fixture
def desk(tmp_path: Path) -> WatchedDesk:
    found = WatchedDesk(tmp_path, wall=1_750_000_000.0)
    found.beat()
    return found


def value(desk: WatchedDesk, name: str, *labels: str) -> float:
    desk.telemetry.catch_up()
    return desk.telemetry.store[name][labels]


def test_signals_answers_and_refusals_are_counted_by_strategy_and_reason(desk: WatchedDesk) -> None:
    desk.answer(None)
    desk.answer(RefusalReason.COOLDOWN)
    desk.answer(RefusalReason.COOLDOWN)
    assert value(desk, "crupto_signals_total", "breakout_4h") == 3.0
    assert value(desk, "crupto_approved_total", "breakout_4h") == 1.0
    assert value(desk, "crupto_refusals_total", "breakout_4h", "COOLDOWN") == 2.0
    assert sum(desk.telemetry.store["crupto_refusals_total"].values()) == 2.0


def test_a_trade_moves_money_slippage_and_results(desk: WatchedDesk) -> None:
    desk.order("submit")
    desk.fill(Role.ENTRY, 0.02, 20_000.0)
    desk.fill(Role.EXIT, 0.02, 20_500.0)
    desk.pulse()
    assert value(desk, "crupto_trades_total", "breakout_4h") == 1.0
    assert value(desk, "crupto_winning_trades_total", "breakout_4h") == 1.0
    assert value(desk, "crupto_net_pnl_usdt") == pytest.approx(10.0 - 0.4 - 0.2)
    assert value(desk, "crupto_strategy_net_pnl_usdt", "breakout_4h") == pytest.approx(9.4)
    assert value(desk, "crupto_fees_usdt_total") == pytest.approx(0.4)
    slippage = desk.telemetry.store.histograms["crupto_slippage_bps"][()]
    assert sum(slippage.counts) == 2
    stages = desk.telemetry.store.histograms["crupto_stage_duration_seconds"]
    assert sum(stages["bar_to_order",].counts) == sum(stages["order_to_fill",].counts) == 1


def test_the_position_is_shown_with_its_stop_and_its_risk(desk: WatchedDesk) -> None:
    desk.fill(Role.ENTRY)
    desk.protect(19_800.0)
    desk.beat(20_100.0)
    assert value(desk, "crupto_positions") == 1.0
    assert value(desk, "crupto_position_notional_usdt", desk.instruments[0]) == pytest.approx(402.0)
    assert value(desk, "crupto_position_unrealised_pnl_usdt", desk.instruments[0]) == pytest.approx(2.0)
    assert value(desk, "crupto_position_stop_distance_ratio", desk.instruments[0]) == pytest.approx(
        300 / 20_100
    )
    assert value(desk, "crupto_risk_ratio", "open") == pytest.approx(4.0 / 10_000, rel=0.05)
    shown = desk.board.run()["positions"][0]
    assert (shown["stop"], shown["stop_working"], shown["side"]) == (19_800.0, True, 1)


@pytest.mark.parametrize(
    ("mode", "reason", "metric"),
    [
        (DeskMode.HALTED, RefusalReason.KILL_SWITCH, "crupto_kill_switch"),
        (DeskMode.REDUCE_ONLY, RefusalReason.DAILY_LOCK, "crupto_daily_lock"),
        (DeskMode.HALTED, RefusalReason.OPERATOR_HALT, "crupto_operator_halt"),
    ],
)
def test_each_lock_has_its_metric_and_it_goes_with_the_lock(
    desk: WatchedDesk, mode: DeskMode, reason: RefusalReason, metric: str
) -> None:
    locks = ("crupto_kill_switch", "crupto_daily_lock", "crupto_operator_halt")
    desk.desk_state(mode, reason, "why")
    assert {name: value(desk, name) for name in locks} == {name: float(name == metric) for name in locks}
    assert value(desk, "crupto_desk_mode", mode.value) == 1.0
    desk.desk_state(DeskMode.ACTIVE)
    assert [value(desk, name) for name in locks] == [0.0, 0.0, 0.0]


def test_a_strategy_is_active_where_any_regime_allows_it(desk: WatchedDesk) -> None:
    def say(instrument: str, allowed: bool) -> None:
        rows = (
            MandateRow(STRATEGIES[0], allowed, (1,), None if allowed else RefusalReason.REGIME_OFF),
            MandateRow(STRATEGIES[1], False, (), RefusalReason.REGIME_OFF),
        )
        desk.hear(Mandate(desk.ts, instrument, RegimeLabel.TREND_UP, rows))

    say(desk.instruments[0], True)
    say(desk.instruments[1], False)
    assert value(desk, "crupto_strategy_active", STRATEGIES[0]) == 1.0
    assert desk.state_of(names.strategy_node(STRATEGIES[1])) == "disabled"
    shown = {row["strategy"]: row for row in desk.board.run()["strategies"]}
    assert shown[STRATEGIES[0]]["allowed_on"] == [desk.instruments[0]]
    assert shown[STRATEGIES[1]]["not_allowed"] == {"REGIME_OFF": 2}
    say(desk.instruments[0], False)
    assert desk.state_of("strategy") == "warning"


def test_safe_mode_warns_at_risk_until_it_is_left(desk: WatchedDesk) -> None:
    desk.telemetry.graph.use("risk", "monitor")
    desk.hear(SafeMode(desk.ts, True, 0.81, ("A", "B"), 0.9))
    assert (value(desk, "crupto_safe_mode"), desk.state_of("risk")) == (1.0, "warning")
    desk.hear(SafeMode(desk.ts, False, 0.3, None, 1.5))
    assert (value(desk, "crupto_safe_mode"), desk.state_of("risk")) == (0.0, "ok")


def test_the_reject_ratio_is_of_the_last_hundred_orders(desk: WatchedDesk) -> None:
    for n in range(120):
        desk.order("rejected" if n < 40 else "accepted")
    desk.pulse()
    assert value(desk, "crupto_order_reject_ratio") == pytest.approx(0.2)


def test_latencies_of_tools_are_those_of_the_toolbox(desk: WatchedDesk) -> None:
    for _ in range(5):
        desk.call("plan_position")
    desk.pulse()
    histogram = desk.telemetry.store.histograms["crupto_tool_call_duration_seconds"]["risk", "plan_position"]
    stats = desk.tools.stats["plan_position"]
    assert sum(histogram.counts) == stats.calls == 5
    assert histogram.total == stats.total_ns / 1e9
    assert value(desk, "crupto_tool_calls_total", "risk", "plan_position", "ok") == 5.0


def test_a_broken_telemetry_never_reaches_the_desk_and_shows_itself(desk: WatchedDesk) -> None:
    broken: Any = object()
    desk.hear(broken)
    desk.hear(broken)
    assert value(desk, "crupto_telemetry_errors_total") == 2.0
    assert desk.state_of("monitor") == "error"


def test_a_feed_that_falls_silent_is_an_error_without_any_message(desk: WatchedDesk) -> None:
    desk.sleep(9.0)
    assert desk.board.health().ready
    desk.sleep(2.0)
    desk.pulse()  # the desk lives, only the market is silent
    health = desk.board.health()
    assert (health.alive, health.ready) == (True, False)
    assert "feed: no instant for 11 s" in health.reason
    assert desk.state_of("feed") == "error"
    desk.beat()
    assert desk.board.health().ready


def test_a_desk_that_is_stuck_is_not_alive(desk: WatchedDesk) -> None:
    desk.sleep(11.0)
    health = desk.board.health()
    assert (health.alive, health.ready) == (False, False)
    assert "no sign of life" in health.reason


def test_a_halted_desk_is_alive_but_not_ready(desk: WatchedDesk) -> None:
    desk.desk_state(DeskMode.HALTED, RefusalReason.KILL_SWITCH, "-3.6 %")
    health = desk.board.health()
    assert (health.alive, health.ready) == (True, False)
    assert "KILL_SWITCH" in health.reason


def test_older_decisions_come_from_the_journal(desk: WatchedDesk) -> None:
    asked: list[DecisionQuery] = []

    def history(query: DecisionQuery) -> list[dict[str, Any]]:
        asked.append(query)
        return [{"ts_event": 1, "reason": "OLD"}]

    desk.board._history = history
    desk.answer(RefusalReason.COOLDOWN)
    found = desk.board.decisions(DecisionQuery(limit=5))
    assert [row["reason"] for row in found["decisions"]] == ["COOLDOWN", "OLD"]
    assert (asked[0].limit, asked[0].before_ns) == (4, desk.ts)


def test_an_alarm_of_an_unknown_kind_is_counted_as_other_and_shown(desk: WatchedDesk) -> None:
    desk.hear(Alarm(desk.ts, "drift", "books", "0.1 USDT"))
    assert value(desk, "crupto_alarms_total", "other") == 1.0
    assert desk.board.run()["alarms"][0]["kind"] == "drift"


def test_the_csv_sample_has_rates_latencies_and_refusals(desk: WatchedDesk) -> None:
    desk.answer(RefusalReason.COOLDOWN)
    desk.call("plan_position")
    desk.pulse()
    ts, samples = desk.board.sample()
    found = {(s.name, s.subject): s for s in samples}
    assert ts == desk.ts
    assert found["refusals", "COOLDOWN"].value == 1.0
    assert found["tool_latency_mean_ms", "plan_position"].kind == "latency"
    assert ("drawdown_72h_pct", "") in found
    assert ("mean_spread_bps", "") in found


def test_a_full_journal_is_an_error_of_the_monitor(desk: WatchedDesk) -> None:
    class Journal:
        backlog, trouble, pause = 10_000, "disk full", "journal: 10000 instants wait (disk full)"

    desk.telemetry.pulse.journal = Journal()
    desk.telemetry.graph.use("risk", "monitor")
    desk.pulse()
    assert desk.state_of("monitor") == "error"
    assert value(desk, "crupto_journal_failed") == 1.0
    assert value(desk, "crupto_journal_backlog") == 10_000.0


def test_a_state_and_switches_that_were_restored_are_shown_without_a_message(desk: WatchedDesk) -> None:
    halted = DeskState(desk.ts, DeskMode.HALTED, RefusalReason.KILL_SWITCH, "before the restart")
    desk.telemetry.read_state = lambda: halted
    desk.telemetry.read_flags = lambda: frozenset({"disabled:breakout_4h:operator says so"})
    desk.pulse()
    assert value(desk, "crupto_kill_switch") == 1.0
    assert desk.state_of("strategy:breakout_4h") == "disabled"
    desk.telemetry.read_flags = lambda: frozenset()
    desk.pulse()
    assert desk.state_of("strategy:breakout_4h") == "warning"  # halted, but not switched off
