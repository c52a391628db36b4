"""A live node on a fake BingX: settings for its addresses and its clock, and a node with both clients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nautilus_trader.common import Environment, LoggerConfig, LogLevel
from nautilus_trader.live import (
    DataClientConfig,
    ExecutionClientConfig,
    LiveExecutionEngineConfig,
    LiveNode,
)
from nautilus_trader.model import TraderId

from adapters.bingx.config import Credentials, DataSettings, Endpoints, ExecutionSettings, StreamSettings
from adapters.bingx.factories import data_factory, engine_config, execution_factory
from adapters.live.timebase import ScaledTime
from tests.fakes.bingx.threaded import ThreadedBingx

QUICK = StreamSettings(
    subscribes_per_second=200.0, ack_timeout_s=2.0, first_backoff_s=0.05, last_backoff_s=0.5
)


def endpoints(venue: Any) -> Endpoints:
    return Endpoints(venue.rest_url, venue.ws_url)


def venue_time(venue: ThreadedBingx) -> ScaledTime:
    now, speed = venue.call(lambda fake: (fake.clock.now_ms(), fake.settings.speed))
    return ScaledTime(now, speed)


def data_settings(venue: ThreadedBingx, *symbols: str, **changes: Any) -> DataSettings:
    found = DataSettings(
        endpoints=endpoints(venue),
        symbols=symbols,
        timebase=venue_time(venue),
        stream=QUICK,
        poll_s=5.0,
        timeout_s=3.0,
    )
    return replace(found, **changes)


def execution_settings(
    venue: ThreadedBingx, *symbols: str, journal: Path | None = None, **changes: Any
) -> ExecutionSettings:
    key, secret = venue.call(lambda fake: (fake.settings.api_key, fake.settings.api_secret))
    found = ExecutionSettings(
        credentials=Credentials.of(key, secret),
        endpoints=endpoints(venue),
        symbols=symbols,
        timebase=venue_time(venue),
        stream=QUICK,
        fill_patience_s=0.3,
        order_window_s=3.0,
        timeout_s=3.0,
        reconcile_s=5.0,
        order_journal=journal,
    )
    return replace(found, **changes)


def node(
    data: DataSettings | None,
    execution: ExecutionSettings | None,
    *,
    made: Callable[[Any], None] | None = None,
    name: str = "VST",
    engine: LiveExecutionEngineConfig | None = None,
) -> LiveNode:
    """Return a node with the clients of these settings."""
    builder = (
        LiveNode.builder(name, TraderId(f"{name}-001"), Environment.SANDBOX)
        .with_logging(LoggerConfig(stdout_level=LogLevel.ERROR))
        .with_delay_post_stop_secs(0)
        .with_timeout_disconnection_secs(5)
        .with_exec_engine_config(engine or engine_config(startup_delay_s=0.05))
    )
    if data is not None:
        builder = builder.add_data_client("BINGX", data_factory(data, made=made), DataClientConfig())
    if execution is not None:
        builder = builder.add_exec_client(
            "BINGX", execution_factory(execution, made=made), ExecutionClientConfig()
        )
    built: LiveNode = builder.build()
    return built
