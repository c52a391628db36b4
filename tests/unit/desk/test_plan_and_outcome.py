"""From options to a desk, and from a run to its verdict: choices, warm-up needs, refusals."""

from __future__ import annotations

import dataclasses
import subprocess
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.regimes import WARMUP_BARS
from actors.toolbox import ToolContext, ToolRegistry, ToolSpec
from crupto_nautilus.config import load_config
from crupto_nautilus.desk import facts
from crupto_nautilus.desk.assembly import Desk, timeframes_of, warm_up_needs
from crupto_nautilus.desk.options import DEFAULT_UNLOCK_HOURS, BacktestOptions
from crupto_nautilus.desk.outcome import DeskRun, account_balance, check_run
from crupto_nautilus.desk.parity import options_of
from crupto_nautilus.desk.plan import Prepared, chosen_specs, make_plan, prepare
from crupto_nautilus.errors import CheckFailed
from crupto_nautilus.reports.recording import Recording
from risk.vocabulary import HOUR_NS, Alarm, Instant
from strategies.guarded import HANDLER_ERROR
from strategies.registry import REGISTRY, RegistryError
from tests.fakes.markets import START_NS, from_closes, write_catalog

BTC = "BTCUSDT-PERP.BINANCE"


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> BacktestOptions:
    folder = tmp_path_factory.mktemp("catalog")
    write_catalog(folder, {BTC: from_closes([100.0 + k % 5 for k in range(60)])}, 60)
    return BacktestOptions(
        folder, load_config(None, env={}), folder / "runs", "run", start_ns=START_NS + 50 * HOUR_NS
    )


# --- choices ----------------------------------------------------------------------------------------------


def test_strategies_come_in_registry_order_however_they_are_named() -> None:
    assert list(chosen_specs(("funding_reversion", "breakout_4h"))) == ["breakout_4h", "funding_reversion"]
    assert chosen_specs(None) == REGISTRY
    with pytest.raises(RegistryError, match="breakout_4h"):
        chosen_specs(("breakout",))


def test_options_say_what_a_user_gets_who_asks_for_nothing(options: BacktestOptions) -> None:
    assert (options.equity, options.costs, options.unlock_after_hours) == (300.0, True, DEFAULT_UNLOCK_HOURS)
    assert (options.symbols, options.end_ns, options.strategies, options.base_minutes) == (None,) * 4
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.equity = 1.0  # type: ignore[misc]


def test_timeframes_are_those_of_the_strategies_and_of_the_regime() -> None:
    assert timeframes_of(REGISTRY) == (240, 60, 15, 5)
    assert timeframes_of(chosen_specs(("range_reversion_5m",))) == (60, 5)


def test_warm_up_fills_regime_rules_market_view_and_correlations() -> None:
    needs = warm_up_needs(REGISTRY, {BTC: 5, "ETHUSDT-PERP.BINANCE": 60}, 288)
    assert needs[60] == WARMUP_BARS
    assert needs[5] == needs[15] - 205 == 289 or needs[5] >= 289  # a day and the correlation window
    for spec in REGISTRY.values():
        assert all(needs[minutes] >= count for minutes, count in spec.warmup.items())
    assert warm_up_needs({}, {BTC: 1}, 288)[1] == 1440


def test_a_plan_carries_warm_up_seed_and_start(options: BacktestOptions) -> None:
    plan = make_plan(prepare(options), options)
    assert (plan.run_id, plan.equity, plan.start_ns) == ("run", 300.0, START_NS + 50 * HOUR_NS)
    warm = list(plan.warm_up)
    assert warm[-1].ts_event == plan.start_ns
    assert all(instant.warm_only for instant in warm)
    assert [bar.ts_event for bar in (plan.seed or {})[BTC]] == [START_NS + 49 * HOUR_NS, plan.start_ns]
    assert plan.timeframes == (240, 60, 15, 5)


def test_costs_off_frees_every_fee_and_nothing_else(options: BacktestOptions) -> None:
    free = dataclasses.replace(options, costs=False)
    rules, usual = (make_plan(prepare(o), o).rules[BTC] for o in (free, options))
    assert (rules.maker_fee, rules.taker_fee) == (0.0, 0.0)
    assert dataclasses.replace(rules, maker_fee=usual.maker_fee, taker_fee=usual.taker_fee) == usual


# --- the verdict ------------------------------------------------------------------------------------------


def finished(
    balance: float, account: float, *alarms: Alarm, funding: float = 0.0, errors: int = 0
) -> DeskRun:
    recording = Recording()
    for alarm in alarms:
        recording.add(alarm)
    books = SimpleNamespace(balance=balance, funding_usd=funding)
    monitor = SimpleNamespace(counters=Counter({f"Alarm.{HANDLER_ERROR}": errors}))
    desk: Any = SimpleNamespace(risk_desk=SimpleNamespace(books=books), monitor=monitor)
    return DeskRun(desk, recording, account, 0.0)


def test_books_that_agree_with_the_account_pass() -> None:
    check_run(finished(301.5, 301.5 + 9e-7))
    check_run(finished(301.5, 301.5, Alarm(1, "drift", "portfolio", "net exposure above its limit")))


def test_books_that_differ_from_the_account_are_refused_with_both_figures() -> None:
    with pytest.raises(CheckFailed) as caught:
        check_run(finished(301.5, 301.4))
    assert "301.50000000" in caught.value.found
    assert "301.40000000" in caught.value.found


def test_an_account_that_settles_no_funding_is_compared_without_it() -> None:
    check_run(finished(301.5, 300.0, funding=1.5), account_has_funding=False)
    with pytest.raises(CheckFailed):
        check_run(finished(301.5, 300.0, funding=1.5))


def test_a_run_in_which_a_handler_raised_is_refused_by_its_name() -> None:
    with pytest.raises(CheckFailed) as caught:
        check_run(finished(300.0, 300.0, Alarm(1, HANDLER_ERROR, "RegimeActor.on_instant", "KeyError: 'x'")))
    assert "RegimeActor.on_instant" in caught.value.found


def test_an_error_that_nobody_recorded_is_refused_by_the_count_alone() -> None:
    with pytest.raises(CheckFailed) as caught:
        check_run(finished(300.0, 300.0, errors=2))
    assert "2 handlers" in caught.value.message


def test_an_engine_without_an_account_is_refused(options: BacktestOptions) -> None:
    portfolio = SimpleNamespace(account=lambda venue: None)
    with pytest.raises(CheckFailed, match="no account"):
        account_balance(portfolio, prepare(options).choice.window)


# --- facts ------------------------------------------------------------------------------------------------


def facts_of(options: BacktestOptions, monkeypatch: pytest.MonkeyPatch, unsettled: int = 0) -> Any:
    monkeypatch.setattr(facts, "git_revision", lambda: "abc")
    router = SimpleNamespace(unsettled=unsettled, last_ts=0, bars=10)
    desk: Any = SimpleNamespace(router=router)
    prepared: Prepared = prepare(options)
    return facts.run_facts(prepared, options, desk, wall_start_ns=1)


def test_facts_name_the_data_the_rules_and_the_limits_of_a_run(
    options: BacktestOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = facts_of(options, monkeypatch)
    row = found.instrument(BTC)
    assert (row.bars, row.base_minutes, row.label) == (10, 60, "scripted")
    assert (row.first_close, row.last_close) == (100.0, 104.0)
    assert (row.funding_expected, row.funding_present, row.funding_coverage_pct) == (1, 0, 0.0)
    assert found.limits["max_daily_loss_pct"] == 1.8
    assert (found.mode, found.exit_reason, found.costs, found.bars_processed) == (
        "backtest", "completed", "on", 10,
    )  # fmt: skip
    assert found.wall_end_ns > found.wall_start_ns
    assert found.end_ns == START_NS + 60 * HOUR_NS
    assert "governance.max_cost_r" in found.provenance or found.provenance


def test_facts_note_what_makes_a_run_unlike_others(
    options: BacktestOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = facts_of(options, monkeypatch)
    assert [note for note in usual.notes if "24 h" in note]
    odd = dataclasses.replace(options, costs=False, unlock_after_hours=None)
    notes = " ".join(facts_of(odd, monkeypatch, unsettled=3).notes)
    assert "not comparable" in notes
    assert "3 orders were in flight" in notes
    assert "operator" not in notes


def test_a_run_on_a_netted_account_is_repeated_as_one(
    options: BacktestOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for netted in (True, False):
        asked = dataclasses.replace(options, netted=netted)
        folder: Any = SimpleNamespace(facts=facts_of(asked, monkeypatch))
        again = options_of(folder, catalog=asked.catalog, config=asked.config, out=asked.out)
        assert again.netted is netted
        desk = Desk(make_plan(prepare(again), again), Recording())
        assert desk.risk_desk.netted is netted
        desk.strategies[0]._records["x-1"] = SimpleNamespace(
            slot=SimpleNamespace(signal=SimpleNamespace(instrument="A")), role="stop", order_id="x-1"
        )
        assert desk._flags_now() == (frozenset({"working@A:stop order x-1"}) if netted else frozenset())


def test_versions_name_what_results_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    found = facts.versions()
    assert found["nautilus_trader"].startswith("2.0.0")
    assert set(found) == {"python", *facts.PACKAGES}
    monkeypatch.setattr(facts, "PACKAGES", ("no-such-package",))
    assert facts.versions()["no-such-package"] == "not installed as a package"


@pytest.mark.parametrize("outcome", [OSError("no git"), subprocess.TimeoutExpired("git", 10), 128])
def test_without_git_the_revision_is_empty(monkeypatch: pytest.MonkeyPatch, outcome: Exception | int) -> None:
    def run(*_: object, **__: object) -> Any:
        if isinstance(outcome, int):
            return SimpleNamespace(returncode=outcome, stdout="fatal")
        raise outcome

    monkeypatch.setattr(facts.subprocess, "run", run)
    assert facts.git_revision() == ""


def test_the_calls_table_counts_each_tool(tmp_path: Path) -> None:
    tools = ToolRegistry()
    tools.register(ToolSpec("add", "risk", lambda _, a: a + 1, 5.0))
    tools.register(ToolSpec("never", "brain", lambda _: None, 5.0))
    for value in range(3):
        tools.call("add", ToolContext("run", 1), value)
    rows = {row["capability"]: row for row in facts.call_rows(tools)}
    assert (rows["add"]["agent"], rows["add"]["count"], rows["add"]["errors"]) == ("risk", 3, 0)
    assert rows["never"]["count"] == rows["never"]["max_ns"] == 0
    assert rows["add"]["p50_ns"] <= rows["add"]["p99_ns"] <= rows["add"]["max_ns"]  # type: ignore[operator]


# --- assembly ---------------------------------------------------------------------------------------------


def test_a_desk_adds_its_router_last_so_that_everyone_listens_before_it_speaks(
    options: BacktestOptions,
) -> None:
    added: list[Any] = []
    target = SimpleNamespace(add_actor=added.append, add_strategy=added.append)
    desk = Desk(make_plan(prepare(options), options), Recording())
    desk.add_to(target)
    assert added[-1] is desk.router
    assert added.count(desk.router) == 1
    assert [s.strategy_name for s in desk.strategies] == list(REGISTRY)
    priorities = [s.priority for s in desk.strategies]
    assert priorities == sorted(set(priorities), reverse=True)


def test_an_exit_is_priced_even_where_the_market_is_not_known(options: BacktestOptions) -> None:
    desk = Desk(make_plan(prepare(options), options), Recording())
    assert desk._slippage_bps(BTC, 100.0) == 100.0  # before the first price the estimate is the cap
    last = list(prepare(options).catalog.bars(BTC, 60).bars(BTC, 60))[-1]
    desk.risk_desk.on_instant(Instant(last.ts_event, {60: (last,)}, warm_only=True))
    assert 1.0 < desk._slippage_bps(BTC, 100.0) < 100.0
    empty = last._replace(ts_event=last.ts_event + HOUR_NS, volume=0.0)
    desk.risk_desk.on_instant(Instant(empty.ts_event, {60: (empty,)}, warm_only=True))
    assert desk._slippage_bps(BTC, 100.0) == 100.0  # no volume: infinite, but an exit must go out
