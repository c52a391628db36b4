"""What every agent of the desk has in common: desk time, its tools, and calls that everyone can see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from nautilus_trader.common import DataActor

from actors.toolbox import ToolContext, ToolFailure, ToolRegistry
from risk.clock import DeskClock
from strategies import bus


class DeskAgent(DataActor):
    """Base of the agents; `connect` must be called before the agent starts."""

    agent: ClassVar[str]
    desk_clock: DeskClock

    def connect(self, run_id: str, clock: DeskClock, tools: ToolRegistry) -> None:
        """Hand over the run id, the desk clock and the table of tools."""
        self.run_id, self.desk_clock, self.tools = run_id, clock, tools
        self._call_topic = bus.call(self.agent)

    def hear(self, topic: str, handler: Callable[[Any], None], priority: int) -> None:
        """Subscribe a handler of one message type to a topic; higher priorities run first."""
        self.subscribe_topic(topic, handler, priority)

    def use(self, capability: str, *args: Any, context: ToolContext | None = None) -> Any:
        """Call a tool and return its result; raises `ToolFailure`.

        Every call is timed and counted in the toolbox; one that was slow or failed is published too.
        """
        if context is None:
            context = self.context()
        try:
            result, slow = self.tools.call(capability, context, *args)
        except ToolFailure as failure:
            self.publish_message(self._call_topic, failure.args[1])
            raise
        if slow is not None:
            self.publish_message(self._call_topic, slow)
        return result

    def context(self, instrument: str = "", trace_id: str = "") -> ToolContext:
        """Return who calls, for what, now; one context serves all calls of one decision."""
        return ToolContext(self.run_id, self.desk_clock.now_ns, instrument, trace_id)
