"""Services around a run start in order, stop in reverse, and never keep each other from stopping."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from crupto_nautilus.desk.services import RunEnding, running


class Spy:
    def __init__(self, name: str, log: list[str], *, start: str = "", stop: str = "") -> None:
        self.name, self.log, self._start, self._stop = name, log, start, stop

    def start(self, context: Any) -> None:
        self.log.append(f"start {self.name}")
        if self._start:
            raise ValueError(self._start)

    def stop(self, reason: str) -> None:
        self.log.append(f"stop {self.name}: {reason}")
        if self._stop:
            raise OSError(self._stop)


def context(reason: str = "", ended: str = "") -> Any:
    ending = RunEnding()
    if reason:
        ending.request(reason)
    return SimpleNamespace(ending=ending, feed=SimpleNamespace(ended=ended), notes=[])


def test_services_stop_in_reverse_with_the_reason_of_the_end() -> None:
    log: list[str] = []
    with running([Spy("a", log), Spy("b", log)], context("operator stop")):
        log.append("run")
    assert log == ["start a", "start b", "run", "stop b: operator stop", "stop a: operator stop"]


def test_one_that_fails_to_stop_keeps_no_other_from_stopping_and_is_noted() -> None:
    log: list[str] = []
    around = context(ended="completed")
    with running([Spy("a", log), Spy("b", log, stop="disk full")], around) as failures:
        pass
    assert log[-1] == "stop a: completed"
    assert [str(error) for error in failures] == ["disk full"]
    assert around.notes == ["b did not stop cleanly: disk full"]


def test_one_that_fails_to_start_ends_the_run_and_stops_those_before_it() -> None:
    log: list[str] = []
    services = [Spy("a", log), Spy("b", log, start="port taken"), Spy("c", log)]
    with pytest.raises(ValueError, match="port taken"), running(services, context()):
        log.append("run")
    assert log == ["start a", "start b", "stop a: interrupted"]


def test_a_run_that_raises_still_stops_its_services() -> None:
    log: list[str] = []
    with pytest.raises(RuntimeError, match="node"), running([Spy("a", log)], context()):
        raise RuntimeError("node")
    assert log == ["start a", "stop a: interrupted"]


def test_the_first_wish_to_end_is_recorded_and_one_before_the_node_runs_is_not_lost() -> None:
    calls: list[str] = []
    ending = RunEnding()
    ending.request("duration 8h")
    ending.request("operator")
    ending.bind(lambda: calls.append("stopped"))
    assert (ending.reason, calls) == ("duration 8h", ["stopped"])
