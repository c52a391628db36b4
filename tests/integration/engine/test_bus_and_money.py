"""Engine behaviour the desk relies on: topics, marks, funding, fees, purging, swallowed errors, limits."""

from __future__ import annotations

from typing import Any

import pytest
from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
from nautilus_trader.common import DataActor, DataActorConfig, LoggerConfig, LogLevel
from nautilus_trader.model import ActorId, StrategyId, Venue
from nautilus_trader.risk import RiskEngineConfig
from nautilus_trader.trading import StrategyConfig

from adapters.simulated import USDT, DeskFeeModel, perpetual, venue_arguments
from catalog.feed import CLOSE, MARK_TYPE, OPEN, EngineFeed, feed_client
from crupto_nautilus.desk.engine import play
from tests.fakes.engine import MINUTES, NAME, RULES, Script, instants, run_script, ts_of

FLAT = (100.0, 100.0, 100.0, 100.0, 1000.0)


class Listener(DataActor):
    """Subscribes to one topic with several handlers, and to the marks."""

    def setup(self, log: list[Any]) -> Listener:
        self.log_of = log
        return self

    def on_start(self) -> None:
        for priority in (10, 70, 30, 90, 50):
            self.subscribe_topic("t.x", self._handler(priority), priority)
        self.subscribe_data(MARK_TYPE, feed_client("TEST"))

    def _handler(self, priority: int) -> Any:
        return lambda message: self.log_of.append((priority, message))

    def on_data(self, data: Any) -> None:
        self.log_of.append((data.data.phase, data.data.instant))
        if data.data.phase == OPEN:
            self.publish_message("t.x", "before")
            self.log_of.append("after publish")


def actor(log: list[Any]) -> Listener:
    return Listener(DataActorConfig(actor_id=ActorId("LISTENER-001"))).setup(log)


def test_publish_is_synchronous_and_handlers_run_by_priority() -> None:
    log: list[Any] = []
    run_script([FLAT], {}, actors=[actor(log)])
    assert log[1:7] == [(p, "before") for p in (90, 70, 50, 30, 10)] + ["after publish"]


def test_a_mark_carries_its_instant_by_reference_and_comes_after_the_bars() -> None:
    log: list[Any] = []
    moments: list[int] = []
    run_script([FLAT], {1: lambda s: moments.append(len(log))}, actors=[actor(log)])
    made = instants([FLAT])[0]
    closes = [
        instant for entry in log if isinstance(entry, tuple) for phase, instant in [entry] if phase == CLOSE
    ]
    assert closes == [made]
    assert moments[0] == 7  # the bar came after OPEN (7 entries) and before CLOSE


@pytest.mark.parametrize("side", [1, -1])
def test_funding_settles_at_its_own_time_on_the_mark_before_it(side: int) -> None:
    rows = [FLAT] * 95 + [(100.0, 110.0, 100.0, 110.0, 1000.0), FLAT, FLAT]  # bar 96 closes at 08:00
    _, engine = run_script(rows, {2: lambda s: s.market("in", side, 10)}, funding={96: 0.0001})
    position = engine.cache.positions()[0]
    adjustments = [(a.pnl_change.as_double(), a.ts_event) for a in position.adjustments()]
    assert adjustments == [(pytest.approx(-side * 10 * 110.0 * 0.0001), ts_of(96))]


def test_fee_model_charges_fee_and_tagged_slippage_to_the_account() -> None:
    def enter(s: Script) -> None:
        order = s.order_factory.market(s.iid, _buy(), _q(2), tags=["slip_bps=10"])
        s.submit_order(order)

    _, engine = run_script([FLAT, FLAT], {1: enter}, charge=True)
    balance = engine.portfolio.account(venue=Venue("TEST")).balance_total(USDT).as_double()
    assert balance == pytest.approx(10_000 - 200 * 0.0005 - 200 * 0.001, abs=1e-8)


def test_closed_orders_are_purged_after_two_hours() -> None:
    def trade(s: Script) -> None:
        s.market("in", 1, 1)
        s.market("out", -1, 1, reduce_only=True)

    _, engine = run_script([FLAT] * 60, {1: trade})
    assert engine.cache.orders() == []


def test_an_error_in_a_handler_is_swallowed_and_the_run_goes_on() -> None:
    def fail(_: Script) -> None:
        raise RuntimeError("planned")

    script, _ = run_script([FLAT, FLAT, FLAT], {2: fail})
    assert script.n == 3


def test_engine_rate_limit_denies_protective_stops_so_ours_lies_far_above() -> None:
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggerConfig(stdout_level=LogLevel.OFF),
            risk_engine=RiskEngineConfig(max_order_submit_rate="1/00:00:10"),
        )
    )
    engine.add_venue(**venue_arguments(Venue("TEST"), 10_000, DeskFeeModel({NAME: RULES}, False)))
    engine.add_instrument(perpetual(RULES, "BTC"))
    script = Script(StrategyConfig(strategy_id=StrategyId("SCRIPT-001"))).setup(
        {1: lambda s: (s.market("in", 1, 1), s.stop("stop", -1, 1, 99.0))}
    )
    engine.add_strategy(script)
    play(engine, EngineFeed({NAME: RULES}, {NAME: MINUTES}), instants([FLAT, FLAT]), 10**18)
    assert "OrderDenied" in script.kinds("stop")


def test_account_leverage_leaves_the_margin_check_a_backstop() -> None:
    script, _ = run_script([(100.0, 100.0, 100.0, 100.0, 1e6)] * 2, {1: lambda s: s.market("in", 1, 400)})
    assert script.fills("in")  # 4x the equity: the desk's own cap of 3x is what binds


def _buy() -> Any:
    from nautilus_trader.model import OrderSide

    return OrderSide.BUY


def _q(value: float) -> Any:
    from nautilus_trader.model import Quantity

    return Quantity(value, 4)
