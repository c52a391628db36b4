"""Promotion and demotion: the ledger is asked, the enable map is written, the proof lies beside the document.

Nobody is promoted by hand: without the evidence in the ledger (`evidence.NEEDS`) the answer is no.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crupto_nautilus.laboratory.enable_file import challengers, enable_file, put, take_out
from crupto_nautilus.laboratory.evidence import NEEDS, STAGES, Stage, is_of, newest, since_demotion
from crupto_nautilus.laboratory.proof import write_proof
from research.dsl import Document, parse_document
from research.ledger import Kind, Ledger, Record
from research.ledger.errors import NotPromotable
from research.standards.spec import GateSpec
from research.trials.windows import DAY_NS
from risk.vocabulary import RegimeLabel


@dataclass(frozen=True, slots=True)
class Survivor:
    """A document that passed G0 to G8 in a campaign."""

    campaign: str
    document: Document
    decision: Record

    @property
    def id(self) -> str:
        """Return the id of its challenger."""
        return f"{self.document.name[:40]}-{self.document.document_hash[:8]}"

    @property
    def expected_r(self) -> list[float]:
        """Return the results in R of its research window."""
        return [float(value) for value in self.decision.body["expected_r"]]


def survivor(ledger: Ledger, campaign: str, document_hash: str) -> Survivor:
    """Return a survivor by the beginning of its document's hash.

    Raises
    ------
    NotPromotable
        The campaign knows no such document, or it did not survive.
    """
    decisions = [
        record
        for record in ledger.of(campaign, Kind.DECISION)
        if record.body["document_hash"].startswith(document_hash)
    ]
    alive = [record for record in decisions if record.body["survived"]]
    if len(alive) == 1:
        return Survivor(campaign, parse_document(alive[0].body["document"]), alive[0])
    names = [r.body["document_hash"][:12] for r in ledger.of(campaign, Kind.DECISION) if r.body["survived"]]
    found = "more than one" if alive else "a finalist that died" if decisions else "no finalist of this hash"
    raise NotPromotable(
        f"campaign {campaign} has no survivor {document_hash}",
        found=found,
        expected=f"one of: {', '.join(names) or 'nobody survived'}",
        remedy=f"crupto research status {campaign}",
    )


def promote(ledger: Ledger, who: Survivor, stage: Stage, folder: Path, spec: GateSpec) -> dict[str, Any]:
    """Write a survivor into the enable map of a configuration folder and return its entry.

    Raises
    ------
    NotPromotable
        The ledger lacks the evidence for this stage, or the document cools down after a demotion.
    """
    _require(ledger, who, stage, spec)
    share = 0.0 if stage == "shadow" else spec.risk.canary_shares[STAGES.index(stage) - 1]
    place = folder / "challengers" / f"{who.id}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(who.document.canonical_json() + "\n", encoding="utf-8")
    named = "shadow" if stage == "shadow" else "canary"
    record = ledger.append(
        Kind.PROMOTED,
        who.campaign,
        {
            "document_hash": who.document.document_hash,
            "challenger": who.id,
            "stage": named,
            "step": stage,
            "risk_share": share,
        },
    )
    write_proof(ledger, place)
    sides = {1: "long", -1: "short"}
    entry = {
        "id": who.id,
        "document": str(place),
        "document_hash": who.document.document_hash,
        "ledger_head": record.hash,
        "risk_share": share,
        "stage": named,
        "regimes": {
            label.value: [sides[side] for side in who.document.sides]
            for label in RegimeLabel
            if label is not RegimeLabel.UNKNOWN
        },
    }
    put(enable_file(folder), entry)
    return entry


def demote(ledger: Ledger, challenger: str, folder: Path, reason: str, at_ns: int) -> bool:
    """Take a challenger out of the enable map and record why; return whether it was there.

    Raises
    ------
    NotPromotable
        The ledger never promoted it.
    """
    record = last_promotion(ledger, challenger)
    ledger.append(
        Kind.DEMOTED,
        record.campaign,
        {
            "document_hash": record.body["document_hash"],
            "challenger": challenger,
            "reason": reason,
            "data_time_ns": at_ns,
        },
    )
    return take_out(enable_file(folder), challenger)


def last_promotion(ledger: Ledger, challenger: str) -> Record:
    """Return the newest promotion of a challenger.

    Raises
    ------
    NotPromotable
        There is none.
    """
    found = [r for r in ledger.of(None, Kind.PROMOTED) if r.body["challenger"] == challenger]
    if not found:
        known = sorted({r.body["challenger"] for r in ledger.of(None, Kind.PROMOTED)})
        raise NotPromotable(
            f"the ledger never promoted {challenger}",
            found=challenger,
            expected=f"one of: {', '.join(known) or 'no challenger yet'}",
            remedy="crupto research status",
        )
    return found[-1]


def _require(ledger: Ledger, who: Survivor, stage: Stage, spec: GateSpec) -> None:
    _cooled_down(ledger, who, spec)
    name, need = who.document.document_hash, NEEDS[stage]
    found = newest(ledger.records, name, stage)
    if found is None or found.body["gate"]["status"] != "passed":
        checks = found.body["gate"]["checks"] if found is not None else []
        failed = ", ".join(f"{c['name']} {c['value']}" for c in checks if not c["passed"])
        raise NotPromotable(
            f"{who.id} may not go to {stage}: {need.gate} has not passed",
            found=f"{need.gate} failed: {failed}" if found is not None else f"no evidence for {need.gate}",
            expected=f"{need.gate} passed in the ledger",
            remedy=need.command.replace("CAMPAIGN DOCUMENT", f"{who.campaign} {name[:12]}"),
        )


def _cooled_down(ledger: Ledger, who: Survivor, spec: GateSpec) -> None:
    """Refuse while the newest evidence lies within the cooldown after a demotion (data time)."""
    name = who.document.document_hash
    demoted = [r for r in ledger.of(None, Kind.DEMOTED) if is_of(r, name)]
    if not demoted:
        return
    until = int(demoted[-1].body["data_time_ns"]) + spec.g10_canary.cooldown_days * DAY_NS
    ends = (
        int(r.body["end_ns"])
        for r in since_demotion(ledger.records, name)
        if is_of(r, name) and "end_ns" in r.body
    )
    last = max(ends, default=0)
    if last < until:
        raise NotPromotable(
            f"{who.id} was demoted and cools down",
            found=f"newest evidence since then ends {max(0, (until - last)) / DAY_NS:.0f} days too early",
            expected=f"{spec.g10_canary.cooldown_days} days of data after the demotion",
            remedy="research something else; new data will come",
        )


def listed(folder: Path) -> list[dict[str, Any]]:
    """Return the challengers of a configuration folder."""
    return challengers(enable_file(folder))
