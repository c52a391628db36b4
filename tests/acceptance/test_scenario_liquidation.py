"""Gaps beyond the liquidation price, through the whole desk: the isolated margin is lost and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crupto_nautilus.cli.chain import chain
from crupto_nautilus.cli.summary import blocks
from crupto_nautilus.reports.build import build_report
from risk.vocabulary import LONG, SHORT, EntryStyle
from tests.fakes.scenario import BO, Scenario, ScenarioRun, scripted, wish
from tests.fakes.scenario_market import Tape, instrument

LEVERAGE, TAKER = 3.0, 0.0005
EQUITY = 10_000.0
GAP = 6  # the bar that opens far away
SIDES = pytest.mark.parametrize(("side", "price"), [(LONG, 55.0), (SHORT, 145.0)])


def gap_to(price: float) -> Tape:
    """Return a market that stands at 100 and opens bar `GAP` at `price`."""
    return Tape().hold(GAP - 1).gap(price).hold(4)


def play(folder: Path, tape: Tape, side: int, **changes: Any) -> ScenarioRun:
    setup = wish(side, **{"distance": 1.0, **changes})
    return Scenario({"SOL": tape}, [scripted(BO, {("SOL", 2): setup})], equity=EQUITY).play(folder)


def entry_and_exit(run: ScenarioRun) -> tuple[Any, list[Any]]:
    fills = run.rows("fills", instrument=instrument("SOL"))
    return fills[0], fills[1:]


@SIDES
def test_a_gap_of_45_percent_costs_the_isolated_margin_and_fees(
    tmp_path: Path, side: int, price: float
) -> None:
    run = play(tmp_path, gap_to(price), side)
    entry, exits = entry_and_exit(run)
    quantity, bankrupt = entry.quantity, entry.price * (1 - side / LEVERAGE)
    trade = run.trade("SOL")
    assert sum(e.quantity for e in exits) == pytest.approx(quantity)
    assert {(e.role, e.reason) for e in exits} == {("stop", "liquidation")}
    assert [e.slippage_usd for e in exits] == [0.0] * len(exits)
    margin = entry.price * quantity / LEVERAGE
    fees = entry.fee + entry.slippage_usd + quantity * bankrupt * TAKER
    assert trade.net_usd == pytest.approx(-margin - fees, abs=1e-6)
    assert trade.liquidation_usd == pytest.approx((bankrupt - price) * side * quantity, rel=1e-3)
    assert trade.gross_usd + trade.liquidation_usd == pytest.approx(-margin, abs=1e-6)
    assert trade.exit_reason == "liquidation"
    assert run.balance == pytest.approx(EQUITY + trade.net_usd, abs=1e-8)


@SIDES
def test_books_samples_and_checker_agree_about_a_liquidation(tmp_path: Path, side: int, price: float) -> None:
    run = play(tmp_path, gap_to(price), side)
    books = run.desk.risk_desk.books
    assert books.balance == pytest.approx(run.balance, abs=1e-8)
    for point in run.rows("equity"):
        assert point.equity == pytest.approx(point.balance + point.unrealised_pnl, abs=1e-8)
    assert min(p.equity for p in run.rows("equity")) == pytest.approx(run.balance, abs=1e-6)
    assert run.report.ok
    assert run.report.check("liquidations").detail == "1 positions"


def test_a_liquidation_is_announced_and_named_by_the_report(tmp_path: Path) -> None:
    run = play(tmp_path, gap_to(55.0), LONG)
    (alarm,) = run.rows("alarms")
    assert (alarm.kind, alarm.subject) == ("liquidation", run.trade("SOL").trace_id)
    assert "was at 55, beyond the liquidation price 67.3401; taken over at 66.6667" in alarm.detail
    page = build_report(run.folder.path)
    assert "1 position liquidated" in page.read_text()
    assert "<h3>Liquidations</h3>" in page.read_text()
    assert "LIQUIDATED" in (page.parent / "summary.md").read_text()
    shown = str(blocks(json.loads((page.parent / "summary.json").read_text())))
    assert "('LIQUIDATED', '1, the venue bore +" in shown
    steps = [step.text for step in chain(run.folder, alarm.subject)]
    assert any("LIQUIDATED, the venue bore" in text for text in steps)
    assert any(text.startswith("closed by liquidation") for text in steps)


def test_a_gap_between_liquidation_and_bankruptcy_costs_the_margin_too(tmp_path: Path) -> None:
    trade = play(tmp_path, gap_to(66.8), LONG).trade("SOL")
    assert trade.exit_reason == "liquidation"
    assert trade.liquidation_usd < 0  # the venue kept what the margin had left
    assert trade.gross_usd + trade.liquidation_usd == pytest.approx(
        -trade.entry_price * trade.quantity / LEVERAGE, abs=1e-6
    )


@pytest.mark.parametrize(("side", "price"), [(LONG, 95.0), (SHORT, 105.0)])
def test_a_gap_of_5_percent_is_an_ordinary_stop(tmp_path: Path, side: int, price: float) -> None:
    run = play(tmp_path, gap_to(price), side)
    trade = run.trade("SOL")
    _, exits = entry_and_exit(run)
    assert trade.exit_reason == "stop"
    assert (exits[0].price, trade.liquidation_usd) == (price, 0.0)
    assert exits[0].slippage_usd > 0
    assert run.rows("alarms") == []
    assert run.report.check("liquidations").detail == "0 positions"


def test_the_stop_attached_to_a_resting_entry_knows_its_limit_price(tmp_path: Path) -> None:
    tape = Tape().hold(2).bar(100.0, 100.2, 99.5, 100.0).hold(2).gap(55.0).hold(4)
    run = play(tmp_path, tape, LONG, style=EntryStyle.POST_ONLY)
    entry, exits = entry_and_exit(run)
    trade = run.trade("SOL")
    assert entry.maker
    assert {e.reason for e in exits} == {"liquidation"}
    assert trade.gross_usd + trade.liquidation_usd == pytest.approx(
        -entry.price * entry.quantity / LEVERAGE, abs=1e-6
    )


def test_a_resting_entry_that_the_gap_itself_fills_loses_no_more_than_its_margin(tmp_path: Path) -> None:
    tape = Tape().hold(2).gap(55.0).hold(6)
    run = play(tmp_path, tape, LONG, style=EntryStyle.POST_ONLY)
    assert run.fills("SOL") == [(3, 72.71, 99.99), (3, 72.71, 55.0)]
    trade = run.trade("SOL")
    assert trade.exit_reason == "liquidation"
    assert trade.gross_usd + trade.liquidation_usd == pytest.approx(-99.99 * 72.71 / LEVERAGE, abs=1e-6)


def test_an_entry_in_slices_is_taken_over_from_the_price_at_which_its_stop_was_placed(tmp_path: Path) -> None:
    tape = Tape().hold(1).volume(400.0).hold(1).to(101.0, 102.0, 103.0, 104.0).gap(50.0).hold(4)
    run = play(tmp_path, tape, LONG, distance=6.0)
    entries = [price for _, _, price in run.fills("SOL", "entry")]
    assert entries == [100.0, 101.0]
    trade = run.trade("SOL")
    bankrupt = 100.0 * (1 - 1 / LEVERAGE)
    assert trade.liquidation_usd == pytest.approx((bankrupt - 50.0) * trade.quantity)
    assert run.report.ok  # the checker takes any price of the entry
