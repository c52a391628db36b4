"""What the desk's latency is compared with: a live node with one plain strategy, from bar to order.

The same feed, venue and node as the desk has, but no whole instants, agents or records: a moving average of
each instrument, and a market order where the close crosses it.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from nautilus_trader.model import BarType, InstrumentId, OrderSide, Quantity, StrategyId
from nautilus_trader.trading import Strategy, StrategyConfig

from catalog.feed import END, MARK_TYPE, bar_type, feed_client
from crupto_nautilus.desk.edges import FEEDS, VENUES, Feed
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.paper import build_node
from crupto_nautilus.desk.plan import Prepared, make_plan
from risk.vocabulary import InstrumentRules

AVERAGE_BARS = 20
NOTIONAL_USD = 1_000.0


class PlainStrategy(Strategy):
    """Buys where the close crosses above its average, sells back where it crosses below."""

    def setup(
        self, rules: Mapping[str, InstrumentRules], types: Sequence[BarType], feed: Feed
    ) -> PlainStrategy:
        """Hand over the instruments, their bars and the feed whose stopwatch runs."""
        self._rules, self._types, self._feed = rules, types, feed
        self._ids = {name: InstrumentId.from_str(name) for name in rules}
        self._average: dict[str, float] = {}
        self._held: dict[str, Quantity] = {}
        self.elapsed_ns = array("q")
        return self

    def on_start(self) -> None:
        """Subscribe to the bars, and to the marks that start and end the feed."""
        for one in self._types:
            self.subscribe_bars(one)
        self.subscribe_data(MARK_TYPE, feed_client(min(self._rules).rpartition(".")[2]))

    def on_data(self, data: Any) -> None:
        """Let the feed go on, and the node end with it."""
        self._feed.on_phase(data.data.phase)
        if data.data.phase == END:
            self.shutdown_system("the feed has ended")

    def on_bar(self, bar: Any) -> None:
        """Decide on one bar and order at once."""
        name, close = str(bar.bar_type.instrument_id), bar.close.as_double()
        before = self._average.get(name, close)
        self._average[name] = before + (close - before) * 2.0 / (AVERAGE_BARS + 1)
        held = self._held.get(name)
        if (close > before) == (held is not None):
            return
        if held is None:
            digits = self._rules[name].size_digits
            quantity = self._held[name] = Quantity(round(NOTIONAL_USD / close, digits), digits)
        else:
            quantity = self._held.pop(name)
        side = OrderSide.BUY if held is None else OrderSide.SELL
        self._clock_order(bar.ts_event)
        self.submit_order(self.order_factory.market(self._ids[name], side, quantity))

    def _clock_order(self, ts: int) -> None:
        elapsed = self._feed.stopwatch.elapsed_ns(ts)
        if elapsed is not None:
            self.elapsed_ns.append(elapsed)


def run_plain(prepared: Prepared, options: PaperOptions) -> array[int]:
    """Play the feed into a node with one plain strategy; return each order's time from its bar, ns."""
    plan = make_plan(prepared, options)
    feed: Feed = FEEDS[options.feed](prepared, plan, options)
    node = build_node(feed, VENUES[options.execution](plan, options))
    types = [bar_type(name, minutes) for name, minutes in sorted(plan.base_minutes.items())]
    plain = PlainStrategy(StrategyConfig(strategy_id=StrategyId("PLAIN-001"), order_id_tag="plain"))
    node.add_strategy(plain.setup(plan.rules, types, feed))
    node.run()
    node.dispose()
    if feed.failure:
        raise RuntimeError(f"the feed failed: {feed.failure}")
    return plain.elapsed_ns


__all__ = ["PlainStrategy", "run_plain"]
