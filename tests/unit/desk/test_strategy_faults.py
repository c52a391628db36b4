"""What the base strategy does when orders fail: refusals, strangers, races.

The engine is a list of what was sent; the real one is met in the engine tests and in the scenarios.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from nautilus_trader.model import LiquiditySide, Money, Price, Quantity, StrategyId
from nautilus_trader.trading import StrategyConfig

from adapters.simulated import USDT
from risk.clock import DeskClock
from risk.vocabulary import (
    HOUR_NS,
    Approved,
    Bar,
    CostEstimate,
    DeskMode,
    DeskState,
    EntryStyle,
    ExitSpec,
    Instant,
    InstrumentRules,
    RefusalReason,
    Role,
    Signal,
    Ticket,
    TradePlan,
)
from strategies import bus
from strategies.registry import REGISTRY
from strategies.signal_strategy import SignalStrategy
from tests.fakes.scenario import BO, scripted

NAME = "BTCUSDT-PERP.BINANCE"
RULES = InstrumentRules(NAME, 1, 3, 0.1, 0.001, 0.001, 2.0, 0.0002, 0.0005)
START = 1_704_067_200_000_000_000


class Strategy(SignalStrategy):
    """A strategy whose engine only remembers."""

    def play(self) -> Strategy:
        self.said: list[tuple[str, Any]] = []
        self.sent: list[SimpleNamespace] = []
        self.modified: list[tuple[str, float, float]] = []
        self.cancelled: list[str] = []
        clock = DeskClock()
        clock.now_ns = START
        self.setup(
            scripted(BO, {}, minutes=60), 50, run_id="run", rules={NAME: RULES}, clock=clock,
            slippage_bps_of=lambda *_: 1.0, virtual_asset="", leverage=3.0,
        )  # fmt: skip
        return self

    @property
    def cache(self) -> Any:
        return SimpleNamespace(order=lambda _: None)  # purged: closed

    @property
    def order_factory(self) -> Any:
        def make(kind: str) -> Any:
            return lambda *_, **rest: SimpleNamespace(
                kind=kind, id=str(rest["client_order_id"]), reduce_only=rest.get("reduce_only", False)
            )

        return SimpleNamespace(market=make("market"), limit=make("limit"), stop_market=make("stop"))

    def submit_order(self, order: Any, *_: Any, **__: Any) -> None:
        self.sent.append(order)

    def modify_order(self, order_id: Any, *_: Any, **to: Any) -> None:
        self.modified.append((str(order_id), to["quantity"].as_double(), to["trigger_price"].as_double()))

    def cancel_order(self, order_id: Any, *_: Any, **__: Any) -> None:
        self.cancelled.append(str(order_id))

    def publish_message(self, topic: str, message: Any) -> None:
        self.said.append((topic, message))

    # --- what happens to it --------------------------------------------------------------------------------

    def kinds(self) -> list[str]:
        return [order.kind for order in self.sent]

    def heard(self, topic: str) -> list[Any]:
        return [message for said, message in self.said if said == topic]

    def fill(self, order: SimpleNamespace, quantity: float, price: float) -> None:
        self.on_order_filled(
            SimpleNamespace(
                client_order_id=order.id,
                last_qty=Quantity(quantity, 3),
                last_px=Price(price, 1),
                ts_event=1,
                liquidity_side=LiquiditySide.TAKER,
                commission=Money(0.01, USDT),
            )
        )

    def accept(self, order: SimpleNamespace) -> None:
        self.on_order_accepted(event(order.id))

    def held(self) -> Strategy:
        """Enter, and let the stop work."""
        self.on_decision(approval())
        self.fill(self.sent[0], 0.02, 20_000.0)
        self.accept(self.sent[1])
        return self


def event(order_id: str, reason: str = "") -> SimpleNamespace:
    return SimpleNamespace(client_order_id=order_id, reason=reason)


def approval(ts: int = START, *children: float) -> Approved:
    exits = ExitSpec(100.0, time_stop_bars=30)
    signal = Signal(f"{BO}/{NAME}/{ts}", ts, BO, NAME, 60, 1, 20_000.0, exits, 1.0, 80.0)
    costs = CostEstimate(10.0, 10.0, 2.0, 2.0, 0.0, 0.24)
    plan = TradePlan(signal, 0.02, 19_900.0, 2.5, 0.8, 400.0, costs, 1.0, 300.0)
    return Approved(ts, Ticket(plan, EntryStyle.MARKET, children or (0.02,), None, 1.0))


@pytest.fixture
def strategy() -> Strategy:
    return Strategy(StrategyConfig(strategy_id=StrategyId("STUB-001"))).play()


# --- entries ----------------------------------------------------------------------------------------------


def test_an_approval_behind_a_shut_gate_sends_nothing_and_says_so(strategy: Strategy) -> None:
    strategy.on_desk_state(DeskState(START, DeskMode.HALTED, RefusalReason.KILL_SWITCH))
    strategy.on_decision(approval())
    assert strategy.sent == []
    (done,) = strategy.heard(bus.entry_done(BO))
    assert (done.filled, done.reason) == (0.0, "kill_switch")


def test_an_answer_that_is_heard_twice_is_obeyed_once(strategy: Strategy) -> None:
    strategy.on_decision(approval())
    strategy.on_decision(approval())
    assert strategy.kinds() == ["market"]


@pytest.mark.parametrize("answer", ["on_order_denied", "on_order_rejected"])
def test_an_entry_that_is_refused_is_over_and_leaves_nothing_behind(strategy: Strategy, answer: str) -> None:
    strategy.on_decision(approval())
    getattr(strategy, answer)(event(strategy.sent[0].id, "no margin"))
    (done,) = strategy.heard(bus.entry_done(BO))
    assert done.filled == 0.0
    assert done.reason in ("denied", "rejected")
    assert strategy.slots == {}
    assert strategy.kinds() == ["market"]


def test_slices_that_filled_before_one_is_refused_keep_their_stop(strategy: Strategy) -> None:
    strategy.on_decision(approval(START, 0.01, 0.01))
    strategy.fill(strategy.sent[0], 0.01, 20_000.0)
    strategy.desk_clock.now_ns += HOUR_NS // 2
    fine = Bar(NAME, 15, strategy.desk_clock.now_ns, 20_000.0, 20_001.0, 19_999.0, 20_000.0, 100.0)
    strategy.on_instant(Instant(fine.ts_event, {15: (fine,)}))
    strategy.on_order_denied(event(strategy.sent[-1].id, "rate"))
    (done,) = strategy.heard(bus.entry_done(BO))
    assert (done.filled, done.reason) == (0.01, "denied")
    assert strategy.kinds() == ["market", "stop", "market"]


# --- stops ------------------------------------------------------------------------------------------------


def test_a_stop_is_placed_again_twice_and_then_the_position_is_closed(strategy: Strategy) -> None:
    strategy.held()
    for _ in range(3):
        stop = next(order for order in reversed(strategy.sent) if order.kind == "stop")
        strategy.on_order_rejected(event(stop.id, "venue is busy"))
    assert strategy.kinds() == ["market", "stop", "stop", "stop", "market"]
    assert strategy.sent[-1].reduce_only
    assert strategy.heard(bus.order(BO))[-1].reason == "unprotected"
    assert len({order.id for order in strategy.sent}) == 5  # another attempt is another id


def test_a_lost_stop_is_told_to_the_ledger_at_once(strategy: Strategy) -> None:
    strategy.held()
    assert strategy.heard(bus.protection(BO))[-1].stop_price == 19_900.0
    strategy.on_order_canceled(event(strategy.sent[1].id))
    told = strategy.heard(bus.protection(BO))[-1]
    assert (told.stop_price, told.quantity) == (0.0, 0.0)
    assert strategy.kinds() == ["market", "stop", "stop"]


def test_a_stop_that_expires_is_placed_again(strategy: Strategy) -> None:
    strategy.held()
    strategy.on_order_expired(event(strategy.sent[1].id))
    assert strategy.kinds() == ["market", "stop", "stop"]


def test_a_stop_that_the_market_has_passed_closes_without_another_try(strategy: Strategy) -> None:
    strategy.on_decision(approval())
    strategy.fill(strategy.sent[0], 0.02, 20_000.0)
    strategy.on_order_rejected(event(strategy.sent[1].id, "stop px of 19900.0 was in the market: bid=19000"))
    assert strategy.kinds() == ["market", "stop", "market"]
    assert strategy.heard(bus.order(BO))[-1].reason == "stop_passed"


def test_a_working_stop_that_cannot_be_moved_closes_the_position(strategy: Strategy) -> None:
    strategy.held()
    slot = strategy.slots[NAME]
    slot.stop_wanted = (0.02, 20_050.0)
    strategy.sync_stop(slot)
    strategy.sync_stop(slot)  # nothing more is asked while one is under way
    assert [price for _, _, price in strategy.modified] == [20_050.0]
    strategy.on_order_modify_rejected(event(strategy.sent[1].id, "in the market"))
    assert strategy.kinds() == ["market", "stop", "market"]
    assert strategy.cancelled == []  # the stop stays until the position is flat
    strategy.fill(strategy.sent[-1], 0.02, 20_020.0)
    assert strategy.cancelled == [strategy.sent[1].id]
    assert strategy.slots == {}


# --- exits ------------------------------------------------------------------------------------------------


def test_a_closing_order_that_fails_is_sent_again_and_after_three_times_once_a_bar(
    strategy: Strategy,
) -> None:
    strategy.held()
    strategy.on_desk_state(DeskState(START, DeskMode.HALTED, RefusalReason.KILL_SWITCH, flatten=True))
    for _ in range(5):
        strategy.on_order_rejected(event(strategy.sent[-1].id, "venue is busy"))
    assert strategy.kinds() == ["market", "stop", "market", "market", "market", "market"]
    ts = START + HOUR_NS
    strategy.desk_clock.now_ns = ts
    bar = Bar(NAME, 60, ts, 20_000.0, 20_010.0, 19_990.0, 20_000.0, 100.0)
    strategy.on_instant(Instant(ts, {60: (bar,)}))
    assert strategy.kinds()[-2:] == ["market", "market"]
    assert len(strategy.sent) == 7
    strategy.fill(strategy.sent[-1], 0.02, 20_000.0)
    assert strategy.slots == {}


def test_an_exit_that_ends_with_a_part_of_the_position_is_followed_by_another(strategy: Strategy) -> None:
    strategy.held()
    strategy.on_desk_state(DeskState(START, DeskMode.HALTED, RefusalReason.OPERATOR_HALT, flatten=True))
    strategy.fill(strategy.sent[-1], 0.015, 20_000.0)
    assert strategy.kinds() == ["market", "stop", "market", "market"]
    strategy.fill(strategy.sent[-1], 0.005, 20_000.0)
    assert strategy.slots == {}


# --- strangers --------------------------------------------------------------------------------------------


def test_events_of_unknown_orders_change_nothing(strategy: Strategy) -> None:
    strategy.held()
    before = (len(strategy.said), len(strategy.sent))
    for name in (
        "accepted",
        "updated",
        "modify_rejected",
        "rejected",
        "denied",
        "canceled",
        "expired",
        "filled",
    ):
        getattr(strategy, f"on_order_{name}")(event("somebody-else"))
    assert (len(strategy.said), len(strategy.sent)) == before
    assert strategy.slots[NAME].exits.left == 0.02


def test_bars_of_an_instrument_that_is_not_traded_are_passed_over(strategy: Strategy) -> None:
    other = Bar("ETHUSDT-PERP.BINANCE", 60, START + HOUR_NS, 1.0, 1.0, 1.0, 1.0, 1.0)
    strategy.on_instant(Instant(other.ts_event, {60: (other,)}))
    assert strategy.heard(bus.ALARM) == []
    assert list(strategy.rule) == [NAME]


def test_every_strategy_of_the_registry_has_a_class_of_its_own() -> None:
    from strategies.classes import CLASSES, build

    assert set(CLASSES) == set(REGISTRY)
    assert len({type(build(spec)) for spec in REGISTRY.values()}) == len(REGISTRY)


def test_roles_of_orders_tell_entries_from_exits(strategy: Strategy) -> None:
    strategy.held()
    by_role = {order.role: order.reduce_only for order in strategy.heard(bus.order(BO))}
    assert by_role == {Role.ENTRY: False, Role.STOP: True}
