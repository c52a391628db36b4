"""The record of research that cannot be cheated: append-only, hash-chained, mirrored to SQL."""

from research.ledger.ledger import Ledger
from research.ledger.records import Kind, Record, canonical, sha256_of

__all__ = ["Kind", "Ledger", "Record", "canonical", "sha256_of"]
