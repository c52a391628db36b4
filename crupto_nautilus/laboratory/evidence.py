"""What each stage of a promotion needs in the ledger, asked by who promotes and by who loads a promoted one.

Stages, each only from the one before: paper (G8b) -> shadow (no risk) -> canary at the first share of the
risk -> canary at the second.  A demotion makes everything before it void.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from research.ledger import Kind, Record

type Stage = Literal["shadow", "canary", "canary-2"]
STAGES: tuple[Stage, ...] = ("shadow", "canary", "canary-2")


class Need(NamedTuple):
    """The gate that must have passed, the lines that hold it, and the command that runs it."""

    gate: str
    kind: Kind
    command: str


NEEDS: dict[Stage, Need] = {
    "shadow": Need("G8b", Kind.PAPER, "crupto research paper CAMPAIGN DOCUMENT --catalog DIR"),
    "canary": Need("G9", Kind.SHADOW, "crupto research observe RUN"),
    "canary-2": Need("G10", Kind.CANARY, "crupto research observe RUN"),
}


def is_of(record: Record, document_hash: str) -> bool:
    """Tell whether a line is about a document."""
    return bool(record.body.get("document_hash") == document_hash)


def since_demotion(records: Sequence[Record], document_hash: str) -> Sequence[Record]:
    """Return the lines after the last demotion of a document."""
    gone = [i for i, r in enumerate(records) if r.kind is Kind.DEMOTED and is_of(r, document_hash)]
    return records[gone[-1] + 1 :] if gone else records


def newest(records: Sequence[Record], document_hash: str, stage: Stage) -> Record | None:
    """Return the newest evidence for a stage, passed or not; None where there is none."""
    kind = NEEDS[stage].kind
    found = [r for r in since_demotion(records, document_hash) if r.kind is kind and is_of(r, document_hash)]
    return found[-1] if found else None


def lacking(records: Sequence[Record], document_hash: str, stage: Stage) -> str:
    """Return what a ledger that promoted a document to a stage lacks, in words; empty if it lacks nothing.

    Every stage up to this one must have been earned, and the document must have survived its campaign.
    """
    survived = any(
        r.kind is Kind.DECISION and is_of(r, document_hash) and r.body["survived"] for r in records
    )
    if not survived:
        return "a campaign it survived"
    for step in STAGES[: STAGES.index(stage) + 1]:
        kind = NEEDS[step].kind
        earned = any(
            r.kind is kind and is_of(r, document_hash) and r.body["gate"]["status"] == "passed"
            for r in since_demotion(records, document_hash)
        )
        if not earned:
            return f"a passed {NEEDS[step].gate}"
    return ""
