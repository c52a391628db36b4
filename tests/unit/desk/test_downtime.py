"""A desk that was down is halted over what it missed, and set free again if nothing else keeps it halted."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.live.feed import FEED_GAP
from catalog.feed import NOTICE
from crupto_nautilus.desk import downtime
from crupto_nautilus.desk.downtime import Downtime
from risk.governor import DeskGovernor
from risk.settings import RiskSettings
from risk.vocabulary import MINUTE_NS, Bar, DeskMode, DeskState, Instant, RefusalReason

BTC = "BTC-USDT.TEST"
LEFT = 1_700_000_040_000_000_000


class Brain:
    """The desk's state without a bus."""

    def __init__(self) -> None:
        self.governor = DeskGovernor(RiskSettings())

    @property
    def desk_state(self) -> DeskState:
        return self.governor.current

    def halt(self, detail: str, *, flatten: bool) -> None:
        self.governor.halt(LEFT, detail, flatten)

    def end_halt(self, detail: str) -> None:
        self.governor.unlock(LEFT, detail)


@pytest.fixture
def desk() -> Any:
    said: list[Any] = []
    return SimpleNamespace(
        brain=Brain(),
        plan=SimpleNamespace(run_id="r", specs={}, rules={}),
        clock=SimpleNamespace(now_ns=LEFT),
        router=SimpleNamespace(publish_message=lambda _, message: said.append(message)),
        flags=set(),
        risk_desk=SimpleNamespace(books=SimpleNamespace(equity=1.0, balance=1.0, positions={})),
        said=said,
    )


def gone_through(
    desk: Any,
    monkeypatch: pytest.MonkeyPatch,
    minutes: int,
    meanwhile: Callable[[], object] = lambda: None,
    without: tuple[int, ...] = (),
) -> list[Any]:
    """Play what a downtime of so many minutes yields; returns the states at its instants."""
    missed = [
        Instant(ts, {} if ts in without else {1: (Bar(BTC, 1, ts, 1.0, 1.0, 1.0, 1.0, 1.0),)})
        for ts in (LEFT + k * MINUTE_NS for k in range(1, minutes + 1))
    ]
    monkeypatch.setattr(downtime, "run_instants", lambda *_: iter(missed))
    monkeypatch.setattr(downtime, "replace", lambda window, **_: window)
    prepared: Any = SimpleNamespace(
        live_ns=LEFT + minutes * MINUTE_NS,
        catalog=None,
        choice=SimpleNamespace(window=SimpleNamespace(base_minutes={BTC: 1})),
    )
    plan: Any = SimpleNamespace(resume=SimpleNamespace(begin_ns=LEFT))
    down = Downtime(prepared, plan)
    down.attach(desk)
    states = []
    for data in down.data():
        if isinstance(data, Instant):
            meanwhile()
            states.append(desk.brain.desk_state)
        elif data.data.phase == NOTICE:
            desk.said.append(data.data.alarm)
        else:
            data.data.call()
    return states


def test_entries_are_refused_over_what_was_missed_and_only_there(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = gone_through(desk, monkeypatch, 3)
    assert [(s.mode, s.reason) for s in states] == [(DeskMode.HALTED, RefusalReason.OPERATOR_HALT)] * 3
    assert states[0].detail == "the desk was down from 11-14 22:14 UTC to 11-14 22:17 UTC: exits only"
    assert desk.brain.desk_state.mode is DeskMode.ACTIVE
    assert [alarm.detail.partition(":")[0] for alarm in desk.said] == ["halt", "resume"]


def test_a_desk_that_missed_nothing_is_not_halted(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gone_through(desk, monkeypatch, 0) == []
    assert desk.said == []


def test_an_operators_halt_stays(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.brain.halt("holidays", flatten=False)
    gone_through(desk, monkeypatch, 2)
    assert desk.brain.desk_state.detail == "holidays"
    assert desk.said == []


def test_a_kill_switch_that_the_missed_minutes_caused_stays(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone_through(desk, monkeypatch, 2, lambda: desk.brain.governor.evaluate(LEFT, -1.0, -50.0, False))
    assert desk.brain.desk_state.reason is RefusalReason.KILL_SWITCH


def test_a_desk_that_was_killed_while_it_caught_up_is_set_free_by_the_next_session(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.brain.halt(f"{downtime.DOWN} from a to b: exits only", flatten=False)  # of the checkpoint
    gone_through(desk, monkeypatch, 2)
    assert desk.brain.desk_state.mode is DeskMode.ACTIVE


def test_bars_that_the_venue_does_not_have_are_told(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    gone_through(desk, monkeypatch, 4, without=(LEFT + 2 * MINUTE_NS, LEFT + 3 * MINUTE_NS))
    [gap] = [alarm for alarm in desk.said if alarm.kind == FEED_GAP]
    assert gap.subject == BTC
    assert gap.detail.startswith("2 bars of the time in which the desk was down")
