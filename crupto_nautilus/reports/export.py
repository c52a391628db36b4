"""The track record of closed trades, hash-chained: what one shows to somebody who thinks of following it.

Guarantees: every row carries sha256(hash of the row before + its own canonical JSON), so changing, removing
or inserting a row breaks every later hash, and the head hash, once published, fixes the whole record.  The
first row chains to the hash of the header (run id, data fingerprint, governance limits, costs).  What it
cannot show: that the run itself was honest; `crupto report --verify` and the run folder do that.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crupto_nautilus.reports.errors import RunFolderError
from crupto_nautilus.reports.ledger import rows_of
from crupto_nautilus.reports.metrics import exit_kinds
from crupto_nautilus.reports.run_folder import RunFolder, write_text
from risk.vocabulary import side_name

FORMAT = "crupto-track-record/1"
_ROUNDED = {"r": 6}
_MONEY_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Export:
    """Where a track record was written; `head` is the hash to publish."""

    csv_path: Path
    json_path: Path
    rows: int
    head: str


def canonical(value: object) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def chain_hash(previous: str, row: dict[str, Any]) -> str:
    """Return sha256(previous hash + canonical row)."""
    return hashlib.sha256((previous + canonical(row)).encode()).hexdigest()


def track_record(folder: RunFolder) -> dict[str, Any]:
    """Return header, rows (oldest first, each with its `hash`) and head of a run's closed trades."""
    facts = folder.facts
    header = {
        "format": FORMAT,
        "run_id": facts.run_id,
        "mode": facts.mode,
        "costs": facts.costs,
        "data_labels": sorted({i.label for i in facts.instruments}),
        "start_ns": facts.start_ns,
        "end_ns": facts.end_ns,
        "starting_equity": facts.starting_equity,
        "data_fingerprint": facts.data_fingerprint,
        "governance_hash": facts.governance_hash,
        "git_revision": facts.git_revision,
    }
    previous = chain_hash("", header)
    rows = []
    for number, (row, kind) in enumerate(
        zip(rows_of(folder.table("trades")), exit_kinds(folder), strict=True), start=1
    ):
        record = _record(number, row, kind)
        previous = chain_hash(previous, record)
        rows.append(record | {"hash": previous})
    return {"header": header, "rows": rows, "head": previous}


def _record(number: int, row: Any, kind: str) -> dict[str, Any]:
    names = (
        *("quantity", "entry_price", "exit_price", "gross_usd", "fees_usd", "slippage_usd"),
        *("funding_usd", "liquidation_usd", "net_usd", "risk_usd", "r"),
    )
    return {
        "number": number,
        "ts_open": row.ts_open,
        "ts_close": row.ts_event,
        "trace_id": row.trace_id,
        "strategy": row.strategy,
        "instrument": row.instrument,
        "side": side_name(row.side),
        **{name: round(getattr(row, name), _ROUNDED.get(name, _MONEY_DIGITS)) for name in names},
        "exit_reason": kind,
        "virtual_asset": row.virtual_asset,
    }


def export_track_record(folder: RunFolder, out: Path | None = None) -> Export:
    """Write `track_record.csv` and `track_record.json` into `out` (the run folder itself by default).

    Raises
    ------
    RunWriteError
        The disk refuses.
    """
    record = track_record(folder)
    target = folder.path if out is None else out
    text = io.StringIO()
    names = list(record["rows"][0]) if record["rows"] else ["number", "hash"]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(record["rows"])
    json_path = write_text(target / "track_record.json", json.dumps(record, indent=1) + "\n")
    csv_path = write_text(target / "track_record.csv", text.getvalue())
    return Export(csv_path, json_path, len(record["rows"]), record["head"])


@dataclass(frozen=True, slots=True)
class ChainAnswer:
    """Whether a track record is unbroken; `broken_at` is the number of the first row that does not fit."""

    ok: bool
    rows: int
    head: str
    broken_at: int | None = None
    problem: str = ""


def verify_track_record(path: Path, head: str | None = None) -> ChainAnswer:
    """Check the chain of a `track_record.json`, and that it ends in the published `head` if one is given.

    Raises
    ------
    RunFolderError
        The file is missing or no track record.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        header, rows, written = record["header"], record["rows"], record["head"]
        if header["format"] != FORMAT:
            raise KeyError(f"format {header['format']}")
        previous = chain_hash("", header)
        for number, row in enumerate(rows, start=1):
            plain = {key: value for key, value in row.items() if key != "hash"}
            previous = chain_hash(previous, plain)
            if row["hash"] != previous or row["number"] != number:
                problem = f"row {number} was changed, or one before it removed or inserted"
                return ChainAnswer(False, len(rows), written, number, problem)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunFolderError(
            f"{path} is no track record: {error}",
            found=type(error).__name__,
            expected=f"a file of format {FORMAT}",
            remedy="crupto report RUN --export writes one",
        ) from error
    if written != previous:
        return ChainAnswer(False, len(rows), written, None, "the head is not the hash of the last row")
    if head is not None and head != previous:
        return ChainAnswer(False, len(rows), written, None, "the head is not the one that was published")
    return ChainAnswer(True, len(rows), written)
