"""One live node in a process of its own, paced like a market that it is not busy with; prints its latency.

`python -m tests.performance.latency '<case as JSON>'` plays one-minute bars of many instruments through the
live feed: in virtual time, but the next instant comes only when the node has been idle for `pace_ms`.  What
is timed is real: from the moment the last bar of an instant reaches the feed to the submission of an order.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adapters.live.feed import SECOND_NS
from adapters.live.gate import InstantGate
from crupto_nautilus.config import load_config
from crupto_nautilus.desk import edges
from crupto_nautilus.desk.assembly import DeskPlan
from crupto_nautilus.desk.latency import figures_of
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.paper import run_paper
from crupto_nautilus.desk.plan import Prepared, prepare
from crupto_nautilus.journal.database import default_url
from crupto_nautilus.reports.run_folder import RunFolder
from risk.vocabulary import HOUR_NS
from tests.fakes.live_feed import Script, ScriptedFeed
from tests.fakes.live_runs import as_scripted
from tests.performance.plain_node import run_plain
from tests.soak.market import START_NS, arrivals


@dataclass(frozen=True, slots=True)
class Case:
    """What to run: `kind` desk or plain, on the first hours of a `soak_catalog`."""

    kind: str
    catalog: str
    out: str
    config: str  # folder of settings
    hours: float
    pace_ms: float
    run_id: str

    def options(self) -> PaperOptions:
        """Return the run's options: a journal beside it, as the command line has one."""
        out = Path(self.out)
        return PaperOptions(
            Path(self.catalog), load_config(Path(self.config), env={}), out, self.run_id,
            start_ns=START_NS, end_ns=START_NS + round(self.hours * HOUR_NS),
            equity=1_000_000.0, unlock_after_hours=1.0, feed="scripted", journal_url=default_url(out),
        )  # fmt: skip


class Pace(InstantGate):
    """Lets the next instant come when the node has finished the one before and rested."""

    def __init__(self, pace_s: float) -> None:
        super().__init__(1)
        self._pace_s = pace_s
        self._rested = 0

    async def room(self) -> None:
        """Wait until nothing is on its way, then let the node rest once."""
        while self.backlog:
            await asyncio.sleep(self._pace_s / 10)
        if self._rested != self._done:
            self._rested = self._done
            await asyncio.sleep(self._pace_s)


@dataclass
class PacedScript(Script):
    """A script whose feed has a pace."""

    pace_s: float = 0.0

    def __call__(self, prepared: Prepared, plan: DeskPlan, options: PaperOptions) -> ScriptedFeed:
        edge = super().__call__(prepared, plan, options)
        edge.feed.gate = Pace(self.pace_s)
        return edge


def run(case: Case) -> Mapping[str, Any]:
    """Run a case; return p50, p99 and largest, microseconds, and the number, of all orders and of entries."""
    options = case.options()
    prepared = prepare(options)
    window = prepared.choice.window
    edges.FEEDS["scripted"] = PacedScript(
        arrivals(prepared.catalog, window, 0), window.end_ns + 10 * SECOND_NS, pace_s=case.pace_ms / 1000.0
    )
    if case.kind == "plain":
        return {"orders": figures_of(run_plain(prepared, options))}
    with as_scripted(prepared):
        path = run_paper(options)
    latency: dict[str, Any] = RunFolder(path).read_json("summary.json")["latency"]
    return latency


def as_json(case: Case) -> str:
    """Return a case as its argument."""
    return json.dumps(asdict(case))


if __name__ == "__main__":
    print(json.dumps(run(Case(**json.loads(sys.argv[1])))))
