"""One measurement in a process of its own: the desk, or a bare engine with the desk's orders.

`python -m tests.performance.measure desk CATALOG ORDERS.pickle [DAYS]`, the same with `bare`; prints one
JSON line: CPU seconds (data loaded before), bars, order commands, signals, trades, peak memory.
"""

from __future__ import annotations

import json
import pickle
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

from catalog.instants import run_instants
from crupto_nautilus.config import load_config
from crupto_nautilus.desk.backtest import simulate
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.plan import Prepared, prepare
from crupto_nautilus.desk.window import chunk_span_ns
from risk.vocabulary import DAY_NS
from tests.performance.bare import run_bare

EQUITY = 10_000.0


def prepared_run(catalog: Path, days: float | None) -> tuple[Prepared, BacktestOptions]:
    """Open the catalog, load its arrays, and cut the window to its first days."""
    options = BacktestOptions(catalog, load_config(env={}), Path("unused"), "bench", equity=EQUITY)
    prepared = prepare(options)
    window = prepared.choice.window
    if days is not None:
        window = replace(window, end_ns=window.start_ns + round(days * DAY_NS))
        prepared = replace(prepared, choice=replace(prepared.choice, window=window))
    for name, minutes in window.base_minutes.items():
        prepared.catalog.bars(name, minutes)
    return prepared, options


def main(kind: str, catalog: str, orders: str, days: str = "") -> None:
    """Measure and print."""
    prepared, options = prepared_run(Path(catalog), float(days) if days else None)
    window, file = prepared.choice.window, Path(orders)
    figures: dict[str, float] = {}
    if kind == "desk":
        started = time.process_time()
        run = simulate(prepared, options)
        figures["cpu_s"] = time.process_time() - started
        events = run.recording.rows("orders")
        file.write_bytes(pickle.dumps(events))
        figures["bars"] = run.desk.router.bars
        figures["instants"] = run.desk.router.instants
        figures["orders"] = sum(e.action in ("submit", "modify", "cancel") for e in events)  # type: ignore[attr-defined]
        for name in ("signals", "trades"):
            figures[name] = len(run.recording.rows(name))
    else:
        events = pickle.loads(file.read_bytes())
        started = time.process_time()
        sent = run_bare(
            prepared.choice.rules,
            window.base_minutes,
            run_instants(prepared.catalog, window),
            events,
            EQUITY,
            chunk_span_ns(window),
        )
        figures["cpu_s"] = time.process_time() - started
        figures["orders"] = sent
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
