"""The paper desk on the data of the fake BingX, with sandbox execution, recorded as `crupto paper` does."""

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from adapters.bingx.config import DataSettings, Endpoints, StreamSettings
from catalog.store import Catalog
from crupto_nautilus.config import load_config
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.paper import run_paper
from crupto_nautilus.desk.record import RecordFeed
from crupto_nautilus.reports.run_folder import RunFolder
from tests.fakes.bingx.threaded import ThreadedBingx
from tests.fakes.bingx_node import venue_time
from tests.fakes.bingx_soak import SYMBOLS, write_config

QUICK = StreamSettings(
    subscribes_per_second=200.0, ack_timeout_s=1.0, silence_s=3.0, first_backoff_s=0.05, last_backoff_s=0.5
)


def paper_options(venue: ThreadedBingx, tmp: Path, minutes: int, *strategies: str) -> PaperOptions:
    """Return the options of a run of so many minutes of venue time."""
    return PaperOptions(
        catalog=tmp / "market",
        config=load_config(write_config(tmp / "config"), env={}, strategies=None),
        out=tmp / "runs",
        run_id="on-bingx",
        symbols=tuple(f"{symbol}.BINGX" for symbol in SYMBOLS),
        equity=10_000.0,
        strategies=strategies or None,
        unlock_after_hours=None,
        feed="bingx",
        max_cycles=minutes,
        data_settings=DataSettings(
            endpoints=Endpoints(venue.rest_url, venue.ws_url),
            timebase=venue_time(venue),
            stream=QUICK,
            timeout_s=2.0,
            poll_s=30.0,
            instant_grace_s=40.0,  # of venue time, which runs fast,
        ),
    )


def play_recorded(options: PaperOptions) -> RunFolder:
    """Run the desk with its feed recorded into the catalog of the run."""
    return RunFolder(run_paper(options, [RecordFeed(Catalog.create(options.catalog))]))


def on_own_thread[T](work: Callable[[], T]) -> T:
    """Do something with a node on a thread of its own: the engine lets nobody else drop what it made."""

    def run() -> T:
        try:
            return work()
        finally:
            gc.collect()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()
