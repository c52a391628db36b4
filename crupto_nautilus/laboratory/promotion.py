"""Promotion and demotion: the ledger is asked, the enable map is written, the proof lies beside the document.

Stages, each only from the one before: paper (G8b) -> shadow (no risk) -> canary at the first share of the
risk -> canary at the second.  Nobody is promoted by hand: without the evidence in the ledger the answer is
no.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from crupto_nautilus.laboratory.enable_file import challengers, enable_file, put, take_out
from crupto_nautilus.laboratory.proof import write_proof
from research.dsl import Document, parse_document
from research.ledger import Kind, Ledger, Record
from research.ledger.errors import NotPromotable
from research.standards.spec import GateSpec
from research.trials.windows import DAY_NS
from risk.vocabulary import RegimeLabel

type Stage = Literal["shadow", "canary", "canary-2"]
STAGES: tuple[Stage, ...] = ("shadow", "canary", "canary-2")


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
    short = who.document.document_hash[:12]
    gate, kind, command = {
        "shadow": (
            "G8b",
            Kind.PAPER,
            f"crupto research paper {who.campaign} {short}",
        ),
        "canary": ("G9", Kind.SHADOW, "crupto research observe RUN"),
        "canary-2": ("G10", Kind.CANARY, "crupto research observe RUN"),
    }[stage]
    evidence = [
        record for record in _since_demotion(ledger, who) if record.kind is kind and _is_of(record, who)
    ]
    if not evidence or evidence[-1].body["gate"]["status"] != "passed":
        failed = [
            f"{c['name']} {c['value']}" for c in evidence[-1].body["gate"]["checks"] if not c["passed"]
        ] if evidence else []  # fmt: skip
        raise NotPromotable(
            f"{who.id} may not go to {stage}: {gate} has not passed",
            found=f"{gate} failed: {', '.join(failed)}" if evidence else f"no evidence for {gate}",
            expected=f"{gate} passed in the ledger",
            remedy=command,
        )


def _is_of(record: Record, who: Survivor) -> bool:
    return bool(record.body.get("document_hash") == who.document.document_hash)


def _since_demotion(ledger: Ledger, who: Survivor) -> Sequence[Record]:
    demoted = [r.index for r in ledger.of(None, Kind.DEMOTED) if _is_of(r, who)]
    return ledger.records[demoted[-1] + 1 :] if demoted else ledger.records


def _cooled_down(ledger: Ledger, who: Survivor, spec: GateSpec) -> None:
    """Refuse while the newest evidence lies within the cooldown after a demotion (data time)."""
    demoted = [r for r in ledger.of(None, Kind.DEMOTED) if _is_of(r, who)]
    if not demoted:
        return
    until = int(demoted[-1].body["data_time_ns"]) + spec.g10_canary.cooldown_days * DAY_NS
    newest = max(
        (
            int(r.body["end_ns"])
            for r in _since_demotion(ledger, who)
            if _is_of(r, who) and "end_ns" in r.body
        ),
        default=0,
    )
    if newest < until:
        raise NotPromotable(
            f"{who.id} was demoted and cools down",
            found=f"newest evidence since then ends {max(0, (until - newest)) / DAY_NS:.0f} days too early",
            expected=f"{spec.g10_canary.cooldown_days} days of data after the demotion",
            remedy="research something else; new data will come",
        )


def listed(folder: Path) -> list[dict[str, Any]]:
    """Return the challengers of a configuration folder."""
    return challengers(enable_file(folder))
