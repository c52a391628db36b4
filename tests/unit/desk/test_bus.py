"""Topics, priorities, order ids and guarded handlers: the small rules that the whole desk stands on."""

from __future__ import annotations

import string
from itertools import product

import pytest

from risk.clock import DeskClock
from risk.vocabulary import Alarm, Role
from strategies import bus
from strategies.guarded import HANDLER_ERROR, guarded
from strategies.order_ids import client_order_id


def test_a_priority_is_handed_out_once() -> None:
    table = bus.PriorityTable()
    assert table.claim(50, "breakout_4h") == 50
    with pytest.raises(ValueError, match=r"priority 50 of other is taken by breakout_4h"):
        table.claim(50, "other")
    assert table.claim(49, "other") == 49


@pytest.mark.parametrize("priority", [0, -1])
def test_a_priority_that_the_engine_would_refuse_is_refused_first(priority: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        bus.PriorityTable().claim(priority, "brain")


def test_handlers_of_an_instant_run_in_the_order_of_the_chain() -> None:
    chain = (
        bus.REGIME_PRIORITY, bus.SELECTION_PRIORITY, bus.BOOKS_PRIORITY, bus.BRAIN_PRIORITY,
        bus.RISK_PRIORITY, bus.EXECUTION_PRIORITY, bus.STRATEGY_PRIORITY, bus.MONITOR_PRIORITY,
    )  # fmt: skip
    assert list(chain) == sorted(set(chain), reverse=True)
    assert chain[-1] > 0


def test_topics_of_one_kind_differ_by_name_and_share_a_pattern() -> None:
    makers = (
        bus.signal, bus.decision, bus.order, bus.fill, bus.protection, bus.entry_done, bus.trade, bus.regime,
        bus.mandate, bus.call,
    )  # fmt: skip
    topics = {make(name) for make, name in product(makers, ("a", "b"))}
    assert len(topics) == 2 * len(makers)
    for make in makers:
        assert make("a").removesuffix("a") == make("*").removesuffix("*")
    assert all(topic.startswith("desk.") for topic in topics)


def test_order_ids_can_be_computed_again_and_never_meet() -> None:
    traces = [f"breakout_4h/BTCUSDT-PERP.BINANCE/{k}" for k in range(50)]
    made = {
        client_order_id(run, trace, role, attempt)
        for run, trace, role, attempt in product(("r1", "r2"), traces, Role, (1, 2, 11))
    }
    assert len(made) == 2 * 50 * len(Role) * 3
    again = client_order_id("r1", traces[0], Role.STOP, 2)
    assert again in made
    assert all(len(one) == 32 and set(one) <= set(string.ascii_lowercase + "234567") for one in made)


def test_the_order_id_of_an_intent_never_changes() -> None:
    """A restart computes it again: another value would send the order twice."""
    fixed = client_order_id("run-1", "breakout_4h/BTCUSDT-PERP.BINANCE/1", Role.ENTRY, 1)
    assert fixed == "ulu56keton3w3xv5poqb3dtif2zwypah"


class Component:
    """What `guarded` needs of a component."""

    def __init__(self) -> None:
        self.desk_clock = DeskClock()
        self.desk_clock.now_ns = 77
        self.said: list[tuple[str, Alarm]] = []
        self.logged: list[str] = []
        self.log = self

    def error(self, text: str) -> None:
        self.logged.append(text)

    def publish_message(self, topic: str, message: Alarm) -> None:
        self.said.append((topic, message))

    @guarded
    def works(self, value: int) -> int:
        """Return the next number."""
        return value + 1

    @guarded
    def fails(self) -> None:
        raise ZeroDivisionError("planned")

    @guarded
    def stops(self) -> None:
        raise KeyboardInterrupt


def test_a_handler_that_raises_becomes_an_alarm_with_its_name_and_cause() -> None:
    component = Component()
    assert component.fails() is None
    assert component.said == [
        (bus.ALARM, Alarm(77, HANDLER_ERROR, "Component.fails", "ZeroDivisionError: planned"))
    ]
    assert component.logged == ["Component.fails raised ZeroDivisionError: planned"]


def test_a_handler_that_works_is_left_alone() -> None:
    component = Component()
    assert component.works(1) == 2
    assert component.said == []
    assert Component.works.__name__ == "works"
    assert Component.works.__doc__ == "Return the next number."


def test_an_interrupt_is_no_error_of_a_handler() -> None:
    component = Component()
    with pytest.raises(KeyboardInterrupt):
        component.stops()
    assert component.said == []
