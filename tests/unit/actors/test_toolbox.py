"""The toolbox: one door for all tools, timed and counted."""

from __future__ import annotations

import time

import pytest

from actors.toolbox import ToolContext, ToolFailure, ToolRegistry, ToolSpec
from risk.vocabulary import ToolState

CONTEXT = ToolContext("run", 5, "BTC", "trace")


def registry(function: object, hint_ms: float = 100.0) -> ToolRegistry:
    tools = ToolRegistry()
    tools.register(ToolSpec("add", "risk", function, hint_ms))  # type: ignore[arg-type]
    return tools


def test_a_call_returns_its_result_and_is_counted() -> None:
    tools = registry(lambda context, a, b: a + b)
    result, call = tools.call("add", CONTEXT, 1, 2)
    assert result == 3
    assert call is None
    assert tools.stats["add"].state is ToolState.OK
    assert tools.stats["add"].calls == 1
    assert tools.stats["add"].quantile_ns(0.5) <= tools.stats["add"].max_ns


def test_a_second_tool_of_the_same_capability_raises() -> None:
    tools = registry(lambda context: None)
    with pytest.raises(ValueError, match="registered already"):
        tools.register(ToolSpec("add", "risk", lambda context: None, 1.0))


def test_an_unknown_capability_raises_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="known: add"):
        registry(lambda context: None).call("subtract", CONTEXT)


def test_a_tool_that_raises_becomes_a_failure_with_its_record() -> None:
    def broken(context: ToolContext) -> None:
        raise RuntimeError("planned")

    tools = registry(broken)
    with pytest.raises(ToolFailure, match="add: RuntimeError: planned") as caught:
        tools.call("add", CONTEXT)
    assert caught.value.args[1].state is ToolState.ERROR
    assert tools.stats["add"].errors == 1


def test_a_slow_tool_is_a_warning_and_recovers() -> None:
    delay = [0.06]
    tools = registry(lambda context: time.sleep(delay[0]), hint_ms=8.0)
    slow = tools.call("add", CONTEXT)[1]
    assert slow is not None
    assert slow.state is ToolState.WARNING
    assert (slow.agent, slow.capability, slow.trace_id, slow.ts_event) == ("risk", "add", "trace", 5)
    delay[0] = 0.0
    assert tools.call("add", CONTEXT)[1] is None
    assert tools.stats["add"].state is ToolState.OK
    assert tools.stats["add"].warnings == 1


def test_a_disabled_tool_fails_every_call() -> None:
    tools = registry(lambda context: 1)
    tools.disable("add")
    with pytest.raises(ToolFailure, match="disabled"):
        tools.call("add", CONTEXT)
