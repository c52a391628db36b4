"""Challengers as strategies: a registered name, or a research document whose hash is the one stated.

Guarantees: a document that says anything else than what was approved is refused, and so is one that would
trade with a share of the risk without the ledger that proves it; a shadow, which carries none, may be
unproven and is called so.  The research room is imported only for documents.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from actors.enable_map import Challenger
from crupto_nautilus.errors import CruptoError, SafetyRefusal, UsageError
from strategies.registry import REGISTRY, StrategySpec, get

_TAG_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def challenger_spec(challenger: Challenger, *, on_trial: bool = False) -> StrategySpec:
    """Return a challenger as the desk runs it.

    Parameters
    ----------
    on_trial : bool
        The run is the trial of a document that nothing proves yet (G8b).

    Raises
    ------
    RegistryError
        No strategy has this name.
    UsageError
        The document cannot be read, is not valid, bears a champion's name, or has another hash.
    CheckFailed
        It names a ledger head, and the ledger beside it does not prove the entry.
    SafetyRefusal
        A document without a ledger head is to trade with a share of the risk.
    """
    if challenger.strategy is not None:
        return get(challenger.strategy)
    path = Path(challenger.document or "")
    where = f"challenger {challenger.id}"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{where}: its document cannot be read",
            found=f"{path}: {error}",
            expected="a strategy document",
            remedy="correct document in the enable map or in the file of CHALLENGER_CONFIG",
        ) from error
    document, spec = _parse(where, path, text)
    if document.document_hash != challenger.document_hash:
        raise UsageError(
            f"{where}: {path} is not the document that was approved",
            found=document.document_hash,
            expected=challenger.document_hash,
            remedy="restore the document, or promote the new one with `crupto research promote`",
        )
    if challenger.ledger_head:
        importlib.import_module("crupto_nautilus.laboratory.proof").check_proof(challenger)
    elif challenger.stage == "canary" and not on_trial:
        raise SafetyRefusal(
            f"{where}: a document that nothing proves may not trade with a share of the risk",
            found="no ledger_head",
            expected="the ledger head of its promotion, or stage: shadow",
            remedy="crupto research promote CAMPAIGN DOCUMENT --to canary --config DIR",
        )
    if spec.name in REGISTRY:
        raise UsageError(
            f"{where}: {path} bears the name of a built-in strategy",
            found=spec.name,
            expected="a name of its own",
        )
    return spec


def _parse(where: str, path: Path, text: str) -> tuple[Any, StrategySpec]:
    dsl = importlib.import_module("research.dsl")
    try:
        document = dsl.parse_document(text)
        spec: StrategySpec = dsl.spec_of(document)
    except CruptoError:
        raise
    except ValueError as error:
        raise UsageError(
            f"{where}: {path} is no valid strategy document",
            found=str(error),
            expected="a document of `crupto research schema`",
        ) from error
    return document, spec


def placed_last(spec: StrategySpec, taken: dict[str, StrategySpec]) -> StrategySpec:
    """Return a spec with a tag that no other strategy of the desk has, acting after all of them."""
    tags = {other.tag for other in taken.values()}
    tag = spec.tag
    if tag in tags:
        tag = next(a + b for a in "XYZ" for b in _TAG_LETTERS if a + b not in tags)
    priority = min((other.priority for other in taken.values()), default=spec.priority) - 1
    return replace(spec, tag=tag, priority=priority)
