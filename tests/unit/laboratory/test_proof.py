"""A challenger carries a share of the risk only with the ledger that proves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from actors.enable_map import Challenger
from crupto_nautilus.desk.challengers import challenger_spec
from crupto_nautilus.errors import CheckFailed, SafetyRefusal
from crupto_nautilus.laboratory.evidence import Stage
from crupto_nautilus.laboratory.promotion import promote, survivor
from crupto_nautilus.laboratory.proof import proof_path, write_proof
from research.ledger import Kind, Ledger
from research.ledger.errors import NotPromotable
from research.standards import load_spec
from tests.fakes.proven import CAMPAIGN, promoted, write_evidence
from tests.fakes.research import document


def entry(values: dict[str, Any], **changes: object) -> Challenger:
    return Challenger.model_validate(values | changes)


@pytest.mark.parametrize("stage", ["shadow", "canary", "canary-2"])
def test_a_promoted_document_loads_with_its_proof(stage: Stage, tmp_path: Path) -> None:
    made = promoted(tmp_path, document(), stage)
    assert challenger_spec(entry(made)).name == "plain"


def test_a_canary_without_a_ledger_head_is_refused_and_a_shadow_is_not(tmp_path: Path) -> None:
    made = promoted(tmp_path, document(), "canary")
    with pytest.raises(SafetyRefusal, match="nothing proves"):
        challenger_spec(entry(made, ledger_head=""))
    assert challenger_spec(entry(made, ledger_head=""), on_trial=True).name == "plain"
    assert challenger_spec(entry(made, ledger_head="", stage="shadow", risk_share=0.0)).name == "plain"


@pytest.mark.parametrize(
    "changes", [{"risk_share": 0.9}, {"stage": "shadow"}, {"ledger_head": "0" * 64}, {"id": "another"}]
)
def test_an_entry_that_says_more_than_its_ledger_is_refused(
    changes: dict[str, object], tmp_path: Path
) -> None:
    made = promoted(tmp_path, document(), "canary")
    with pytest.raises(CheckFailed, match="does not prove this entry"):
        challenger_spec(entry(made, **changes))


def test_a_proof_that_was_edited_cut_or_taken_away_is_refused(tmp_path: Path) -> None:
    made = promoted(tmp_path, document(), "canary")
    path = proof_path(Path(made["document"]))
    lines = path.read_text().splitlines()
    edited = lines[0].replace('"survived":true', '"survived":false')
    assert edited != lines[0]
    for text in ([edited, *lines[1:]], lines[1:], ["{}"]):
        path.write_text("\n".join(text) + "\n")
        with pytest.raises(CheckFailed, match="does not hold"):
            challenger_spec(entry(made))
    path.unlink()
    with pytest.raises(CheckFailed, match="does not hold"):
        challenger_spec(entry(made))


@pytest.mark.parametrize(("stage", "missing"), [("shadow", "G9"), (None, "campaign it survived")])
def test_a_whole_chain_that_skipped_a_stage_proves_nothing(
    stage: Stage | None, missing: str, tmp_path: Path
) -> None:
    """Whoever writes the lines by hand, with hashes that fit, still needs the evidence in them."""
    made = promoted(tmp_path, document(), "canary")
    forged = Ledger(tmp_path / "forged")
    if stage is not None:
        write_evidence(forged, document(), stage)
    body = next(Ledger(tmp_path / "lab").of(CAMPAIGN, Kind.PROMOTED)).body
    head = forged.append(Kind.PROMOTED, CAMPAIGN, dict(body)).hash
    write_proof(forged, Path(made["document"]))
    with pytest.raises(CheckFailed, match="without evidence") as refusal:
        challenger_spec(entry(made, ledger_head=head))
    assert missing in refusal.value.found


def test_a_demotion_makes_earlier_evidence_void(tmp_path: Path) -> None:
    ledger, spec, made = Ledger(tmp_path / "lab"), load_spec(), document()
    write_evidence(ledger, made, "canary")
    who = survivor(ledger, CAMPAIGN, made.document_hash)
    promote(ledger, who, "shadow", tmp_path / "config", spec)
    gone = {"document_hash": made.document_hash, "challenger": who.id, "reason": "x", "data_time_ns": 0}
    ledger.append(Kind.DEMOTED, CAMPAIGN, gone)
    late = {"document_hash": made.document_hash, "end_ns": 10**18}
    ledger.append(Kind.CANARY, CAMPAIGN, late | {"gate": {"gate": "G10", "status": "failed", "checks": []}})
    with pytest.raises(NotPromotable, match="G8b has not passed"):
        promote(ledger, who, "shadow", tmp_path / "config", spec)
    assert json.loads(ledger.records[-1].line())["kind"] == "canary"
