"""What a generator of candidates is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from research.dsl.document import Document


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the research window said of a candidate that was tried; never the holdout."""

    document: Document
    score: float  # higher is better; NaN: it could not be judged
    trades: int = 0
    exposure: float = 0.0
    reason: str = ""  # where it failed, if it did


@dataclass(frozen=True, slots=True)
class GenerationContext:
    """What a generator may know.

    Attributes
    ----------
    timeframes : tuple of str
        Timeframes to propose for.
    instruments : tuple of str or None
        Coins the candidates are meant for; None: all.
    has_funding, has_basis : bool
        Whether the market holds these columns.
    seen : frozenset of str
        Hashes of documents that were tried before: they are not proposed again.
    feedback : tuple of Feedback
        What is known of earlier candidates, oldest first.
    """

    timeframes: tuple[str, ...] = ("1h",)
    instruments: tuple[str, ...] | None = None
    has_funding: bool = False
    has_basis: bool = False
    seen: frozenset[str] = frozenset()
    feedback: tuple[Feedback, ...] = ()


class Generator(Protocol):
    """Proposes candidates.

    Guarantees: `count` documents, valid, none equal to another or to one of `context.seen`; the same seed,
    context and earlier calls give the same documents.
    """

    name: str

    def propose(self, count: int, seed: int, context: GenerationContext) -> list[Document]:
        """Return new candidates."""


@runtime_checkable
class Sourced(Protocol):
    """A generator whose documents come from elsewhere, and that can say whence."""

    def provenance(self) -> dict[str, Any]:
        """Return what the last proposal came from, as values of a ledger line; empty if it was computed."""
