"""The paper desk on the data of a fake exchange, with sandbox execution, recorded as `crupto paper` does.

The exchange's clock runs at its usual pace until the node listens, then fast: what a run sees does not
depend on how long a busy machine takes to start it.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from adapters.bingx.config import DataSettings, Endpoints, StreamSettings
from adapters.live.source import FeedSettings
from catalog.store import Catalog
from crupto_nautilus.config import load_config
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.paper import run_paper
from crupto_nautilus.desk.parity import compare_run, options_of
from crupto_nautilus.desk.record import RecordFeed
from crupto_nautilus.reports.parity import Parity
from crupto_nautilus.reports.run_folder import RunFolder
from tests.fakes.bingx.clock import VenueClock
from tests.fakes.bingx.threaded import ThreadedBingx
from tests.fakes.bingx_soak import write_config

QUICK = StreamSettings(
    subscribes_per_second=200.0, ack_timeout_s=1.0, silence_s=3.0, first_backoff_s=0.05, last_backoff_s=0.5
)
LONGEST_SLEEP_S = 0.02  # of wall time: after that the speed may be another


class ClockTime:
    """The clock of a fake exchange as the time of an adapter in the same process."""

    def __init__(self, clock: VenueClock) -> None:
        self._clock = clock

    def now_ms(self) -> int:
        return self._clock.now_ms()

    async def sleep(self, seconds: float) -> None:
        until = self._clock.now_ms() + seconds * 1000
        while (left_ms := until - self._clock.now_ms()) > 0:
            await asyncio.sleep(min(left_ms / 1000 / self._clock.speed, LONGEST_SLEEP_S))


@contextmanager
def hurried(clock: VenueClock, speed: float, is_up: Callable[[], bool]) -> Iterator[None]:
    """Let the exchange's clock run at its usual pace until somebody listens to it, then fast."""
    over = threading.Event()

    def watch() -> None:
        while not is_up():
            if over.wait(0.05):
                return
        clock.set_speed(speed)

    clock.set_speed(1.0)
    thread = threading.Thread(target=watch, name="hurry", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def bingx_data(venue: ThreadedBingx) -> DataSettings:
    """Return the settings of data of a fake BingX, on its clock."""
    return DataSettings(
        endpoints=Endpoints(venue.rest_url, venue.ws_url),
        timebase=ClockTime(venue.fake.clock),
        stream=QUICK,
        timeout_s=2.0,
        poll_s=30.0,
        instant_grace_s=40.0,  # of venue time, which runs fast
    )


def paper_options(
    tmp: Path, feed: str, data: FeedSettings, names: tuple[str, ...], minutes: int, *strategies: str
) -> PaperOptions:
    """Return the options of a run of so many minutes of venue time."""
    return PaperOptions(
        catalog=tmp / "market",
        config=load_config(write_config(tmp / "config"), env={}, strategies=None),
        out=tmp / "runs",
        run_id="recorded",
        symbols=names,
        equity=10_000.0,
        strategies=strategies or None,
        unlock_after_hours=None,
        feed=feed,
        max_cycles=minutes,
        data_settings=data,
    )


def played_and_replayed(options: PaperOptions) -> tuple[RunFolder, Parity]:
    """Run the desk, then replay what it recorded through the backtest and compare row by row."""
    folder = RunFolder(run_paper(options, [RecordFeed(Catalog.create(options.catalog))]))
    again = options_of(folder, catalog=options.catalog, config=options.config, out=options.out)
    return folder, compare_run(folder, again)


def on_own_thread[T](work: Callable[[], T]) -> T:
    """Do something with a node on a thread of its own: the engine lets nobody else drop what it made."""

    def run() -> T:
        try:
            return work()
        finally:
            gc.collect()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()
