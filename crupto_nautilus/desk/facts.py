"""The facts of a run for its folder: versions, hashes, rules and data used, benchmark prices."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from actors.toolbox import ToolRegistry
from catalog.store import Catalog
from crupto_nautilus.desk.assembly import Desk
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.plan import Prepared
from crupto_nautilus.desk.window import MarketChoice, funding_expected
from crupto_nautilus.reports.benchmark import benchmark_columns
from crupto_nautilus.reports.facts import InstrumentFacts, RunFacts
from crupto_nautilus.reports.run_folder import RunWriter

PACKAGES = ("crupto-nautilus", "nautilus_trader", "numpy", "pandas", "pyarrow", "pydantic")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def git_revision() -> str:
    """Return the commit of the source tree, marked `-dirty` if it was changed; empty outside of git."""
    root = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def run_facts(
    prepared: Prepared,
    options: BacktestOptions,
    desk: Desk,
    *,
    wall_start_ns: int,
    mode: str = "backtest",
    exit_reason: str = "completed",
    notes: Sequence[str] = (),
    measured: Mapping[str, Any] | None = None,
) -> RunFacts:
    """Return what `run.json` of a finished run holds; `notes` are added to what the run itself notes.

    `measured` are figures of a live node that no table holds: latency, health of the feed.
    """
    catalog, choice = prepared.catalog, prepared.choice
    config, window = options.config, choice.window
    notes = list(notes)
    if options.unlock_after_hours is not None:
        notes.append(
            f"a simulated operator unlocks a kill switch after {options.unlock_after_hours:g} h of desk time"
        )
    if not options.costs:
        notes.append("costs are off: this run is not comparable with any other")
    if desk.router.unsettled:
        notes.append(f"{desk.router.unsettled} orders were in flight at the next instant")
    virtual = config.runtime.virtual
    return RunFacts(
        run_id=options.run_id,
        mode=mode,
        command=options.command,
        start_ns=window.start_ns,
        end_ns=desk.router.last_ts or window.end_ns,
        starting_equity=options.equity,
        limits=config.governance.model_dump(mode="json"),
        instruments=tuple(_instrument(catalog, choice, name) for name in window.instruments),
        strategies=tuple(prepared.specs),
        costs="on" if options.costs else "off",
        exit_reason=exit_reason,
        versions=versions(),
        git_revision=git_revision(),
        config_hash=config.config_hash,
        governance_hash=config.governance_hash,
        data_fingerprint=choice.fingerprint,
        provenance=dict(config.provenance),
        config=config.public(),
        wall_start_ns=wall_start_ns,
        wall_end_ns=time.time_ns(),
        bars_processed=desk.router.bars,
        virtual_asset=virtual.asset if virtual.enabled else "",
        catalog=str(options.catalog.resolve()),
        unlock_after_hours=options.unlock_after_hours,
        virtual_equity=virtual.equity if virtual.enabled else None,
        netted=options.netted,
        notes=tuple(notes),
        measured=dict(measured or {}),
    )


def _instrument(catalog: Catalog, choice: MarketChoice, name: str) -> InstrumentFacts:
    window, rules = choice.window, choice.rules[name]
    minutes = window.base_minutes[name]
    bars = catalog.bars(name, minutes, window.start_ns, window.end_ns)
    settled = catalog.funding(name, window.start_ns, window.end_ns)
    return InstrumentFacts(
        instrument=name,
        tick=rules.tick,
        step=rules.step,
        price_digits=rules.price_digits,
        size_digits=rules.size_digits,
        min_quantity=rules.min_quantity,
        min_notional_usd=rules.min_notional_usd,
        maker_fee=rules.maker_fee,
        taker_fee=rules.taker_fee,
        base_minutes=minutes,
        label=choice.labels[name],
        rules_source=choice.rules_source[name],
        first_close=float(bars.close[0]) if len(bars) else None,
        last_close=float(bars.close[-1]) if len(bars) else None,
        funding_expected=funding_expected(window),
        funding_present=len(settled.ts_event),
        bars=len(bars),
        maintenance_margin=rules.maintenance_margin,
    )


def call_rows(tools: ToolRegistry) -> list[dict[str, object]]:
    """Return the `calls` table: how often and how long each tool was called."""
    rows = []
    for spec in tools.specs():
        stats = tools.stats[spec.capability]
        rows.append(
            {
                "agent": spec.agent,
                "capability": spec.capability,
                "count": stats.calls,
                "errors": stats.errors,
                "warnings": stats.warnings,
                "total_ns": stats.total_ns,
                "p50_ns": stats.quantile_ns(0.5),
                "p99_ns": stats.quantile_ns(0.99),
                "max_ns": stats.max_ns,
            }
        )
    return rows


def write_benchmark(writer: RunWriter, catalog: Catalog, choice: MarketChoice) -> None:
    """Write the prices from which the report computes buy-and-hold."""
    window = choice.window
    parts = []
    for name in window.instruments:
        bars = catalog.bars(name, window.base_minutes[name], window.start_ns, window.end_ns)
        settled = catalog.funding(name, window.start_ns, window.end_ns)
        funding = (settled.ts_event, settled.rate) if len(settled.ts_event) else None
        parts.append(
            benchmark_columns(
                name, bars.ts_event, bars.close, window.start_ns, window.end_ns, funding=funding
            )
        )
    if parts:
        columns = {
            key: np.concatenate([np.asarray(part[key], dtype=object) for part in parts]).tolist()
            for key in parts[0]
        }
        writer.write_table("benchmark", columns)
