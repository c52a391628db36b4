"""The agent graph: states come from conditions, edges from their use."""

from __future__ import annotations

import pytest

from dashboards.graph import COLORS, AgentGraph, EdgeSpec, NodeSpec


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def graph(clock: Clock) -> AgentGraph:
    nodes = (NodeSpec("risk", "Risk", "agent"), NodeSpec("exec", "Execution", "agent"))
    return AgentGraph(nodes, (EdgeSpec("risk", "exec", "plans"),), active_s=5.0, now=clock)


def test_a_node_that_was_never_seen_is_off_and_says_so(graph: AgentGraph) -> None:
    assert graph.state("risk") == ("disabled", "not seen yet")


def test_a_node_in_use_without_conditions_is_ok(graph: AgentGraph) -> None:
    graph.use("risk", "exec")
    assert graph.state("risk") == graph.state("exec") == ("ok", "")


def test_the_worst_condition_wins_and_gives_the_cause(graph: AgentGraph) -> None:
    graph.use("risk", "exec")
    graph.report("risk", "a", "warning", "slow")
    graph.report("risk", "b", "error", "raised")
    assert graph.state("risk") == ("error", "raised")
    graph.report("risk", "c", "disabled", "switched off")
    assert graph.state("risk") == ("disabled", "switched off")
    graph.report("risk", "c", "ok", "")
    graph.clear("risk", "b")
    assert graph.state("risk") == ("warning", "slow")


def test_what_happened_once_passes_after_its_time(graph: AgentGraph, clock: Clock) -> None:
    graph.use("risk", "exec")
    graph.report("risk", "call", "error", "raised", hold_s=60.0)
    clock.at += 59.0
    assert graph.state("risk")[0] == "error"
    clock.at += 2.0
    assert graph.state("risk")[0] == "ok"


def test_an_edge_is_active_for_its_seconds_and_keeps_its_count(graph: AgentGraph, clock: Clock) -> None:
    assert not graph.active("risk", "exec")
    graph.use("risk", "exec", 3)
    graph.use_all("risk", ("exec",))
    edge = graph.to_json()["edges"][0]
    assert (edge["active"], edge["calls"], edge["last_call"], edge["thickness"]) == (True, 4, clock.at, 3)
    clock.at += 5.0
    edge = graph.to_json()["edges"][0]
    assert (edge["active"], edge["calls"], edge["thickness"]) == (False, 4, 1)


def test_an_edge_to_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="ends at 'exec'"):
        AgentGraph((NodeSpec("risk", "Risk", "agent"),), (EdgeSpec("risk", "exec", "plans"),))


def test_the_fields_are_those_of_grafanas_frames(graph: AgentGraph) -> None:
    drawn = graph.to_json()
    node, edge = drawn["nodes"][0], drawn["edges"][0]
    assert {"id", "title", "subtitle", "mainstat", "secondarystat", "color", "state", "active"} <= set(node)
    assert {"id", "source", "target", "mainstat", "thickness", "color", "active"} <= set(edge)
    assert node["color"] == COLORS[node["state"]]
