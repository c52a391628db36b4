"""Factories for a live node's builder, bound to settings.

builder.add_data_client("BINGX", data_factory(DataSettings(symbols=("BTC-USDT",))), DataClientConfig())
builder.add_exec_client("BINGX", execution_factory(ExecutionSettings(credentials)), ExecutionClientConfig())
builder.with_exec_engine_config(engine_config())
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nautilus_trader.live import LiveExecutionEngineConfig
from nautilus_trader.live.clients import DataClientFactory, ExecutionClientFactory

from adapters.bingx.config import DataSettings, ExecutionSettings
from adapters.bingx.data import BingxDataClient
from adapters.bingx.execution import BingxExecutionClient
from adapters.live.feed import InstantFeed
from adapters.live.venue_clock import VenueClock


def data_factory(
    settings: DataSettings,
    feed: InstantFeed | None = None,
    made: Callable[[BingxDataClient], None] | None = None,
    clock: VenueClock | None = None,
    instruments: tuple[Any, ...] = (),
) -> type[DataClientFactory]:
    """Return a factory of data clients; `made` is told the client, for its counters."""
    venue_clock = clock

    class Factory(DataClientFactory):
        @staticmethod
        def create(*, name: Any, config: Any, cache: Any, clock: Any) -> BingxDataClient:
            client = BingxDataClient(
                name=name,
                config=config,
                cache=cache,
                clock=clock,
                settings=settings,
                feed=feed,
                venue_clock=venue_clock,
                instruments=instruments,
            )
            if made is not None:
                made(client)
            return client

    return Factory


def execution_factory(
    settings: ExecutionSettings, made: Callable[[BingxExecutionClient], None] | None = None
) -> type[ExecutionClientFactory]:
    """Return a factory of execution clients; `made` is told the client, for its counters."""

    class Factory(ExecutionClientFactory):
        @staticmethod
        def create(*, name: Any, config: Any, cache: Any, clock: Any, trader_id: Any) -> BingxExecutionClient:
            client = BingxExecutionClient(
                name=name, config=config, cache=cache, clock=clock, trader_id=trader_id, settings=settings
            )
            if made is not None:
                made(client)
            return client

    return Factory


def engine_config(*, reconciliation: bool = True, startup_delay_s: float = 1.0) -> LiveExecutionEngineConfig:
    """Return the configuration of the execution engine that this client needs.

    The adapter finds out itself what became of an order whose outcome is unknown, and the stop of an entry is
    accepted when the entry has filled, hours later perhaps: no timer of the engine may declare either dead.
    (`RETAIN_UNRESOLVED` would keep them too, but a node fails at its end while such a stop waits.)
    """
    return LiveExecutionEngineConfig(
        reconciliation=reconciliation,
        reconciliation_startup_delay_secs=startup_delay_s,
        inflight_check_interval_ms=0,
    )
