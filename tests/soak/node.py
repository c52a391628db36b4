"""One paper run in a process of its own, watched: memory, tasks, file handles, threads.

`python -m tests.soak.node '<case as JSON>'` prints one JSON line of figures.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from adapters.live.feed import SECOND_NS, InstantFeed
from catalog.store import Catalog
from crupto_nautilus.config import DeskConfig, load_config
from crupto_nautilus.desk import edges
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.paper import run_paper
from crupto_nautilus.desk.plan import prepare
from risk.vocabulary import HOUR_NS
from tests.fakes.live_feed import Script
from tests.soak.market import START_NS, arrivals

SAMPLES = 50
# So small and so soon after each other that no limit of the desk as a whole binds: orders are what is tested.
SMALL_TRADES = {
    "per_trade_r_pct_base": 0.02,
    "max_per_trade_r_pct": 0.03,
    "min_r_pct_floor": 0.01,
    "max_daily_loss_pct": 9.9,
    "kill_switch_drawdown_72h": 9.9,
    "max_high_corr_positions": 20,
    "max_cost_r": 0.9,
}
SHORT_COOLDOWN = {"cooldown_bars": 1, "cooldown_after_2_losses": 1}


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
    dense: bool = True  # many small trades; False: the limits as shipped

    def config(self) -> DeskConfig:
        config = load_config(env={})
        if not self.dense:
            return config
        return replace(
            config,
            governance=config.governance.model_copy(update=SMALL_TRADES),
            enable_map=config.enable_map.model_copy(update=SHORT_COOLDOWN),
        )

    def options(self) -> PaperOptions:
        return PaperOptions(
            Path(self.catalog),
            self.config(),
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
    window = prepare(options).choice.window
    watch = Watch(round(case.hours * 60))
    script = Script(
        arrivals(Catalog(options.catalog), window, case.quoted),
        window.end_ns + 10 * SECOND_NS,
        window=case.window,
        on_instant=watch,
    )
    edges.FEEDS["scripted"] = script
    started, cpu = time.monotonic(), time.process_time()
    path = run_paper(options)
    (feed,) = script.feeds
    return {
        "run": str(path),
        "wall_s": time.monotonic() - started,
        "cpu_s": time.process_time() - cpu,
        "counts": asdict(feed.feed.assembler.counts),
        "samples": watch.samples,
    }


def as_json(case: Case) -> str:
    return json.dumps(asdict(case))


if __name__ == "__main__":
    print(json.dumps(run(Case(**json.loads(sys.argv[1])))))
