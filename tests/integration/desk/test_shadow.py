"""Challengers in shadow: the same fills and trades as a champion alone, and no trace in the desk itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from actors.enable_map import Challenger
from catalog.instants import run_instants
from catalog.sample import FINE_START_NS, write_sample
from crupto_nautilus.config import DeskConfig, load_config
from crupto_nautilus.desk.backtest import run_backtest, simulate
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.plan import prepare
from crupto_nautilus.desk.shadow import ShadowRun, shadow_desks
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.shadows import EVIDENCE
from crupto_nautilus.reports.verify import run_hash, verify_run
from risk.vocabulary import DAY_NS
from strategies.registry import REGISTRY

TABLES = ("signals", "decisions", "fills", "trades", "funding", "equity", "states")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("shadow") / "market").path


def copy_of(strategy: str, config: DeskConfig) -> Challenger:
    """Return a challenger that is a champion once more."""
    regimes = {label: rows[strategy] for label, rows in config.enable_map.regimes.items() if strategy in rows}
    return Challenger(id=f"copy-{strategy}", strategy=strategy, regimes=regimes)


def options(
    market: Path, out: Path, challengers: tuple[Challenger, ...] = (), **more: Any
) -> BacktestOptions:
    config = load_config(env={})
    enable_map = config.enable_map.with_challengers(challengers)
    values: dict[str, Any] = {
        "catalog": market, "out": out, "run_id": "run", "equity": 10_000.0,
        "config": dataclasses.replace(config, enable_map=enable_map),
        "start_ns": FINE_START_NS + 8 * DAY_NS, "end_ns": FINE_START_NS + 24 * DAY_NS,
    }  # fmt: skip
    return BacktestOptions(**(values | more))


def rows(recording: Any, table: str) -> list[object]:
    """Return the rows of a table; ids of orders hold the name of the run."""
    return [_without_id(row) for row in recording.rows(table)]


def _without_id(row: Any) -> object:
    if isinstance(row, Mapping) or not hasattr(row, "client_order_id"):
        return row
    return dataclasses.replace(row, client_order_id="") if dataclasses.is_dataclass(row) else row


def test_a_copy_of_a_champion_trades_in_shadow_as_the_champion_alone(market: Path, tmp_path: Path) -> None:
    config = load_config(env={})
    copies = tuple(copy_of(name, config) for name in REGISTRY)
    asked = options(market, tmp_path, copies)
    prepared = prepare(asked)
    trades = {}
    for shadow in shadow_desks(prepared, asked):
        (name,) = shadow.prepared.specs
        alone = options(market, tmp_path, strategies=(name,), run_id=shadow.options.run_id)
        champion = simulate(prepare(alone), alone).recording
        # However the instants are cut, one by one or all at once, the venue fills the same.
        cut = ShadowRun(shadow)
        instants = list(run_instants(prepared.catalog, prepared.choice.window))
        for k in range(0, len(instants), 7):
            cut.play(instants[k : k + 7], last=False)
        cut.play([], last=True)
        for table in TABLES:
            assert rows(cut.recording, table) == rows(champion, table), (name, table)
        trades[name] = len(champion.rows("trades"))
    assert sum(count > 0 for count in trades.values()) >= 3, trades  # a proof about nothing would be none


def test_challengers_change_no_decision_of_the_champions(market: Path, tmp_path: Path) -> None:
    config = load_config(env={})
    challengers = (copy_of("volatility_expansion_15m", config),)
    without = RunFolder(run_backtest(options(market, tmp_path, run_id="without")))
    beside = RunFolder(run_backtest(options(market, tmp_path, challengers, run_id="beside")))
    assert run_hash(beside) == run_hash(without)
    assert len(without.table("trades"))
    assert verify_run(beside).ok

    shadow = RunFolder(beside.path / "shadow" / "copy-volatility_expansion_15m")
    assert verify_run(shadow).ok
    assert shadow.facts.mode == "shadow"
    evidence = pq.read_table(beside.path / "shadow" / "copy-volatility_expansion_15m.parquet")
    assert evidence.schema.equals(EVIDENCE)
    kinds = evidence["kind"].to_pylist()
    assert kinds.count("trade") == len(shadow.table("trades")) > 0
    net = sum(
        value for kind, value in zip(kinds, evidence["net_usd"].to_pylist(), strict=True) if kind == "trade"
    )
    figures = beside.read_json("summary.json")["challengers"]["copy-volatility_expansion_15m"]
    assert net == pytest.approx(shadow.table("trades")["net_usd"].sum())
    assert figures["trades"] == kinds.count("trade")
    assert figures["pnl_usd"] == pytest.approx(shadow.read_json("summary.json")["pnl_usd"])
    assert "copy-volatility_expansion_15m" in (beside.path / "summary.md").read_text()
    assert "copy-volatility_expansion_15m" in (beside.path / "report.html").read_text()
