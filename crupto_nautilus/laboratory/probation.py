"""Evidence of challengers from runs of the desk: the paper run before shadow (G8b), and what came after.

A run is read once: an observation that overlaps an earlier one of the same challenger and stage is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from actors.enable_map import Challenger
from catalog.store import Catalog
from crupto_nautilus.config import DeskConfig
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.paper import run_paper
from crupto_nautilus.desk.parity import compare_run
from crupto_nautilus.errors import UsageError
from crupto_nautilus.laboratory.promotion import Survivor, demote, survivor
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.verify import verify_run
from research.dsl import Document
from research.dsl.vector import evaluate
from research.ledger import Kind, Ledger
from research.ledger.errors import NotPromotable
from research.market import MarketArrays
from research.probation.judge import breach, canary_gate, must_go, shadow_gate
from research.probation.observation import Expectation, Label, Observation
from research.standards.outcome import GateResult, at_least, at_most, holds
from research.standards.spec import GateSpec
from risk.vocabulary import DAY_NS, RegimeLabel


def paper_gate(
    ledger: Ledger,
    who: Survivor,
    catalog: Path,
    window: tuple[int, int],
    config: DeskConfig,
    lab: Path,
    spec: GateSpec,
) -> GateResult:
    """Run a survivor alone in the paper node on replay, compare with the backtest, check limits and books."""
    place = lab / who.campaign / "paper" / f"{who.id}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(who.document.canonical_json() + "\n", encoding="utf-8")
    sides = tuple("long" if side > 0 else "short" for side in who.document.sides)
    challenger = Challenger.model_validate(
        {
            "id": who.id,
            "document": str(place),
            "document_hash": who.document.document_hash,
            "risk_share": spec.risk.canary_shares[0],
            "stage": "canary",
            "regimes": {label: sides for label in RegimeLabel if label is not RegimeLabel.UNKNOWN},
        }
    )
    alone = replace(config, enable_map=config.enable_map.with_challengers((challenger,)))
    number = sum(1 for record in ledger.of(who.campaign, Kind.PAPER)) + 1
    options = PaperOptions(
        catalog=catalog,
        config=alone,
        out=place.parent,
        run_id=f"paper-{who.document.document_hash[:8]}-{number}",
        symbols=_instruments(ledger, who),
        start_ns=window[0],
        end_ns=window[1],
        equity=10_000.0,
        strategies=(who.document.name,),
        unproven=(who.id,),
    )
    folder = RunFolder(run_paper(options))
    parity = compare_run(folder, options)
    report = verify_run(folder)
    compared = sum(table.rows_backtest for table in parity.tables)
    equal = sum(table.equal for table in parity.tables)
    trades = len(folder.table("trades"))
    gate = GateResult.of(
        "G8b",
        holds("parity", parity.same),
        at_least("rows_equal", equal / compared if compared else float("nan"), spec.g8b_paper.parity_min),
        at_least("trades", trades, 1),
        at_most("rules_broken", sum(not check.ok for check in report.checks), 0),
        note=f"run {folder.run_id}, replay evidence",
    )
    ledger.append(
        Kind.PAPER,
        who.campaign,
        {
            "document_hash": who.document.document_hash,
            "run": folder.run_id,
            "label": "replay",
            "start_ns": folder.facts.start_ns,
            "end_ns": folder.facts.end_ns,
            "gate": gate.to_body(),
        },
    )
    return gate


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run said of one challenger."""

    challenger: str
    stage: str
    gate: GateResult
    breach: str
    demoted: bool


def observe(
    ledger: Ledger, run: RunFolder, catalog: Path, config: DeskConfig, folder: Path, spec: GateSpec
) -> list[Seen]:
    """Record what a run showed of every promoted challenger, judge it, and demote whoever must go."""
    return [
        _observe(ledger, run, catalog, challenger, folder, spec)
        for challenger in config.enable_map.challengers
        if challenger.document is not None and challenger.ledger_head
    ]


def _observe(
    ledger: Ledger, run: RunFolder, catalog: Path, challenger: Challenger, folder: Path, spec: GateSpec
) -> Seen:
    promoted = next((r for r in ledger.of(None, Kind.PROMOTED) if r.hash == challenger.ledger_head), None)
    if promoted is None:
        raise NotPromotable(
            f"the ledger did not promote {challenger.id} as the enable map says",
            found=challenger.ledger_head,
            expected="the head of one of its promotions",
            remedy="crupto research status; the lab must be the one that promoted it",
        )
    step = str(promoted.body["step"])
    who = survivor(ledger, promoted.campaign, challenger.document_hash)
    kind = Kind.SHADOW if step == "shadow" else Kind.CANARY
    seen = observation(run, catalog, challenger, who.document, step)
    past = [
        Observation.from_body(record.body["observation"])
        for record in ledger.of(who.campaign, kind)
        if record.body["promotion"] == promoted.hash
    ]
    _once(seen, past)
    share = challenger.risk_share or spec.risk.canary_shares[0]
    expectation = Expectation(np.array(who.expected_r), share * spec.risk.per_trade_pct / 100.0)
    seed = int(promoted.hash[:8], 16)
    same = [one for one in (*past, seen) if one.label == seen.label]
    gate = (
        shadow_gate(same, expectation, spec, seed)
        if step == "shadow"
        else canary_gate(same, expectation, spec, seed, second=step == "canary-2")
    )
    told = [breach(one, expectation, spec, seed) for one in same]
    ledger.append(
        kind,
        who.campaign,
        {
            "document_hash": challenger.document_hash,
            "promotion": promoted.hash,
            "observation": seen.to_body(),
            "end_ns": seen.end_ns,
            "breach": told[-1],
            "gate": gate.to_body(),
        },
    )
    gone = must_go(told, spec)
    if gone:
        demote(ledger, challenger.id, folder, f"twice in a row: {told[-1]}", seen.end_ns)
    return Seen(challenger.id, step, gate, told[-1], gone)


def observation(
    run: RunFolder, catalog: Path, challenger: Challenger, document: Document, step: str
) -> Observation:
    """Read what a run folder holds of a challenger: its shadow's folder, or its part of the desk's tables."""
    folder = run
    if challenger.stage == "shadow":
        path = run.path / "shadow" / challenger.id
        if not path.is_dir():
            raise UsageError(
                f"run {run.run_id} has no shadow of {challenger.id}",
                found=f"no folder {path.name} in shadow/",
                expected="a run with this enable map",
                remedy="run the desk with the configuration that lists the challenger",
            )
        folder = RunFolder(path)
    facts = folder.facts
    own = {name: folder.table(name) for name in ("trades", "signals", "fills", "decisions")}
    own = {name: table[table["strategy"] == document.name] for name, table in own.items()}
    expected = _entries(catalog, document, [one.instrument for one in facts.instruments], facts)
    found = {
        (int(ts), str(name), int(side))
        for ts, name, side in own["signals"][["ts_event", "instrument", "side"]].itertuples(index=False)
    }
    return Observation(
        challenger.id,
        step,
        run.run_id,
        _label(run),
        facts.start_ns,
        facts.end_ns,
        tuple(float(value) for value in own["trades"].sort_values("ts_event", kind="stable")["r"]),
        len(expected | found),
        len(expected & found),
        _excess(own["fills"], own["decisions"]),
    )


def _entries(
    catalog: Path, document: Document, names: Sequence[str], facts: Any
) -> set[tuple[int, str, int]]:
    """Return the document's entries on the catalog's bars within a run."""
    market = MarketArrays.from_catalog(Catalog(catalog), names, [document.minutes], None, facts.end_ns)
    found = set()
    for name in names:
        frame = market.frame(name, document.minutes)
        if not document.trades(frame.coin):
            continue
        entry = evaluate(document, frame).entry
        rows = np.flatnonzero((entry != 0) & (frame.ts_event > facts.start_ns))
        found |= {(int(frame.ts_event[row]), name, int(entry[row])) for row in rows}
    return found


def _excess(fills: Any, decisions: Any) -> tuple[float, ...]:
    """Return slippage paid beyond what was expected at the approval, in bps, for each taker entry fill."""
    wanted = dict(zip(decisions["trace_id"], decisions["expected_slippage_bps"], strict=True))
    found = []
    for fill in fills[(fills["role"] == "entry") & ~fills["maker"]].to_dict("records"):
        expected = wanted.get(fill["trace_id"])
        if expected is not None and np.isfinite(expected):
            paid = 10_000.0 * fill["slippage_usd"] / (fill["quantity"] * fill["price"])
            found.append(float(paid - expected))
    return tuple(found)


def _label(run: RunFolder) -> Label:
    """Return `live` for a run on the exchange's feed, `replay` for everything that repeats history."""
    words = run.facts.command.split()
    on_exchange = any(a == "--feed" and b == "bingx" for a, b in pairwise(words)) or "--feed=bingx" in words
    return "live" if run.facts.mode == "vst" or on_exchange else "replay"


def _once(seen: Observation, past: Sequence[Observation]) -> None:
    for one in past:
        if one.start_ns < seen.end_ns and seen.start_ns < one.end_ns:
            raise UsageError(
                f"run {seen.run} shows days of {seen.challenger} that were observed before",
                found=f"run {one.run} covers them",
                expected="later days",
                remedy="observe a run that begins after it",
            )


def _instruments(ledger: Ledger, who: Survivor) -> tuple[str, ...]:
    opened = next(ledger.of(who.campaign, Kind.CAMPAIGN_OPENED))
    return tuple(opened.body["instruments"])


def holdout_window(ledger: Ledger, campaign: str) -> tuple[int, int]:
    """Return the holdout of a campaign: history the candidate has proved itself on, replayed for G8b."""
    windows = next(ledger.of(campaign, Kind.CAMPAIGN_OPENED)).body["windows"]
    first = windows["holdout_first"] * DAY_NS
    return first, first + windows["holdout_days"] * DAY_NS
