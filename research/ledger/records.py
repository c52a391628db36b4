"""Lines of the ledger: what each holds, how it is hashed, what a chain promises.

A line is one JSON object `{index, previous, time, kind, campaign, body, hash}`; `hash` is the sha256 of the
canonical JSON of the other six, and `previous` the hash of the line above (64 zeros for the first).  Changing
a value, dropping or swapping a line breaks every hash below it.  Floats are written with all their digits, so
a metric read back is the metric that was computed; NaN and infinities are written as text.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from research.ledger.errors import LedgerBroken

GENESIS = "0" * 64
_KEYS = ("index", "previous", "time", "kind", "campaign", "body")


class Kind(StrEnum):
    """What a line records."""

    CAMPAIGN_OPENED = "campaign_opened"  # pre-registration: nothing was computed before it
    CANDIDATES = "candidates"  # documents about to be tried; they count from here on
    TRIAL = "trial"  # what the screen said about one document, crashes included
    GATE = "gate"  # one gate of one finalist
    HOLDOUT_OPENED = "holdout_opened"
    DECISION = "decision"  # survived, or the gate that killed it
    CAMPAIGN_CLOSED = "campaign_closed"
    MANUAL_TRIALS = "manual_trials"  # trials made elsewhere, declared by a person
    PAPER = "paper"  # G8b
    SHADOW = "shadow"  # G9
    CANARY = "canary"  # G10
    PROMOTED = "promoted"
    DEMOTED = "demoted"
    RECOVERED = "recovered"  # a line torn by a crash was set aside


def canonical(values: Any) -> str:
    """Return values as JSON with sorted keys and no blanks; equal values give equal text."""
    return json.dumps(
        plain(values), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256_of(values: Any) -> str:
    """Return the sha256 of the canonical JSON of values."""
    return hashlib.sha256(canonical(values).encode()).hexdigest()


def plain(value: Any) -> Any:
    """Return a value as JSON types; floats that are no number become the texts nan, inf and -inf."""
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    raise TypeError(f"no ledger form for {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class Record:
    """One line."""

    index: int
    previous: str
    time: str  # wall time UTC, for people; nothing is decided by it
    kind: Kind
    campaign: str
    body: Mapping[str, Any]
    hash: str

    @classmethod
    def make(
        cls, index: int, previous: str, time: str, kind: Kind, campaign: str, body: Mapping[str, Any]
    ) -> Record:
        """Return the record with its hash."""
        body = plain(body)
        content = {
            "index": index, "previous": previous, "time": time,
            "kind": kind.value, "campaign": campaign, "body": body,
        }  # fmt: skip
        return cls(index, previous, time, kind, campaign, body, sha256_of(content))

    def line(self) -> str:
        """Return the text of the line, without its end."""
        content = {key: getattr(self, key) for key in _KEYS} | {"hash": self.hash}
        return canonical(content | {"kind": self.kind.value})

    @classmethod
    def parse(cls, line: str, index: int, previous: str) -> Record:
        """Return the record of a line that must follow `previous`.

        Raises
        ------
        LedgerBroken
            The line is no record, is not number `index`, or its hashes do not fit.
        """
        try:
            content = json.loads(line)
            hash_found = content.pop("hash")
            fits = set(content) == set(_KEYS)
            kind = Kind(content["kind"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _broken(index, "is not a record of the ledger", line[:80], "one JSON object") from error
        if not fits or content["index"] != index:
            raise _broken(index, "is not the next record", f"index {content.get('index')}", f"index {index}")
        if content["previous"] != previous:
            raise _broken(index, "does not follow the line above", str(content["previous"]), previous)
        expected = sha256_of(content)
        if hash_found != expected:
            raise _broken(index, "was changed after it was written", str(hash_found), expected)
        return cls(index, previous, content["time"], kind, content["campaign"], content["body"], hash_found)


def _broken(index: int, what: str, found: str, expected: str) -> LedgerBroken:
    return LedgerBroken(
        f"line {index + 1} of the ledger {what}",
        found=found,
        expected=expected,
        remedy="restore the ledger from a copy whose head was published (enable_map.yaml names one); "
        "what was decided after the broken line is void",
    )
