"""`make bench`: what the full desk costs, as ratios within one run; see README.md for how to read it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.performance.market import bench_catalog

pytestmark = pytest.mark.bench

RUNS = 5
TARGET_RATIO = 3.0
# The bench fails only when the desk has become grossly slower than it was when this was written.
WORST_RATIO = 9.0
MAX_PEAK_MB = 1500.0


@pytest.fixture(scope="module")
def results(project_dir: Path) -> Iterator[dict[str, Any]]:
    """Collect the figures and write them when all benchmarks are done."""
    found: dict[str, Any] = {}
    yield found
    folder = project_dir / "bench_results"
    folder.mkdir(exist_ok=True)
    file = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    file.write_text(json.dumps(found, indent=2) + "\n")
    print(f"\nwritten to {file}")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic year of 20 instruments in 15m bars."""
    folder = tmp_path_factory.mktemp("bench") / "year"
    bench_catalog(folder, instruments=20, days=365)
    return folder


def measure(kind: str, catalog: Path, days: float | None = None) -> dict[str, float]:
    """Run one measurement in a child process."""
    orders = catalog.parent / f"orders-{days or 'all'}.pickle"
    command = [sys.executable, "-m", "tests.performance.measure", kind, str(catalog), str(orders)]
    done = subprocess.run(
        [*command, *([str(days)] if days else [])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def reached(figure: float, target: float) -> str:
    return "reached" if figure <= target else "NOT reached"


def test_full_desk_against_the_bare_engine(market: Path, results: dict[str, Any]) -> None:
    pairs = [(measure("desk", market), measure("bare", market)) for _ in range(RUNS)]
    ratios = [desk["cpu_s"] / bare["cpu_s"] for desk, bare in pairs]
    desk, bare = pairs[0]
    ratio = statistics.median(ratios)
    peak = max(one["peak_mb"] for one, _ in pairs)
    per_bar = statistics.median(one["cpu_s"] for one, _ in pairs) / desk["bars"] * 1e6
    results["desk_against_bare"] = {
        "ratio_median": ratio, "ratios": ratios, "desk_us_a_bar": per_bar, "peak_mb": peak,
        "desk": desk, "bare": bare,
    }  # fmt: skip
    print(
        f"\ndesk / bare engine: {ratio:.2f}x (target {TARGET_RATIO:g}x {reached(ratio, TARGET_RATIO)}), "
        f"runs {', '.join(f'{r:.2f}' for r in ratios)}; {per_bar:.1f} us a bar, {desk['bars']:,.0f} bars, "
        f"{desk['signals']:,.0f} signals, {desk['orders']:,.0f} order commands, "
        f"{desk['trades']:,.0f} trades; peak {peak:.0f} MB "
        f"(target {MAX_PEAK_MB:.0f} {reached(peak, MAX_PEAK_MB)})"
    )
    assert ratio < WORST_RATIO
    assert peak < MAX_PEAK_MB


def test_cost_a_bar_from_5_to_50_instruments(tmp_path: Path, results: dict[str, Any]) -> None:
    costs = {}
    for count in (5, 20, 50):
        folder = tmp_path / str(count)
        bench_catalog(folder / "market", instruments=count, days=3000 // count)
        found = [measure("desk", folder / "market") for _ in range(3)]
        costs[count] = statistics.median(one["cpu_s"] / one["bars"] for one in found) * 1e6
        results[f"instruments_{count}"] = found[0] | {"us_a_bar": costs[count]}
    middle = (max(costs.values()) + min(costs.values())) / 2
    spread = (max(costs.values()) - min(costs.values())) / 2 / middle
    results["instruments_spread"] = spread
    shown = ", ".join(f"{count}: {cost:.1f} us" for count, cost in costs.items())
    print(f"\ncost a bar: {shown}; +-{100 * spread:.0f} % (target +-15 % {reached(spread, 0.15)})")
    assert spread < 1.0


def test_cost_per_order_from_1_000_to_20_000_orders(market: Path, results: dict[str, Any]) -> None:
    costs = {}
    for days in (20.0, 90.0, None):
        found = [measure("desk", market, days) for _ in range(3)]
        orders = found[0]["orders"]
        costs[round(orders)] = statistics.median(one["cpu_s"] / one["bars"] for one in found) * 1e6
    middle = (max(costs.values()) + min(costs.values())) / 2
    spread = (max(costs.values()) - min(costs.values())) / 2 / middle
    results["orders"] = {"us_a_bar": costs, "spread": spread}
    shown = ", ".join(f"{orders:,} orders: {cost:.1f} us a bar" for orders, cost in costs.items())
    print(f"\ncost at equal density: {shown}; +-{100 * spread:.0f} % (target +-25 % {reached(spread, 0.25)})")
    assert spread < 1.0
