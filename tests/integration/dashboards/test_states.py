"""Every node in every state, every edge in use and idle: /graph, metrics, Prometheus and the page agree."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.tools import TOOLS
from crupto_nautilus.desk.telemetry import agent_graph as names
from dashboards.expressions import ask, board_expressions
from dashboards.graph import COLORS
from dashboards.server import DashboardServer
from risk.vocabulary import (
    Alarm,
    DeskMode,
    Mandate,
    MandateRow,
    RefusalReason,
    Regime,
    RegimeLabel,
    Role,
)
from strategies.guarded import HANDLER_ERROR
from tests.fakes.observers import browser, prometheus, wait_for
from tests.fakes.watched_desk import STRATEGIES, WatchedDesk

_NODE_STATES = "all => all.map(n => [n.dataset.node, n.dataset.state])"
_EDGE_USE = "all => all.map(e => [e.dataset.edge, e.dataset.active])"


def regime(desk: WatchedDesk, label: RegimeLabel) -> None:
    desk.hear(Regime(desk.ts, desk.instruments[0], label, label))


def mandate(desk: WatchedDesk) -> None:
    rows = tuple(MandateRow(name, True, (1, -1)) for name in STRATEGIES)
    desk.hear(Mandate(desk.ts, desk.instruments[0], RegimeLabel.TREND_UP, rows))


def handler_error(desk: WatchedDesk, where: str) -> None:
    desk.hear(Alarm(desk.ts, HANDLER_ERROR, where, "ValueError: as the scenario says"))


def use_all(desk: WatchedDesk) -> None:
    """Use every edge once, well."""
    desk.instant()
    regime(desk, RegimeLabel.TREND_UP)
    mandate(desk)
    desk.desk_state(DeskMode.ACTIVE)
    for tool in TOOLS:
        desk.call(tool.capability)
    for strategy in STRATEGIES:
        node = names.strategy_node(strategy)
        # the scripted messages are those of the first strategy; the other's edges are used directly
        if strategy != STRATEGIES[0]:
            for edge in (
                (node, names.RISK),
                (names.RISK, node),
                (names.EXECUTION, node),
                (node, names.VENUE),
            ):
                desk.telemetry.graph.use(*edge)
    desk.answer(RefusalReason.COOLDOWN)
    desk.answer(None)
    desk.order("submit")
    desk.order("accepted")
    desk.fill()
    desk.protect(19_900.0)
    desk.pulse()


def warn_all(desk: WatchedDesk) -> None:
    """Something that deserves attention at every node."""
    desk.instant(late=desk.instruments[1:])
    regime(desk, RegimeLabel.PANIC)
    desk.desk_state(DeskMode.REDUCE_ONLY, RefusalReason.DAILY_LOCK, "-1.9 %")
    desk.answer(RefusalReason.PORTFOLIO_CAP)
    desk.answer(RefusalReason.ILLIQUID)
    desk.order("rejected", reason="post only would take")
    desk.hear(Alarm(desk.ts, "drift", "books", "a sample"))
    desk.slow.update(tool.capability for tool in TOOLS)
    for tool in TOOLS:
        desk.call(tool.capability)
    desk.slow.clear()
    desk.pulse()


def break_all(desk: WatchedDesk) -> None:
    """Something broken at every node."""
    desk.desk_state(DeskMode.HALTED, RefusalReason.KILL_SWITCH, "-3.6 %")
    desk.instant()
    for where in (
        "RegimeActor.on_instant",
        "Breakout4H.on_instant",
        "RouterActor.on_data",
        "MonitorActor.on_fill",
    ):
        handler_error(desk, where)
    desk.telemetry.know_class("Other", STRATEGIES[1])
    handler_error(desk, "Other.on_instant")
    desk.order("denied", reason="exceeds the free margin")
    desk.failing.update({tool.capability: "as the scenario says" for tool in TOOLS})
    for tool in TOOLS:
        desk.call(tool.capability)
    desk.failing.clear()
    desk.pulse()


def end(desk: WatchedDesk) -> None:
    """The run is over; nothing moves any more."""
    desk.telemetry.pulse.end("completed")
    desk.sleep(desk.telemetry.graph.active_s)


STEPS: list[tuple[str, Callable[[WatchedDesk], None], str, bool]] = [
    ("nothing was said yet", lambda _: None, "disabled", False),
    ("all is well", use_all, "ok", True),
    ("warnings", warn_all, "warning", True),
    ("errors", break_all, "error", True),
    ("the end", end, "disabled", False),
]


@pytest.fixture
def desk(tmp_path: Path) -> WatchedDesk:
    return WatchedDesk(tmp_path, wall=1_750_000_000.0)


def states(desk: WatchedDesk) -> dict[str, str]:
    return {node["id"]: node["state"] for node in desk.board.graph()["nodes"]}


def fresh(desk: WatchedDesk) -> None:
    """Answers are kept for a moment; the scenario wants them new."""
    desk.board._answers.clear()


def metric_states(text: str) -> dict[str, str]:
    found = re.findall(r'^crupto_agent_state\{agent="([^"]+)",role="[^"]+",state="(\w+)"\} 1\.0$', text, re.M)
    return dict(found)


def test_every_node_is_really_seen_in_every_state_and_every_edge_in_use_and_idle(desk: WatchedDesk) -> None:
    seen: dict[str, set[str]] = {node: set() for node in desk.telemetry.graph.nodes}
    used: dict[tuple[str, str], set[bool]] = {edge: set() for edge in desk.telemetry.graph.edges}
    for name, step, state, _ in STEPS:
        step(desk)
        fresh(desk)
        now = states(desk)
        assert set(now.values()) == {state}, f"{name}: {[n for n, s in now.items() if s != state]}"
        for node, found in now.items():
            seen[node].add(found)
        for edge, found_there in used.items():
            found_there.add(desk.telemetry.graph.active(*edge))
    assert all(found == {"ok", "warning", "error", "disabled"} for found in seen.values())
    # (the instants of an edge stay in use across the middle steps; both values were seen)
    assert [edge for edge, found in used.items() if found != {True, False}] == []


def test_each_state_has_its_cause(desk: WatchedDesk) -> None:
    for _, step, state, _ in STEPS[:4]:
        step(desk)
        fresh(desk)
        for node in desk.board.graph()["nodes"]:
            assert bool(node["cause"]) == (state != "ok"), node


@pytest.mark.prometheus
@pytest.mark.chromium
def test_graph_metrics_prometheus_and_page_agree_at_each_step(
    desk: WatchedDesk, tmp_path: Path, prometheus_program: str, chromium_program: str
) -> None:
    server = DashboardServer(desk.board, port=0)
    server.start()
    questions = {e.place.split()[-1]: e for e in board_expressions() if e.place.startswith("dashboard_nodes")}
    nodes, edges = questions["nodes"].as_question(), questions["edges"].as_question()
    try:
        with (
            prometheus(prometheus_program, tmp_path / "prometheus", server.port) as url,
            browser(chromium_program, viewport={"width": 1300, "height": 900}) as (page, problems),
        ):
            page.goto(server.url)
            for name, step, state, in_use in STEPS:
                step(desk)
                fresh(desk)
                wanted = states(desk)
                assert set(wanted.values()) == {state}
                wait_for(
                    lambda w=wanted: metric_states(desk.board.metrics().decode()) == w, 3, f"{name}: metrics"
                )
                wait_for(lambda w=wanted: _asked_states(url, nodes) == w, 8, f"{name}: Prometheus nodes")
                wait_for(lambda w=wanted: _shown_states(page) == w, 3, f"{name}: page")
                drawn = {e["id"]: e["active"] for e in desk.board.graph()["edges"]}
                assert set(drawn.values()) == {in_use} or name in {"warnings", "errors"}
                wait_for(lambda d=drawn: _asked_edges(url, edges) == d, 8, f"{name}: Prometheus edges")
                wait_for(lambda d=drawn: _shown_edges(page) == d, 3, f"{name}: edges of the page")
            _check_node_graph_rules(ask(url, nodes), ask(url, edges))
            assert problems == []
    finally:
        server.stop()


def _asked_states(url: str, question: str) -> dict[str, str]:
    rows = [row["metric"] for row in ask(url, question)]
    assert all(row["color"] == COLORS[row["state"]] for row in rows)
    return {row["id"]: row["mainstat"] for row in rows}


def _asked_edges(url: str, question: str) -> dict[str, bool]:
    return {row["metric"]["id"]: row["metric"]["color"] != "#555555" for row in ask(url, question)}


def _shown_states(page: Any) -> dict[str, str]:
    return dict(page.eval_on_selector_all("[data-node]", _NODE_STATES))


def _shown_edges(page: Any) -> dict[str, bool]:
    found = page.eval_on_selector_all("[data-edge]", _EDGE_USE)
    return {edge: active == "true" for edge, active in found}


def _check_node_graph_rules(nodes: list[dict[str, Any]], edges: list[dict[str, Any]]) -> None:
    """Check what Grafana's node graph panel demands of its two frames."""
    ids = [row["metric"]["id"] for row in nodes]
    assert len(ids) == len(set(ids))
    assert len({row["metric"]["id"] for row in edges}) == len(edges)
    for row in edges:
        assert {row["metric"]["source"], row["metric"]["target"]} <= set(ids)
    for row in (*nodes, *edges):
        assert row["metric"]["color"].startswith("#")


def test_a_position_that_loses_its_stop_is_an_error_of_risk_until_it_has_one(desk: WatchedDesk) -> None:
    desk.instant()
    desk.fill(Role.ENTRY)
    desk.protect(19_900.0)
    desk.pulse()
    assert desk.state_of("risk") == "ok"
    desk.protect(0.0)
    desk.beat()
    desk.beat()
    assert desk.state_of("risk") == "error"
    assert desk.telemetry.store["crupto_positions_without_stop"][()] == 1.0
    desk.protect(19_900.0)
    desk.pulse()
    assert desk.state_of("risk") == "ok"
