"""The agent graph: who works, who calls whom, and what is wrong with whom and why.

Guarantees: a node's state is the worst of the conditions that were reported for it (disabled beats error
beats warning) and carries its cause; a node about which nothing was reported has not been seen yet and says
so; an edge is `active` for `active_s` after its last use; the JSON has the field names of Grafana's node
graph frames, and every edge joins two nodes that exist.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

OK, WARNING, ERROR, DISABLED = "ok", "warning", "error", "disabled"
_RANK = {OK: 0, WARNING: 1, ERROR: 2, DISABLED: 3}
COLORS = {OK: "#37872D", WARNING: "#F2CC0C", ERROR: "#C4162A", DISABLED: "#8E8E8E"}
EDGE_ACTIVE, EDGE_IDLE = "#5794F2", "#555555"


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node: `role` is its kind (agent, tool, strategy, feed, venue), `note` what it does."""

    id: str
    title: str
    role: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class EdgeSpec:
    """An edge and what travels on it."""

    source: str
    target: str
    carries: str


@dataclass(slots=True)
class _Condition:
    state: str
    cause: str
    since: float
    until: float  # infinity: until it is cleared


@dataclass(slots=True)
class _Node:
    spec: NodeSpec
    conditions: dict[str, _Condition] = field(default_factory=dict)
    seen: float = 0.0
    figure: str = ""


@dataclass(slots=True)
class Edge:
    """An edge's use so far; the desk's thread bumps it through `AgentGraph.use`."""

    spec: EdgeSpec
    calls: int = 0
    last: float = 0.0  # wall time, seconds


class AgentGraph:
    """State of every node and use of every edge.

    Parameters
    ----------
    nodes, edges
        All there are; an edge to a node that is not there raises ValueError.
    active_s : float
        How long an edge counts as active after its last use, wall seconds.
    now : Callable
        Wall time in seconds; tests hand in their own.
    """

    def __init__(
        self,
        nodes: Iterable[NodeSpec],
        edges: Iterable[EdgeSpec],
        active_s: float = 5.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.nodes = {spec.id: _Node(spec) for spec in nodes}
        self.edges = {(spec.source, spec.target): Edge(spec) for spec in edges}
        self.active_s, self.now = active_s, now
        for source, target in self.edges:
            for end in (source, target):
                if end not in self.nodes:
                    raise ValueError(f"edge {source}->{target} ends at {end!r}, expected a node of the graph")

    def use(self, source: str, target: str, calls: int = 1) -> None:
        """Count calls on an edge; both ends were alive."""
        edge, now = self.edges[source, target], self.now()
        edge.calls += calls
        edge.last = now
        self.nodes[source].seen = self.nodes[target].seen = now

    def use_all(self, source: str, targets: Iterable[str]) -> None:
        """Count one call from a node to each of several (the hot path of instants)."""
        now = self.now()
        for target in targets:
            edge = self.edges[source, target]
            edge.calls += 1
            edge.last = now
            self.nodes[target].seen = now
        self.nodes[source].seen = now

    def report(self, node: str, key: str, state: str, cause: str, hold_s: float | None = None) -> None:
        """Report a condition of a node; the same key replaces it, OK removes it.

        `hold_s` lets it pass by itself after that time; None keeps it until it is cleared.
        """
        conditions = self.nodes[node].conditions
        if state == OK:
            conditions.pop(key, None)
            return
        now = self.now()
        before = conditions.get(key)
        since = before.since if before is not None and before.state == state else now
        until = float("inf") if hold_s is None else now + hold_s
        conditions[key] = _Condition(state, cause, since, until)

    def show(self, node: str, figure: str) -> None:
        """Set the short figure beside a node's state."""
        self.nodes[node].figure = figure

    def clear(self, node: str, key: str) -> None:
        """Take a condition back."""
        self.nodes[node].conditions.pop(key, None)

    def state(self, node: str) -> tuple[str, str]:
        """Return (state, cause) of a node now."""
        found, now = self.nodes[node], self.now()
        holding = [c for c in list(found.conditions.values()) if c.until > now]
        if not holding:
            if not found.seen:
                return DISABLED, "not seen yet"
            return OK, ""
        worst = max(holding, key=lambda c: (_RANK[c.state], c.since))
        return worst.state, worst.cause

    def active(self, source: str, target: str) -> bool:
        """Tell whether an edge was used within the last `active_s` seconds."""
        edge = self.edges[source, target]
        return edge.calls > 0 and self.now() - edge.last < self.active_s

    def to_json(self) -> dict[str, Any]:
        """Return nodes and edges as Grafana's node graph frames name them, with `state` and `active`."""
        return {
            "generated_at": self.now(),
            "active_s": self.active_s,
            "nodes": [self._node(node) for node in self.nodes.values()],
            "edges": [self._edge(edge) for edge in self.edges.values()],
        }

    def _node(self, node: _Node) -> dict[str, Any]:
        spec = node.spec
        state, cause = self.state(spec.id)
        return {
            "id": spec.id,
            "title": spec.title,
            "subtitle": spec.role,
            "mainstat": state,
            "secondarystat": node.figure,
            "color": COLORS[state],
            "state": state,
            "active": node.seen > 0.0 and self.now() - node.seen < self.active_s,
            "cause": cause,
            "last_seen": node.seen or None,
            "detail__note": spec.note,
            "detail__cause": cause,
        }

    def _edge(self, edge: Edge) -> dict[str, Any]:
        spec = edge.spec
        active = self.active(spec.source, spec.target)
        return {
            "id": f"{spec.source}->{spec.target}",
            "source": spec.source,
            "target": spec.target,
            "mainstat": edge.calls,
            "secondarystat": spec.carries,
            "thickness": 3 if active else 1,
            "color": EDGE_ACTIVE if active else EDGE_IDLE,
            "active": active,
            "calls": edge.calls,
            "last_call": edge.last or None,
        }
