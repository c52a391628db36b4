"""Compute a campaign again from its registered documents and compare every bit with the ledger.

Nothing is written, and the holdout is not opened anew: only finalists for which the ledger says that it was
opened are judged on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from research.campaign.judge import Bench, Finalist, entry_gates, judge_before_holdout, judge_holdout
from research.campaign.plan import CampaignPlan
from research.campaign.run import BATCH, Campaign, Report, registered_plan
from research.dsl import Document, parse_document
from research.gates.search import search_statistics
from research.ledger import Kind, Ledger, canonical
from research.ledger.errors import CampaignChanged
from research.standards.outcome import GateResult, Status
from research.trials.trial import Trial, try_batch


@dataclass
class Verification:
    """What was computed again, and what differs."""

    campaign: str
    trials: int = 0
    gates: int = 0
    decisions: int = 0
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Tell whether everything came out as recorded."""
        return not self.differences


def registered(ledger: Ledger, campaign: str) -> CampaignPlan:
    """Return the plan a campaign registered.

    Raises
    ------
    CampaignChanged
        The ledger knows no such campaign.
    """
    opened = next(ledger.of(campaign, Kind.CAMPAIGN_OPENED), None)
    if opened is None:
        known = ", ".join(record.campaign for record in ledger.of(None, Kind.CAMPAIGN_OPENED)) or "none"
        raise CampaignChanged(
            f"the ledger knows no campaign {campaign}", found=campaign, expected=f"one of: {known}",
            remedy="crupto research status",
        )  # fmt: skip
    return registered_plan(opened.body)


def verify_campaign(
    campaign: Campaign, *, documents: Sequence[str] = (), report: Report | None = None
) -> Verification:
    """Recompute trials, gates and decisions of a campaign.

    Parameters
    ----------
    campaign
        Set up as for running, with the market and the gate file of its registration.
    documents
        Hashes, or beginnings of hashes: only these trials are recomputed one by one.  Finalists need the
        statistics of all trials, so those are recomputed whenever a finalist is asked for.
    """
    ledger, plan = campaign.ledger, registered(campaign.ledger, campaign.plan.id)
    found = Verification(plan.id)
    if plan.code_sha256 != campaign.plan.code_sha256:
        found.notes.append("the code is not the one the campaign ran with; equal figures still count")
    campaign.plan.model_copy(update={"code_sha256": plan.code_sha256}).check_unchanged(plan)
    proposed = [
        parse_document(text)
        for record in ledger.of(plan.id, Kind.CANDIDATES)
        for text in record.body["documents"]
    ]
    gates = list(ledger.of(plan.id, Kind.GATE))
    finalists = {record.body["document_hash"] for record in gates}
    asked = [d for d in proposed if not documents or d.document_hash.startswith(tuple(documents))]
    whole = any(document.document_hash in finalists for document in asked)
    trials = _recompute(campaign, proposed if whole else asked, found, report)
    if whole:
        wanted = [document for document in asked if document.document_hash in finalists]
        _verdicts(campaign, proposed, trials, wanted, found)
    return found


def _recompute(
    campaign: Campaign, documents: Sequence[Document], found: Verification, report: Report | None
) -> list[Trial]:
    recorded = {r.body["document_hash"]: r.body for r in campaign.ledger.of(campaign.plan.id, Kind.TRIAL)}
    batches = [documents[i : i + BATCH] for i in range(0, len(documents), BATCH)]
    trials: list[Trial] = []
    for batch in campaign.executor.run(try_batch, campaign.laboratory, batches):
        for trial in batch:
            body = recorded.get(trial.document_hash)
            if body is None:
                found.notes.append(f"trial {trial.document_hash[:12]} was registered and never finished")
            elif canonical(trial.to_body()) != canonical(body):
                what = _difference(trial.to_body(), body)
                found.differences.append(f"trial {trial.document_hash[:12]}: {what}")
        trials += batch
        if report is not None:
            report("trials again", len(trials), len(documents))
    found.trials = len(trials)
    return trials


def _verdicts(
    campaign: Campaign,
    proposed: Sequence[Document],
    trials: Sequence[Trial],
    wanted: Sequence[Document],
    found: Verification,
) -> None:
    ledger, plan = campaign.ledger, campaign.plan
    search = search_statistics(trials, campaign.trial_count(), campaign.laboratory.spec, plan.seed)
    bench = campaign.bench(search)
    opened = {name for record in ledger.of(plan.id, Kind.HOLDOUT_OPENED) for name in record.body["finalists"]}
    earlier = campaign.earlier()
    by_hash = {trial.document_hash: trial for trial in trials}
    for document in wanted:
        name = document.document_hash
        again = _gates_again(bench, campaign, document, by_hash[name], is_new=name not in earlier)
        if name in opened:
            route = next(gate for gate in again if gate.gate == "G5").value("route")
            again.append(judge_holdout(bench, Finalist(document, by_hash[name], ()), route))
        _compare(ledger, plan.id, name, again, found)


def _gates_again(
    bench: Bench, campaign: Campaign, document: Document, trial: Trial, *, is_new: bool
) -> list[GateResult]:
    entry = entry_gates(
        document, trial, campaign.laboratory, is_new=is_new, portfolio_drawdown=campaign.portfolio_drawdown
    )
    return [*entry, *judge_before_holdout(bench, Finalist(document, trial, entry))]


def _compare(
    ledger: Ledger, campaign: str, name: str, again: Sequence[GateResult], found: Verification
) -> None:
    recorded = {
        record.body["gate"]: {key: value for key, value in record.body.items() if key != "document_hash"}
        for record in ledger.of(campaign, Kind.GATE)
        if record.body["document_hash"] == name
    }
    for gate in again:
        body = recorded.pop(gate.gate, None)
        found.gates += 1
        if body is None or canonical(gate.to_body()) != canonical(body):
            found.differences.append(f"{gate.gate} of {name[:12]}: {_difference(gate.to_body(), body or {})}")
    left = [gate for gate, body in recorded.items() if body["status"] != Status.NOT_RUN.value]
    found.differences += [f"{gate} of {name[:12]} is recorded and cannot have been run" for gate in left]
    survived = not left and len(again) == 9 and all(gate.passed for gate in again)
    for record in ledger.of(campaign, Kind.DECISION):
        if record.body["document_hash"] == name:
            found.decisions += 1
            if bool(record.body["survived"]) != survived:
                recorded_as = record.body["survived"]
                found.differences.append(f"decision on {name[:12]}: recorded {recorded_as}, found {survived}")


def _difference(again: Mapping[str, Any], recorded: Mapping[str, Any]) -> str:
    """Return the first field that differs, in words."""
    for key in again:
        now, then = canonical(again[key]), canonical(recorded.get(key))
        if now != then:
            return f"{key} is {now[:120]}, recorded was {then[:120]}"
    return "fields were added"
