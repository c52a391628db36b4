"""Run folders made by the tiny simulated desk, and a forger's tool to tamper with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crupto_nautilus.reports.benchmark import benchmark_columns
from crupto_nautilus.reports.facts import InstrumentFacts, RunFacts
from crupto_nautilus.reports.rows import to_table
from crupto_nautilus.reports.run_folder import RunFolder, RunWriter
from tests.fakes.tiny_desk import TinyDesk
from tests.fakes.tiny_market import BASE, INSTRUMENTS, LIMITS, MAKER, START_NS, STRATEGIES, TAKER


def run_facts(desk: TinyDesk, run_id: str = "sample", **changes: object) -> RunFacts:
    """The facts of a simulated run."""
    end = desk.stamps[-1]
    instruments = tuple(
        InstrumentFacts(
            name, tick, step, digits, size_digits, step, 2.0, MAKER, TAKER, BASE, "synthetic", "tests/fakes",
            desk.closes[name][0], desk.closes[name][-1], len(desk.funding_times) + (name[:3] == "SOL") * 30,
            len(desk.funding_times), len(desk.stamps), 0.005,
        )
        for name, (_, tick, digits, step, size_digits) in INSTRUMENTS.items()
    )  # fmt: skip
    values: dict[str, object] = {
        "run_id": run_id, "mode": "backtest", "command": "crupto backtest --catalog demo",
        "start_ns": START_NS, "end_ns": end, "starting_equity": desk.equity0, "limits": LIMITS.model_dump(),
        "instruments": instruments, "strategies": (*STRATEGIES, "range_reversion_5m"),
        "exit_reason": "completed", "versions": {"python": "3.13", "nautilus_trader": "2.0.0rc7"},
        "git_revision": "0123456789ab", "config_hash": "c" * 64, "governance_hash": "d" * 64,
        "data_fingerprint": "e" * 64, "provenance": {"governance.leverage_cap": "default"},
        "wall_start_ns": 1_700_000_000 * 10**9, "wall_end_ns": 1_700_000_012 * 10**9,
        "bars_processed": len(desk.stamps) * len(INSTRUMENTS),
    }  # fmt: skip
    return RunFacts(**(values | changes))  # type: ignore[arg-type]


def make_run(
    runs: Path, run_id: str = "sample", desk: TinyDesk | None = None, **changes: object
) -> RunFolder:
    """Play a simulated desk and write its run folder; `changes` replace facts."""
    desk = (desk or TinyDesk()).play()
    with RunWriter(runs, run_id) as writer:
        writer.write_recording(desk.recording)
        ts = np.array(desk.stamps)
        times = np.array(desk.funding_times)
        columns = [
            benchmark_columns(name, ts, np.array(closes), START_NS, int(ts[-1]),
                              funding=(times, np.full(len(times), 0.0001)))
            for name, closes in desk.closes.items()
        ]  # fmt: skip
        frame = pd.concat([pd.DataFrame(c) for c in columns], ignore_index=True)
        writer.write_table("benchmark", {name: frame[name].to_numpy() for name in frame})
        return writer.finish(run_facts(desk, run_id, **changes))


def tamper(folder: RunFolder, table: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> RunFolder:
    """Rewrite one table as a careful forger would, its hash in run.json included."""
    frame = change(folder.table(table).copy())
    path = folder.path / f"{table}.parquet"
    pq.write_table(to_table(table, {name: frame[name].to_numpy() for name in frame}), path)
    run = json.loads((folder.path / "run.json").read_text())
    run["tables"][table] = {"rows": len(frame), "sha256": folder.sha256(table)}
    (folder.path / "run.json").write_text(json.dumps(run))
    return RunFolder(folder.path)
