"""The published JSON Schema of a document."""

from __future__ import annotations

from typing import Any

from research.dsl.document import Document


def document_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) that a document satisfies; units, directions and sizes are checked on
    top of it by `parse_document`.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "crupto_nautilus/strategy-document",
        **Document.model_json_schema(),
    }
