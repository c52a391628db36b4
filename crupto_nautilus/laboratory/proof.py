"""The proof that travels with a promoted document: the ledger up to the line that promoted it.

Guarantees: a challenger with a ledger head is accepted only when the chain beside its document is whole, ends
in that head, that line promoted this document to this stage with this share of the risk, and the lines before
it hold a survived campaign and every gate the stage needs.
"""

from __future__ import annotations

import math
from pathlib import Path

from actors.enable_map import Challenger
from crupto_nautilus.errors import CheckFailed
from crupto_nautilus.laboratory.evidence import STAGES, lacking
from research.ledger import Kind, Ledger, Record
from research.ledger.errors import LedgerBroken
from research.ledger.records import GENESIS

SUFFIX = ".ledger.jsonl"


def proof_path(document: Path) -> Path:
    """Return where the proof of a document lies."""
    return document.with_name(document.stem + SUFFIX)


def write_proof(ledger: Ledger, document: Path) -> None:
    """Write the ledger as it stands beside a document."""
    path = proof_path(document)
    part = path.with_suffix(".part")
    part.write_text("".join(record.line() + "\n" for record in ledger.records), encoding="utf-8")
    part.replace(path)


def check_proof(challenger: Challenger) -> None:
    """Check the proof of a challenger.

    Raises
    ------
    CheckFailed
        There is none, it is broken, or it proves something else.
    """
    path = proof_path(Path(challenger.document or ""))
    remedy = "take the challenger out of the enable map, or promote it with `crupto research promote`"
    try:
        records = _chain(path)
    except (OSError, LedgerBroken) as error:
        raise CheckFailed(
            f"challenger {challenger.id}: the proof of its promotion does not hold",
            found=str(error).splitlines()[0],
            expected=f"the ledger beside its document, {path.name}",
            remedy=remedy,
        ) from error
    last = records[-1] if records else None
    body = last.body if last is not None else {}
    wanted = {
        "head": challenger.ledger_head,
        "document_hash": challenger.document_hash,
        "stage": challenger.stage,
        "challenger": challenger.id,
    }
    found = {name: body.get(name) for name in wanted} | {"head": last.hash if last else GENESIS}
    promoted = last is not None and last.kind is Kind.PROMOTED
    same_share = math.isclose(float(body.get("risk_share", -1.0)), challenger.risk_share, abs_tol=1e-12)
    if not promoted or found != wanted or not same_share:
        raise CheckFailed(
            f"challenger {challenger.id}: its ledger does not prove this entry",
            found=f"{found}, risk share {body.get('risk_share')}",
            expected=f"{wanted}, risk share {challenger.risk_share}",
            remedy=remedy,
        )
    step = next((one for one in STAGES if one == body.get("step")), None)
    missing = lacking(records, challenger.document_hash, step) if step else "the step it was promoted to"
    if missing:
        raise CheckFailed(
            f"challenger {challenger.id}: its ledger promoted it without evidence",
            found=f"no {missing.removeprefix('a ')}",
            expected="a survived campaign and every gate up to its stage",
            remedy=remedy,
        )


def _chain(path: Path) -> list[Record]:
    """Read a chain."""
    records: list[Record] = []
    for index, line in enumerate(path.read_text(encoding="utf-8").rstrip("\n").split("\n")):
        records.append(Record.parse(line, index, records[-1].hash if records else GENESIS))
    return records
