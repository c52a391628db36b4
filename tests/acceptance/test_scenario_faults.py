"""Parts of the desk that fail: the signal is refused, the rest goes on, and too many failures halt it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crupto_nautilus.desk.assembly import Desk
from crupto_nautilus.desk.backtest import BacktestOptions, run_backtest
from crupto_nautilus.errors import CheckFailed
from risk.vocabulary import LONG
from strategies.guarded import HANDLER_ERROR
from tests.fakes.scenario import BO, VE, Cues, Scenario, ScenarioRun, break_tool, scripted, wish
from tests.fakes.scenario_market import Past, Tape, write_market

DECIDING = (
    "guard_drawdown",
    "plan_stops",
    "plan_position",
    "estimate_slippage",
    "check_liquidity",
    "place_order",
)
OBSERVING = ("calc_features", "classify_regime", "load_enable_map", "score_strategy", "export_metrics")
TOOL_ERROR, OPERATOR_HALT = "TOOL_ERROR", "OPERATOR_HALT"


def play(
    folder: Path, cues: Cues, bars: tuple[int, ...] = (3, 8), *, coins: tuple[str, ...] = ("SOL",),
    broken: bool = False, length: int = 12,
) -> ScenarioRun:  # fmt: skip
    """Signal at some bars; what was entered leaves at the bar after."""
    script = {(coin, k): wish(LONG, time_stop_bars=1) for coin in coins for k in bars}
    tapes = {coin: Tape().hold(length) for coin in coins}
    return Scenario(tapes, [scripted(BO, script)], cues=cues).play(folder, broken=broken)


def mend(original: dict[str, Any]) -> Callable[[Desk], None]:
    return lambda desk: desk.tools._tools.update(original)


def keep(original: dict[str, Any]) -> Callable[[Desk], None]:
    return lambda desk: original.update(desk.tools._tools)


def errors(run: ScenarioRun) -> list[tuple[int, str]]:
    """Return the handler errors: bar, handler."""
    return [(run.bar(a.ts_event), a.subject) for a in run.rows("alarms", kind=HANDLER_ERROR)]


# --- tools ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capability", DECIDING)
def test_a_tool_that_raises_refuses_the_signal_and_the_desk_goes_on(capability: str, tmp_path: Path) -> None:
    tools: dict[str, Any] = {}
    run = play(tmp_path, {1: keep(tools), 2: break_tool(capability), 6: mend(tools)})
    row = run.decision("SOL", 3)
    assert (row["reason"], row["detail"]) == (TOOL_ERROR, f"{capability}: RuntimeError: planned")
    assert run.reason("SOL", 8) == ""
    assert run.trade("SOL").exit_reason == "time_stop"
    assert run.desk.tools.stats[capability].errors == 1
    assert run.desk.monitor.counters["ToolCall.error"] == 1
    calls = run.folder.table("calls").set_index("capability")
    assert calls.loc[capability, "errors"] == 1
    assert not run.desk.risk_desk.books.reservations
    assert run.states == []


def test_a_tool_that_is_switched_off_refuses_every_signal(tmp_path: Path) -> None:
    run = play(tmp_path, {2: lambda desk: desk.tools.disable("place_order")})
    assert [run.decision("SOL", k)["detail"] for k in (3, 8)] == ["place_order: disabled"] * 2
    assert not run.rows("orders")


@pytest.mark.parametrize("capability", OBSERVING)
def test_a_tool_beside_the_decision_fails_without_refusing_it(capability: str, tmp_path: Path) -> None:
    run = play(tmp_path, {2: break_tool(capability)})
    assert run.reasons("SOL", 3, 8) == ["", ""]
    assert [t.exit_reason for t in run.rows("trades")] == ["time_stop"] * 2
    assert run.desk.tools.stats[capability].errors > 0
    assert errors(run) == []


def test_a_cooldown_that_cannot_be_booked_is_alarmed_and_the_position_is_managed(tmp_path: Path) -> None:
    run = play(tmp_path, {2: break_tool("manage_cooldown")}, (3,), broken=True)
    assert errors(run) == [(3, "SelectionActor.on_fill"), (4, "SelectionActor.on_trade_closed")]
    assert run.trade("SOL").exit_reason == "time_stop"
    assert run.report.ok


# --- handlers ---------------------------------------------------------------------------------------------


def raising(*_: object) -> None:
    raise RuntimeError("planned")


@pytest.mark.parametrize(
    ("agent", "method", "handler"),
    [
        ("risk_manager", "_plan", "RiskManagerActor.on_desk_signal"),
        ("execution", "_answer", "ExecutionActor.on_plan"),
    ],
)
def test_an_agent_that_does_not_answer_counts_as_a_refusal(
    agent: str, method: str, handler: str, tmp_path: Path
) -> None:
    def spoil(desk: Desk) -> None:
        setattr(getattr(desk, agent), method, raising)

    def repair(desk: Desk) -> None:
        delattr(getattr(desk, agent), method)

    run = play(tmp_path, {2: spoil, 6: repair}, broken=True)
    row = run.decision("SOL", 3)
    assert (row["reason"], row["detail"]) == (TOOL_ERROR, "no agent answered the signal")
    assert errors(run) == [(3, handler)]
    assert run.reason("SOL", 8) == ""
    assert not run.desk.risk_desk.books.reservations  # what was reserved for the unanswered plan is free
    assert run.report.ok


def test_a_rule_that_raises_stops_neither_other_strategies_nor_its_own_stops(tmp_path: Path) -> None:
    tape = Tape().hold(4).to(99.5, 98.5).hold(4)
    rules = [
        scripted(BO, {("SOL", 2): wish(LONG), ("SOL", 4): ValueError("planned")}),
        scripted(VE, {("BNB", 4): wish(LONG)}),
    ]
    run = Scenario({"SOL": tape, "BNB": Tape().hold(10)}, rules).play(tmp_path, broken=True)
    assert errors(run) == [(4, "Breakout4H.on_instant")]
    assert run.reason("BNB", 4, VE) == ""
    assert (run.trade("SOL").exit_reason, run.trade("SOL").exit_price) == ("stop", 99.0)
    assert run.report.ok


def test_five_errors_within_an_hour_halt_the_desk_and_positions_keep_their_stops(tmp_path: Path) -> None:
    def spoil(desk: Desk) -> None:
        desk.risk_manager._plan = raising  # type: ignore[assignment]

    def repair(desk: Desk) -> None:
        del desk.risk_manager._plan

    script = {("LTC", 2): wish(LONG)} | {(c, k): wish(LONG) for c in ("BNB", "SOL") for k in (4, 5, 6, 8)}
    tapes = {"LTC": Tape().hold(8).to(98.5).hold(2), "BNB": Tape().hold(11), "SOL": Tape().hold(11)}
    run = Scenario(tapes, [scripted(BO, script)], cues={3: spoil, 7: repair}).play(tmp_path, broken=True)
    assert [bar for bar, _ in errors(run)] == [4, 4, 5, 5, 6, 6]
    assert run.states == [(6, "HALTED", OPERATOR_HALT)]
    detail = "5 handler errors within a day, last: RiskManagerActor.on_desk_signal"
    assert run.rows("states")[0].detail == detail
    assert [run.reason(c, 8) for c in ("BNB", "SOL")] == [OPERATOR_HALT] * 2
    assert run.decision("SOL", 8)["detail"] == detail
    assert (run.trade("LTC").exit_reason, run.trade("LTC").exit_price) == ("stop", 99.0)
    assert run.report.ok


def test_fewer_errors_a_day_than_the_threshold_do_not_halt_the_desk(tmp_path: Path) -> None:
    def spoil(desk: Desk) -> None:
        desk.risk_manager._plan = raising  # type: ignore[assignment]

    bars = (4, 8, 12, 16)
    run = play(tmp_path, {3: spoil}, bars, broken=True, length=40)
    assert len(errors(run)) == len(bars)
    assert run.states == []


def test_errors_that_are_an_hour_apart_halt_the_desk_at_the_fifth(tmp_path: Path) -> None:
    def spoil(desk: Desk) -> None:
        desk.risk_manager._plan = raising  # type: ignore[assignment]

    run = play(tmp_path, {3: spoil}, tuple(range(4, 40, 4)), broken=True, length=40)
    assert [state[0] for state in run.states] == [errors(run)[4][0]]
    assert [state[1] for state in run.states] == ["HALTED"]


def test_a_recorder_that_fails_halts_the_desk_and_is_not_asked_without_end(tmp_path: Path) -> None:
    asked: list[object] = []

    class Full:
        def add(self, message: object) -> None:
            asked.append(message)
            raise OSError("no space left")

    def spoil(desk: Desk) -> None:
        desk.monitor._recorder = Full()  # type: ignore[assignment]

    scenario = Scenario({"SOL": Tape().hold(12)}, [scripted(BO, {("SOL", 11): wish(LONG)})], cues={2: spoil})
    run = scenario.play(tmp_path / "seen", broken=True)
    assert run.desk.brain.desk_state.mode == "HALTED"
    assert len(asked) < 60
    with pytest.raises(CheckFailed, match="handlers of the desk raised"):
        scenario.play(tmp_path / "checked")


# --- a run with errors is no run --------------------------------------------------------------------------


def test_a_backtest_in_which_a_handler_raised_is_refused_and_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = scripted(BO, {("SOL", 2): wish(LONG), ("SOL", 3): ValueError("planned")})
    monkeypatch.setattr("crupto_nautilus.desk.plan.chosen_specs", lambda *_: {BO: rules})
    scenario = Scenario({"SOL": Tape().hold(6)}, [rules])
    scenario.write_config(tmp_path / "config")
    config = scenario.load_config(tmp_path / "config")
    write_market(tmp_path / "catalog", scenario.tapes, {"SOL": Past()}, 15, {})
    runs = tmp_path / "runs"
    with pytest.raises(CheckFailed) as caught:
        run_backtest(BacktestOptions(tmp_path / "catalog", config, runs, "broken", equity=10_000.0))
    assert "Breakout4H.on_instant: ValueError: planned" in caught.value.found
    assert caught.value.exit_code == 1
    assert list(runs.iterdir()) == []
