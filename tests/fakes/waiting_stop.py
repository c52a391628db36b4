"""A sandbox node in which a stop waits for its resting entry, longer than the engine's in-flight check waits.

`python -m tests.fakes.waiting_stop INTERVAL_MS` prints the events of the stop and its status in the end.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from nautilus_trader.adapters.sandbox import SandboxExecutionClientConfig, SandboxExecutionClientFactory
from nautilus_trader.common import Environment, LoggerConfig, LogLevel
from nautilus_trader.core import UUID4
from nautilus_trader.live import DataClientConfig, LiveExecutionEngineConfig, LiveNode
from nautilus_trader.live.clients import DataClientFactory, MarketDataClient
from nautilus_trader.live.providers import InstrumentProvider
from nautilus_trader.model import (
    ClientOrderId,
    ContingencyType,
    LimitOrder,
    OrderListId,
    OrderSide,
    Price,
    Quantity,
    StopMarketOrder,
    StrategyId,
    TimeInForce,
    TraderId,
    TriggerType,
    Venue,
)
from nautilus_trader.trading import StrategyConfig

from adapters.simulated import DeskFeeModel, perpetual, venue_arguments
from catalog.feed import EngineFeed
from risk.vocabulary import MINUTE_NS, Bar
from tests.fakes.engine import MINUTES, NAME, RULES, START, Script

THRESHOLD_MS = 200  # the engine's own default is 5 s
WAIT_S = 1.2
FLAT = (100.0, 100.0, 100.0, 100.0, 1000.0)
VENUE = NAME.rpartition(".")[2]


def rest(s: Script) -> None:
    """Send an entry far from the market, its stop attached."""
    entry_id, stop_id, size, now = ClientOrderId("in"), ClientOrderId("stop"), Quantity(1.0, 4), START
    entry = LimitOrder(
        s.trader_id, s.strategy_id, s.iid, entry_id, OrderSide.BUY, size, Price(90.0, 2), TimeInForce.GTC,
        True, False, False, UUID4(), now, contingency_type=ContingencyType.OTO,
        order_list_id=OrderListId("L-1"), linked_order_ids=[stop_id],
    )  # fmt: skip
    stop = StopMarketOrder(
        s.trader_id, s.strategy_id, s.iid, stop_id, OrderSide.SELL, size, Price(89.0, 2),
        TriggerType.LAST_PRICE, TimeInForce.GTC, True, False, UUID4(), now,
        order_list_id=OrderListId("L-1"), parent_order_id=entry_id,
    )  # fmt: skip
    s.submit_order_list([entry, stop])


def finish(s: Script) -> None:
    """Say what became of the stop and end the node."""
    order = s.cache.order(ClientOrderId("stop"))
    print(*s.kinds("stop"), str(order.status))
    s.shutdown_system("done")


class Client(MarketDataClient):
    """Two bars, and a pause between them."""

    async def _connect(self) -> None:
        self._handle_instrument(perpetual(RULES, "BTC"))

    async def _disconnect(self) -> None:
        return

    async def _unsubscribe_bars(self, command: Any) -> None:
        return

    async def _subscribe_bars(self, command: Any) -> None:
        self.create_task(self._play(), "play")

    async def _play(self) -> None:
        feed = EngineFeed({NAME: RULES}, {NAME: MINUTES})
        for k in (1, 2):
            ts = START + k * MINUTES * MINUTE_NS
            self._handle_data(feed.engine_bar(Bar(NAME, MINUTES, ts, *FLAT), ts))
            await asyncio.sleep(WAIT_S)


class Provider(InstrumentProvider):
    """Knows the one instrument."""

    async def load_all_async(self, filters: Any = None) -> None:
        self.add(perpetual(RULES, "BTC"))


class Factory(DataClientFactory):
    """Makes the client."""

    @staticmethod
    def create(*, name: Any, config: Any, cache: Any, clock: Any) -> Client:
        provider = Provider(config.instrument_provider)
        return Client(
            name=name, config=config, cache=cache, clock=clock, venue=Venue(VENUE),
            instrument_provider=provider,
        )  # fmt: skip


def main(interval_ms: int) -> None:
    """Run the node until its second bar."""
    arguments = venue_arguments(Venue(VENUE), 10_000.0, DeskFeeModel({NAME: RULES}, False))
    venue, balances = arguments.pop("venue"), arguments.pop("starting_balances")
    node = (
        LiveNode.builder("TEST", TraderId("TEST-001"), Environment.SANDBOX)
        .with_logging(LoggerConfig(stdout_level=LogLevel.OFF))
        .with_delay_post_stop_secs(1)
        .with_exec_engine_config(
            LiveExecutionEngineConfig(
                inflight_check_interval_ms=interval_ms,
                inflight_check_threshold_ms=THRESHOLD_MS,
                inflight_check_retries=1,
                reconciliation_startup_delay_secs=0.0,  # the check begins after it
            )
        )
        .add_data_client(VENUE, Factory, DataClientConfig())
        .add_simulated_exec_client(
            VENUE,
            SandboxExecutionClientFactory(),
            SandboxExecutionClientConfig(venue, balances, bar_execution=True, **arguments),
        )
        .build()
    )
    script = Script(StrategyConfig(strategy_id=StrategyId("SCRIPT-001"), order_id_tag="script"))
    node.add_strategy(script.setup({1: rest, 2: finish}))
    node.run()
    node.dispose()


if __name__ == "__main__":
    main(int(sys.argv[1]))
