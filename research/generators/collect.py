"""Drawing until there are enough new documents."""

from __future__ import annotations

from collections.abc import Callable

from research.dsl.document import Document
from research.errors import DocumentError, GeneratorError
from research.generators.base import GenerationContext

DRAWS_A_DOCUMENT = 50


def collect(
    count: int, draw: Callable[[int], Document | None], context: GenerationContext, start: int = 0
) -> list[Document]:
    """Return `count` documents that are new, by calling `draw` with 0, 1, 2, ...

    A draw that makes no valid document (a `DocumentError`, or None) is passed over.

    Raises
    ------
    GeneratorError
        Too few new documents came in `DRAWS_A_DOCUMENT` draws each.
    """
    found: list[Document] = []
    hashes = set(context.seen)
    for number in range(start, start + count * DRAWS_A_DOCUMENT):
        if len(found) >= count:
            break
        try:
            document = draw(number)
        except DocumentError:
            continue
        if document is not None and document.document_hash not in hashes:
            hashes.add(document.document_hash)
            found.append(document)
    if len(found) < count:
        raise GeneratorError(
            "the generator ran out of new documents", found=f"{len(found)} new ones",
            expected=str(count), remedy="ask for fewer, or use another generator",
        )  # fmt: skip
    return found
