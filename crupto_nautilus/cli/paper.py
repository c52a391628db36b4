"""`crupto paper`: the desk in a live node with sandbox execution, with live status until it ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from crupto_nautilus.cli.command import command
from crupto_nautilus.cli.options import check_window, config_option, iso, open_catalog, resolve_symbols
from crupto_nautilus.cli.output import Result
from crupto_nautilus.cli.paper_options import (
    feed_options,
    length_options,
    market_options,
    run_options,
    wall_limit_s,
)
from crupto_nautilus.cli.paper_resume import going_on, resume_options
from crupto_nautilus.cli.paper_venue import (
    check_live,
    data_settings,
    execution_settings,
    forget_keys,
    live_catalog,
    live_symbols,
    with_venue,
)
from crupto_nautilus.errors import UsageError

if TYPE_CHECKING:
    from crupto_nautilus.config import DeskConfig
    from crupto_nautilus.desk.options import PaperOptions
    from crupto_nautilus.desk.services import RunService


@command("paper")
@feed_options
@market_options
@length_options
@run_options
@resume_options
@config_option
def paper(
    *,
    feed: str,
    execution: str,
    catalog_dir: Path | None,
    use_mock_feed: bool,
    speed: float,
    skip_feed_check: bool,
    record_dir: Path | None,
    symbols: tuple[str, ...] | None,
    strategies: tuple[str, ...] | None,
    start_ns: int | None,
    end_ns: int | None,
    equity: float | None,
    duration: float | None,
    max_seconds: float | None,
    max_cycles: int | None,
    until_ns: int | None,
    profile: str,
    unlock_after_hours: float,
    out: Path,
    run_id: str | None,
    status_every_s: float,
    resume: str | None,
    accept_governance_change: bool,
    config_dir: Path | None,
) -> Result:
    """Run the desk in a live node with sandbox execution.

    With --feed bingx or --feed ccxt:EXCHANGE on live data (no key needed), with --execution vst on BingX's
    demo account.

    A kill switch stays until an operator unlocks it, so a run may end halted.  Ctrl-C (or SIGTERM) ends the
    run cleanly.  `crupto parity RUN` proves that it decided as the backtest does.  --resume RUN goes on with
    a run that was killed or interrupted: its instruments, window and equity are its own.
    """
    from crupto_nautilus.config import load_config
    from strategies import registry

    if feed == "replay":
        end_ns = _earlier(end_ns, until_ns)
        until_ns = None
    check_window(start_ns, end_ns)
    check_live(feed, execution, mock=use_mock_feed, speed=speed, start_ns=start_ns, end_ns=end_ns)
    profile = "vst" if execution == "vst" else profile
    config = load_config(config_dir, profile=profile)
    for name in strategies or ():
        registry.get(name)
    again = going_on(
        config, out, resume, run_id, speed=speed, max_cycles=max_cycles,
        accept_governance_change=accept_governance_change,
    )  # fmt: skip
    if again is not None:
        again = with_venue(again, config_dir)
        feed, catalog_dir = again.feed, again.catalog
    if feed != "replay" and record_dir is None:
        record_dir = live_catalog(feed, catalog_dir, out)  # a run on a live feed can always be replayed
    services = [
        *_around_feed(record_dir, check=not skip_feed_check),
        *_length(wall_limit_s(duration, max_seconds), until_ns),
    ]
    if again is not None:
        return _run(again, services, status_every_s)
    live = feed != "replay"
    if live:
        market: Path = live_catalog(feed, catalog_dir, out)
        chosen: tuple[str, ...] | None = live_symbols(feed, symbols, config)
    else:
        market = _market(catalog_dir, use_mock_feed or (profile == "vst" and catalog_dir is None), out)
        chosen = resolve_symbols(symbols, open_catalog(market).instruments()) if symbols else None

    from crupto_nautilus.cli.running import new_run_id
    from crupto_nautilus.desk.options import PaperOptions
    from crupto_nautilus.journal.database import default_url

    name = run_id or config.runtime.run_id or new_run_id("paper" if profile == "paper" else profile, out)
    options = PaperOptions(
        catalog=market,
        config=config,
        out=out,
        run_id=name,
        symbols=chosen,
        start_ns=start_ns,
        end_ns=end_ns,
        equity=_equity(equity, config),
        strategies=strategies,
        journal_url=config.runtime.journal_url() or default_url(out),
        unlock_after_hours=unlock_after_hours or None,
        feed=feed,
        speed=speed,
        max_cycles=max_cycles,
        execution=execution,
        data_settings=data_settings(feed, execution) if live else None,
        execution_settings=execution_settings(execution, out, name),
    )
    return _run(options, services, status_every_s)


def _run(options: PaperOptions, services: list[RunService], status_every_s: float) -> Result:
    from crupto_nautilus.cli.dashboard_service import dashboard_services
    from crupto_nautilus.cli.running import run_paper_desk

    forget_keys()
    around = [*services, *dashboard_services(options.config)]
    return run_paper_desk(options, around, status_every_s=status_every_s)


def _market(catalog_dir: Path | None, mock: bool, out: Path) -> Path:
    """Return the catalog that is replayed; the sample market is written where it is asked for."""
    if mock and catalog_dir is not None:
        raise UsageError(
            "--use-mock-feed replays the sample market",
            found=f"--catalog {catalog_dir} beside it",
            expected="one of the two",
            remedy="leave --use-mock-feed out to replay the catalog",
        )
    if mock:
        from crupto_nautilus.cli.demo import sample_market

        return sample_market(out / "sample-market")
    if catalog_dir is None:
        raise UsageError(
            "there is nothing to replay",
            found="no --catalog and no CRUPTO_CATALOG",
            expected="a catalog, or the sample market",
            remedy="crupto paper --use-mock-feed, or crupto paper --catalog DIR",
        )
    open_catalog(catalog_dir)
    return catalog_dir


def _equity(given: float | None, config: DeskConfig) -> float:
    virtual = config.runtime.virtual
    if given is not None:
        return given
    return virtual.equity if virtual.enabled else 300.0


def _earlier(one: int | None, other: int | None) -> int | None:
    given = [ts for ts in (one, other) if ts is not None]
    return min(given) if given else None


def _around_feed(record_dir: Path | None, *, check: bool) -> list[RunService]:
    from catalog.store import Catalog
    from crupto_nautilus.desk.feed_check import FeedCheck
    from crupto_nautilus.desk.record import RecordFeed

    found: list[RunService] = [FeedCheck()] if check else []
    if record_dir is not None:
        found.append(RecordFeed(Catalog.create(record_dir)))
    return found


def _length(wall_s: float | None, until_ns: int | None) -> list[RunService]:
    from crupto_nautilus.desk.run_length import RunLength

    found: list[RunService] = []
    if wall_s is not None:
        found.append(RunLength(wall_s, f"duration {wall_s:g} s"))
    if until_ns is not None:
        left = (until_ns - time.time_ns()) / 1e9
        if left <= 0:
            raise UsageError(
                "--until lies in the past", found=iso(until_ns), expected="a moment to come, UTC"
            )
        found.append(RunLength(left, f"until {iso(until_ns)}"))
    return found
