"""What `crupto paper` needs to run on a live venue: settings of data and demo account."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crupto_nautilus.errors import UsageError

if TYPE_CHECKING:
    from adapters.bingx.config import ExecutionSettings
    from adapters.live.source import FeedSettings
    from crupto_nautilus.config import DeskConfig
    from crupto_nautilus.desk.options import PaperOptions

REPLAY_ONLY = "only a replay has a window and a speed"


def check_live(
    feed: str, execution: str, *, mock: bool, speed: float, start_ns: int | None, end_ns: int | None
) -> None:
    """Refuse options that do not go together.

    Raises
    ------
    UsageError
        VST execution on a replay, or a window or speed on a live feed.
    """
    if execution == "vst" and feed != "bingx":
        raise UsageError(
            "the demo account fills at BingX's own prices, so it needs BingX's data",
            found=f"--feed {feed} --execution vst",
            expected="--feed bingx --execution vst",
            remedy="crupto paper --feed bingx --execution vst, or leave --execution out",
        )
    if feed == "replay":
        return
    given = [
        name
        for name, there in (
            ("--use-mock-feed", mock),
            ("--speed", speed > 0.0),
            ("--start", start_ns is not None),
            ("--end", end_ns is not None),
        )
        if there
    ]
    if given:
        raise UsageError(
            f"{REPLAY_ONLY}: {', '.join(given)} cannot be used with --feed {feed}",
            found=", ".join(given),
            expected="--duration or --until",
            remedy=f"crupto paper --feed {feed} --duration 8h",
        )


def live_symbols(feed: str, symbols: tuple[str, ...] | None, config: DeskConfig) -> tuple[str, ...]:
    """Return instrument ids of a venue from coins or ids; without any, the coins of symbols.yaml.

    Raises
    ------
    UsageError
        An instrument belongs to another venue.
    """
    from catalog.venues import instrument_at, venue_of

    venue = feed.removeprefix("ccxt:")
    names = {instrument_at(venue, name) for name in symbols or config.symbols.names}
    for name in names:
        if name.rpartition(".")[2] != venue_of(venue):
            raise UsageError(
                f"{name} is not traded at {venue}", found=name, expected=instrument_at(venue, "BTC"),
                remedy="name coins: --symbols BTC,ETH",
            )  # fmt: skip
    if feed == "bingx":
        from adapters.bingx.symbols import venue_symbol

        for name in names:
            venue_symbol(name)  # raises where it is no perpetual of BingX
    return tuple(sorted(names))


def live_catalog(feed: str, catalog_dir: Path | None, out: Path) -> Path:
    """Return the catalog that holds the history of a live run; the venue fills it."""
    return catalog_dir or out / f"{feed.removeprefix('ccxt:')}-market"


def data_settings(feed: str, execution: str) -> FeedSettings:
    """Return where market data comes from; with VST execution it comes from the demo hosts too."""
    from adapters.bingx.config import DataSettings, data_endpoints, virtual_endpoints

    if feed != "bingx":
        from adapters.ccxt_data.config import CcxtSettings

        return CcxtSettings(exchange=feed.removeprefix("ccxt:"))
    found = virtual_endpoints(os.environ) if execution == "vst" else data_endpoints(os.environ)
    return DataSettings(endpoints=found)


def forget_keys() -> None:
    """Take the keys out of the environment: whatever this process starts does not inherit them."""
    for name in ("BINGX_API_KEY", "BINGX_API_SECRET"):
        os.environ.pop(name, None)


def with_venue(options: PaperOptions, config_dir: Path | None) -> PaperOptions:
    """Return the options of a run that goes on with the addresses and the key of this session."""
    if options.feed == "replay":
        return options
    from crupto_nautilus.config import load_config

    return replace(
        options,
        config=load_config(config_dir, profile="vst") if options.execution == "vst" else options.config,
        data_settings=data_settings(options.feed, options.execution),
        execution_settings=execution_settings(options.execution, options.out, options.run_id),
    )


def execution_settings(execution: str, out: Path, run_id: str) -> ExecutionSettings | None:
    """Return the settings of the demo account, None for the sandbox.

    Raises
    ------
    BingxError
        There is no key, or it is not readable.
    """
    if execution != "vst":
        return None
    from adapters.bingx.config import Credentials, ExecutionSettings, virtual_endpoints

    return ExecutionSettings(
        credentials=Credentials.from_environment(os.environ),
        endpoints=virtual_endpoints(os.environ),
        order_journal=out / f"{run_id}.orders.jsonl",
    )
