"""Exits on real history against exits worked out by hand from the raw bars (`exit_oracle`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from crupto_nautilus.reports.run_folder import RunFolder
from tests.acceptance.conftest import RUNS, RealRuns
from tests.acceptance.exit_oracle import Exit, FundingView, RawMarket, Walk, band_of

pytestmark = pytest.mark.data

# Ways out that have causes outside of the position.
OTHER_CAUSES = {"kill_switch"}


def walks(runs: RealRuns, folder: RunFolder, data: str) -> Iterator[tuple[Any, Walk, list[Exit]]]:
    """Yield each closed trade of one entry fill with its position by hand and the exits the desk booked."""
    minutes = 5 if data == "spot" else 60
    tables = {name: folder.table(name) for name in ("trades", "fills", "signals", "decisions", "funding")}
    signals = {row.trace_id: row for row in tables["signals"].itertuples()}
    approved = {row.trace_id: row for row in tables["decisions"].query("approved").itertuples()}
    fills = {trace: list(group.itertuples()) for trace, group in tables["fills"].groupby("trace_id")}
    paid = {trace: group["ts_event"].tolist() for trace, group in tables["funding"].groupby("trace_id")}
    markets: dict[str, RawMarket] = {}
    views: dict[str, FundingView] = {}
    for trade in tables["trades"].itertuples():
        entries = [fill for fill in fills[trade.trace_id] if fill.role == "entry"]
        if trade.exit_reason in OTHER_CAUSES or len(entries) != 1:
            continue
        name, signal, entry = trade.instrument, signals[trade.trace_id], entries[0]
        file = f"spot_5m/{name.replace('-PERP', '')}.5m" if data == "spot" else f"perp_1h/{name}.1h"
        if name not in markets:
            markets[name] = RawMarket(runs.market / f"{file}.parquet", minutes)
            if data == "perps" and (runs.market / "funding" / f"{name}.funding_8h.parquet").exists():
                views[name] = FundingView(runs.market, name)
        decision = approved[trade.trace_id]
        booked = [
            (
                fill.ts_event,
                trade.exit_reason if fill.role == "exit" else fill.role,
                fill.price,
                fill.quantity,
            )
            for fill in fills[trade.trace_id]
            if fill.role != "entry"
        ]
        # Break-even earns fees and slippage both ways; `cost_r` holds the funding to be expected too.
        round_trip = decision.cost_r * signal.stop_distance / signal.reference_price
        if name in views:
            round_trip -= views[name].expected(trade.side, signal.ts_event, 120)
        yield trade, Walk(
            trade.side, entry.quantity, entry.price, entry.ts_event, bool(entry.maker), trade.strategy,
            signal.stop_distance, folder.facts.instrument(name), round_trip, band_of(signal),
            paid.get(trade.trace_id, []), markets[name],
            views[name] if trade.strategy == "funding_reversion" else None,
        ), booked  # fmt: skip


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("spot-300", 1000),
        ("perps-300-short", 40),
        ("perps-10000-short", 40),
        pytest.param("perps-10000", 900, marks=pytest.mark.soak),
    ],
)
def test_every_exit_is_where_the_rules_put_it(real_runs: RealRuns, name: str, least: int) -> None:
    checked: Counter[tuple[str, str]] = Counter()
    different = []
    for trade, walk, booked in walks(real_runs, real_runs.run(name), RUNS[name][0]):
        made = walk.run()
        checked[trade.strategy, trade.exit_reason] += 1
        same = [row[:2] for row in made] == [row[:2] for row in booked] and all(
            abs(a - b) < 1e-9
            for one, other in zip(made, booked, strict=True)
            for a, b in zip(one[2:], other[2:], strict=True)
        )
        if not same:
            different.append(f"{trade.trace_id}: by hand {made}, booked {booked}")
    assert not different, f"{len(different)} of {checked.total()}: " + "\n".join(different[:5])
    assert checked.total() >= least
    assert len(checked) >= 4
