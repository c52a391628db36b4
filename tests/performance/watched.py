"""One paper replay at full speed in a process of its own, watched or not; prints its figures as JSON.

`python -m tests.performance.watched CATALOG DAYS OUT none|attached|served` prints CPU seconds of the node's
run, all threads of the process included, the instants, and the latency from bar to order.  `served` writes
the port of its server to OUT/port, for whoever scrapes it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from crupto_nautilus.config import load_config
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.paper import run_paper
from crupto_nautilus.desk.services import PaperContext, RunService
from crupto_nautilus.desk.telemetry.service import DashboardService
from crupto_nautilus.reports.run_folder import RunFolder
from risk.vocabulary import DAY_NS
from tests.performance.market import FIRST_DECISION_NS


class Clock:
    """Measures between the start of the services and their end."""

    name = "clock"

    def __init__(self, port_file: Path, dashboard: DashboardService | None) -> None:
        self._port_file, self._dashboard = port_file, dashboard
        self.cpu_s = self.desk_s = self.wall_s = 0.0

    def start(self, context: PaperContext) -> None:
        if self._dashboard is not None and self._dashboard.server is not None:
            self._port_file.write_text(str(self._dashboard.server.port))
        self._context = context
        self.cpu_s, self.desk_s, self.wall_s = -time.process_time(), -time.thread_time(), -time.monotonic()

    def stop(self, reason: str) -> None:
        self.cpu_s += time.process_time()
        self.desk_s += time.thread_time()
        self.wall_s += time.monotonic()
        self.instants = self._context.desk.router.instants


def main(catalog: str, days: str, out: str, mode: str) -> None:
    """Run once."""
    dashboard = DashboardService(port=0) if mode == "served" else None
    clock = Clock(Path(out) / "port", dashboard)
    services: list[RunService] = [clock] if dashboard is None else [dashboard, clock]
    Path(out).mkdir(parents=True, exist_ok=True)
    path = run_paper(
        PaperOptions(
            catalog=Path(catalog), config=load_config(), out=Path(out), run_id="watched",
            start_ns=FIRST_DECISION_NS, end_ns=FIRST_DECISION_NS + int(float(days) * DAY_NS),
            equity=10_000.0, unlock_after_hours=24.0,
        ),
        services,
    )  # fmt: skip
    orders = RunFolder(path).read_json("summary.json")["latency"]["orders"]
    answer = {
        "cpu_s": clock.cpu_s,
        "desk_s": clock.desk_s,
        "wall_s": clock.wall_s,
        "instants": clock.instants,
        "orders": orders,
    }
    if dashboard is not None and dashboard.telemetry is not None:
        store = dashboard.telemetry.store
        answer["errors"] = store["crupto_telemetry_errors_total"][()]
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
