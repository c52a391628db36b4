"""One paper run in a process of its own, watched: memory, tasks, file handles, threads.

`python -m tests.soak.node '<case as JSON>'` prints one JSON line of figures.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from adapters.live.feed import SECOND_NS, InstantFeed
from catalog.store import Catalog
from crupto_nautilus.config import load_config
from crupto_nautilus.desk import edges
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.paper import run_paper
from crupto_nautilus.desk.plan import prepare
from crupto_nautilus.desk.record import RecordFeed
from risk.vocabulary import HOUR_NS
from tests.fakes.live_feed import Script
from tests.fakes.live_runs import as_scripted
from tests.soak.market import START_NS, arrivals

SAMPLES = 50


@dataclass(frozen=True, slots=True)
class Case:
    """What to run: a market of `soak_catalog`, how much of it, quotes for how many instruments."""

    catalog: str
    out: str
    hours: float
    quoted: int
    equity: float = 1_000_000.0
    window: int = 64
    run_id: str = "soak"
    record: str = ""  # catalog to record to
    config: str = ""  # folder of settings; the built-in ones if empty

    def options(self) -> PaperOptions:
        return PaperOptions(
            Path(self.catalog),
            load_config(Path(self.config) if self.config else None, env={}),
            Path(self.out),
            self.run_id,
            start_ns=START_NS,
            end_ns=START_NS + round(self.hours * HOUR_NS),
            equity=self.equity,
            unlock_after_hours=1.0,
            feed="scripted",
        )


class Watch:
    """Samples the process at even steps of the run."""

    def __init__(self, instants: int) -> None:
        self._every = max(1, instants // SAMPLES)
        self._seen = 0
        self._process = psutil.Process()
        self.samples: list[dict[str, float]] = []

    def __call__(self, feed: InstantFeed) -> None:
        done = feed.assembler.counts.instants
        if done < self._seen + self._every:
            return
        self._seen = done
        gc.collect()
        self.samples.append(
            {
                "instants": done,
                "rss_mb": self._process.memory_info().rss / 2**20,
                "tasks": len(asyncio.all_tasks()),
                "handles": self._process.num_fds(),
                "threads": self._process.num_threads(),
            }
        )


def run(case: Case) -> dict[str, Any]:
    """Run a case and return its figures."""
    options = case.options()
    prepared = prepare(options)
    window = prepared.choice.window
    watch = Watch(round(case.hours * 60))
    script = Script(
        arrivals(Catalog(options.catalog), window, case.quoted),
        window.end_ns + 10 * SECOND_NS,
        window=case.window,
        on_instant=watch,
    )
    edges.FEEDS["scripted"] = script
    started, cpu = time.monotonic(), time.process_time()
    services = [RecordFeed(Catalog.create(case.record))] if case.record else []
    with as_scripted(prepared):
        path = run_paper(options, services)
    (feed,) = script.feeds
    return {
        "run": str(path),
        "wall_s": time.monotonic() - started,
        "cpu_s": time.process_time() - cpu,
        "counts": asdict(feed.feed.assembler.counts),
        "samples": watch.samples,
    }


def run_apart(case: Case) -> dict[str, Any]:
    """Run a case in a process of its own; a process can hold one live node."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak.node", json.dumps(asdict(case))],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"exit {done.returncode}: {done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**figures, "stderr": done.stderr}


if __name__ == "__main__":
    print(json.dumps(run(Case(**json.loads(sys.argv[1])))))
