"""Where campaigns and challengers stand, read from the ledger alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from research.ledger import Kind, Ledger


@dataclass(frozen=True, slots=True)
class CampaignState:
    """One campaign."""

    id: str
    stage: str  # registered, searching, judging, decided
    opened: str  # wall time UTC
    budget: int
    tried: int
    crashed: int
    finalists: int
    holdout: bool
    killed: dict[str, int]  # gate -> finalists that failed it
    survivors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A document outside the laboratory."""

    challenger: str
    stage: str  # paper, shadow, canary, demoted
    campaign: str
    document_hash: str


def campaign_states(ledger: Ledger) -> list[CampaignState]:
    """Return every campaign in the order of registration."""
    return [_state(ledger, record.campaign) for record in ledger.of(None, Kind.CAMPAIGN_OPENED)]


def _state(ledger: Ledger, campaign: str) -> CampaignState:
    records = list(ledger.of(campaign))
    opened = records[0]
    trials = [r for r in records if r.kind is Kind.TRIAL]
    gates = [r for r in records if r.kind is Kind.GATE]
    closed = next((r for r in records if r.kind is Kind.CAMPAIGN_CLOSED), None)
    stage = "registered"
    if closed is not None:
        stage = "decided"
    elif gates:
        stage = "judging"
    elif any(r.kind is Kind.CANDIDATES for r in records):
        stage = "searching"
    killed = Counter(r.body["gate"] for r in gates if r.body["status"] == "failed")
    return CampaignState(
        campaign,
        stage,
        opened.time,
        opened.body["budget"],
        len(trials),
        sum(r.body["status"] == "crashed" for r in trials),
        len({r.body["document_hash"] for r in gates}),
        any(r.kind is Kind.HOLDOUT_OPENED for r in records),
        dict(sorted(killed.items())),
        tuple(closed.body["survivors"]) if closed else (),
    )


def deployments(ledger: Ledger) -> list[Deployment]:
    """Return the last stage of every challenger that was ever promoted."""
    found: dict[str, Deployment] = {}
    for record in ledger.of(None, Kind.PROMOTED, Kind.DEMOTED):
        body = record.body
        stage = body["stage"] if record.kind is Kind.PROMOTED else "demoted"
        found[body["challenger"]] = Deployment(
            body["challenger"], stage, record.campaign, body["document_hash"]
        )
    return list(found.values())
