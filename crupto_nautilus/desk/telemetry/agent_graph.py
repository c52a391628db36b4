"""The desk as a graph: its agents, their tools, strategies, feed and venue, and who speaks to whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from actors.toolbox import ToolSpec
from dashboards.graph import EdgeSpec, NodeSpec
from dashboards.metrics import Domain
from risk.vocabulary import RefusalReason

FEED, VENUE = "feed", "venue"
BRAIN, REGIME, SELECTION, RISK, EXECUTION, MONITOR = "brain", "regime", "strategy", "risk", "exec", "monitor"

AGENT_NODE = {
    "brain": BRAIN,
    "regime": REGIME,
    "selection": SELECTION,
    "risk": RISK,
    "execution": EXECUTION,
    "monitor": MONITOR,
    "router": FEED,
}
"""Name of an agent -> id of its node."""

ACTOR_NODE = {
    "BrainActor": BRAIN,
    "RegimeActor": REGIME,
    "SelectionActor": SELECTION,
    "RiskManagerActor": RISK,
    "ExecutionActor": EXECUTION,
    "MonitorActor": MONITOR,
    "RouterActor": FEED,
}
"""Class that raised -> id of its node."""

_AGENTS = (
    NodeSpec(FEED, "Feed", "feed", "market data as whole instants"),
    NodeSpec(REGIME, "Regime", "agent", "names the market regime of each instrument"),
    NodeSpec(SELECTION, "Selection", "agent", "which strategy may trade in a regime"),
    NodeSpec(BRAIN, "Brain", "agent", "desk state: daily lock, kill switch, halts"),
    NodeSpec(RISK, "Risk", "agent", "answers each signal and keeps the books"),
    NodeSpec(EXECUTION, "Execution", "agent", "the last look at the market before an entry"),
    NodeSpec(MONITOR, "Monitor", "agent", "records, counts, exports"),
    NodeSpec(VENUE, "Venue", "venue", "takes orders and fills them"),
)
_FLOWS = (
    EdgeSpec(FEED, REGIME, "instants"),
    EdgeSpec(FEED, RISK, "instants"),
    EdgeSpec(FEED, BRAIN, "instants"),
    EdgeSpec(REGIME, SELECTION, "regimes"),
    EdgeSpec(SELECTION, RISK, "mandates"),
    EdgeSpec(BRAIN, RISK, "desk states"),
    EdgeSpec(RISK, EXECUTION, "plans"),
    EdgeSpec(VENUE, RISK, "fills"),
    EdgeSpec(RISK, MONITOR, "decisions"),
    EdgeSpec(BRAIN, MONITOR, "desk states"),
)


def strategy_node(name: str) -> str:
    """Return the node id of a strategy."""
    return f"strategy:{name}"


def tool_node(capability: str) -> str:
    """Return the node id of a tool."""
    return f"tool:{capability}"


def nodes_of(strategies: Iterable[str], tools: Iterable[ToolSpec]) -> tuple[NodeSpec, ...]:
    """Return all nodes of a desk."""
    return (
        *_AGENTS,
        *(NodeSpec(strategy_node(name), name, "strategy", "signals and exits") for name in strategies),
        *(
            NodeSpec(
                tool_node(tool.capability),
                tool.capability,
                "tool",
                f"tool of {AGENT_NODE[tool.agent]}, should take at most {tool.cost_hint_ms:g} ms",
            )
            for tool in tools
        ),
    )


def edges_of(strategies: Iterable[str], tools: Iterable[ToolSpec]) -> tuple[EdgeSpec, ...]:
    """Return all edges of a desk."""
    flows: list[EdgeSpec] = list(_FLOWS)
    for name in strategies:
        node = strategy_node(name)
        flows += [
            EdgeSpec(FEED, node, "instants"),
            EdgeSpec(node, RISK, "signals"),
            EdgeSpec(RISK, node, "refusals"),
            EdgeSpec(EXECUTION, node, "answers"),
            EdgeSpec(node, VENUE, "orders"),
        ]
    flows += [EdgeSpec(AGENT_NODE[tool.agent], tool_node(tool.capability), "calls") for tool in tools]
    return tuple(flows)


def domain_of(strategies: Sequence[str], instruments: Sequence[str], tools: Sequence[ToolSpec]) -> Domain:
    """Return the label sets of a desk's metrics."""
    return Domain(
        nodes=tuple((node.id, node.role) for node in nodes_of(strategies, tools)),
        edges=tuple((edge.source, edge.target) for edge in edges_of(strategies, tools)),
        strategies=tuple(strategies),
        instruments=tuple(sorted(instruments)),
        tools=tuple((AGENT_NODE[tool.agent], tool.capability) for tool in tools),
        reasons=tuple(reason.value for reason in RefusalReason),
    )
