"""A promoted document: a ledger with the evidence of each stage, and the configuration that lists it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crupto_nautilus.laboratory.evidence import NEEDS, STAGES, Stage
from crupto_nautilus.laboratory.promotion import promote, survivor
from research.dsl import Document
from research.ledger import Kind, Ledger
from research.standards import load_spec

CAMPAIGN = "made"


def write_evidence(ledger: Ledger, document: Document, stage: Stage) -> None:
    """Append a survived campaign, and a passed gate for every stage up to one."""
    name = document.document_hash
    decision = {"document_hash": name, "document": document.canonical_json(), "survived": True}
    ledger.append(Kind.DECISION, CAMPAIGN, decision | {"killed_by": [], "expected_r": [0.1]})
    for step in STAGES[: STAGES.index(stage) + 1]:
        gate = {"gate": NEEDS[step].gate, "status": "passed", "checks": []}
        ledger.append(NEEDS[step].kind, CAMPAIGN, {"document_hash": name, "gate": gate})


def promoted(folder: Path, document: Document, stage: Stage) -> dict[str, Any]:
    """Promote a document into `folder/config` by the real path, its lab in `folder/lab`; return the entry."""
    ledger = Ledger(folder / "lab")
    write_evidence(ledger, document, stage)
    who = survivor(ledger, CAMPAIGN, document.document_hash)
    return promote(ledger, who, stage, folder / "config", load_spec())
