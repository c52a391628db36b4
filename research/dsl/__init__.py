"""The strategy language: documents that are data, and their two evaluators."""

from research.dsl.document import Document
from research.dsl.parse import parse_document
from research.dsl.rule import spec_of
from research.errors import DocumentError

__all__ = ["Document", "DocumentError", "parse_document", "spec_of"]
