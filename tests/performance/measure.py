"""One measurement in a process of its own, so that nothing leaks from one to the next.

`python -m tests.performance.measure '<case as JSON>'` prints the figures as one JSON line.  The catalog's
arrays are read and the engine is built before the clock starts; what is timed is everything from those
arrays to the end of the run: instants, engine bars, matching, and the desk where there is one.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from catalog.instants import run_instants
from crupto_nautilus.config import DeskConfig, load_config
from crupto_nautilus.desk.backtest import simulate
from crupto_nautilus.desk.garbage import rare_collections
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.outcome import check_run
from crupto_nautilus.desk.plan import prepare
from crupto_nautilus.desk.window import chunk_span_ns
from risk.vocabulary import DAY_NS, OrderEvent
from tests.performance.bare import COMMANDS, BareRun
from tests.performance.market import FIRST_DECISION_NS
from tests.performance.stages import StageClock, timed_desk

# The same share of signals is traded whatever the number of instruments: trades are so small and far apart
# that no limit of the desk as a whole binds, and no loss locks it.
EQUAL_DENSITY_RISK = {
    "per_trade_r_pct_base": 0.02,
    "max_per_trade_r_pct": 0.03,
    "min_r_pct_floor": 0.01,
    "max_daily_loss_pct": 9.9,
    "kill_switch_drawdown_72h": 9.9,
    "max_high_corr_positions": 20,
}
EQUAL_DENSITY_SELECTION = {"cooldown_bars": 20}
EQUITY = 10_000.0
EQUAL_DENSITY_EQUITY = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Case:
    """What to measure.

    `kind` is desk, bare (plays the orders in `script`) or stages (the desk, timed by part).  `trading` is
    real (the shipped limits), equal (as dense whatever the number of instruments) or off (every signal is
    refused, no order is sent).  `starts` are days after the warm-up at which a run of `days` begins; their
    costs are added up.
    """

    kind: str
    catalog: str
    days: float
    instruments: int
    trading: str = "real"
    starts: tuple[float, ...] = (0.0,)
    script: str = ""

    def config(self) -> DeskConfig:
        config = load_config(env={})
        if self.trading == "real":
            return config
        selection: dict[str, Any] = dict(EQUAL_DENSITY_SELECTION)
        if self.trading == "off":
            selection["disabled"] = config.enable_map.strategies
        return replace(
            config,
            governance=config.governance.model_copy(update=EQUAL_DENSITY_RISK),
            enable_map=config.enable_map.model_copy(update=selection),
        )

    def options(self, start: float) -> BacktestOptions:
        first = FIRST_DECISION_NS + round(start * DAY_NS)
        return BacktestOptions(
            Path(self.catalog),
            self.config(),
            Path("unused"),
            "bench",
            symbols=tuple(f"C{k:02d}-USDT.BENCH" for k in range(self.instruments)),
            start_ns=first,
            end_ns=first + round(self.days * DAY_NS),
            equity=EQUITY if self.trading == "real" else EQUAL_DENSITY_EQUITY,
        )


def measure(case: Case) -> dict[str, Any]:
    """Run a case and return its figures: CPU seconds, bars, order commands, peak memory, ..."""
    figures: dict[str, Any] = {}
    for start in case.starts:
        options = case.options(start)
        part = _bare(case, options) if case.kind == "bare" else _desk(case, options)
        for name, value in part.items():
            figures[name] = figures.get(name, 0) + value if name != "stages" else value
    return {**figures, "peak_mb": peak_mb()}


def _desk(case: Case, options: BacktestOptions) -> dict[str, Any]:
    prepared = prepare(options)
    clock = StageClock()
    if case.kind == "stages":
        with timed_desk(clock):
            run = simulate(prepared, options)
    else:
        run = simulate(prepared, options)
    check_run(run)
    orders = [e for e in run.recording.rows("orders") if isinstance(e, OrderEvent)]
    if case.script:
        Path(case.script).write_bytes(pickle.dumps(orders))
    figures = {
        "cpu_s": run.cpu_seconds,
        "bars": run.desk.router.bars,
        "instants": run.desk.router.instants,
        "commands": _count(orders, COMMANDS),
        "orders": _count(orders, ("submit",)),
        "signals": len(run.recording.rows("signals")),
        "trades": len(run.recording.rows("trades")),
    }
    return figures | ({"stages": clock.seconds} if case.kind == "stages" else {})


def _count(orders: Iterable[OrderEvent], actions: tuple[str, ...]) -> int:
    return sum(order.action in actions for order in orders)


def _bare(case: Case, options: BacktestOptions) -> dict[str, Any]:
    prepared = prepare(options)
    window = prepared.choice.window
    events = pickle.loads(Path(case.script).read_bytes())
    bare = BareRun(prepared.choice.rules, window.base_minutes, events, options.equity)
    instants = run_instants(prepared.catalog, window)
    started = time.process_time()
    with rare_collections():
        sent = bare.play(instants, chunk_span_ns(window))
    cpu = time.process_time() - started
    bare.dispose()
    return {"cpu_s": cpu, "commands": sent}


def peak_mb() -> float:
    """Return the largest resident memory of this process so far (Linux), MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status has no VmHWM: the benchmarks need Linux")


def main(text: str) -> None:
    case = json.loads(text)
    print(json.dumps(measure(Case(**{**case, "starts": tuple(case["starts"])}))))


def as_json(case: Case) -> str:
    return json.dumps(asdict(case))


if __name__ == "__main__":
    main(sys.argv[1])
