"""What the catalog refuses, as exceptions that carry what was found, what was expected and how to mend it.

CatalogError (ValueError)
    UnknownInstrument       a name that is not in the catalog, or that is no instrument name
    MissingFile             a path without a file of market data
    UnreadableFile          a file that is not what its name says: corrupt, missing columns, odd time stamps
    ConflictingRows         an import that would change values already held
    BrokenData              a range that may not be used until a repair is named
CatalogIOError (OSError)    the disk refused: full, read-only, locked by another import

The command line maps them to exit codes by their attributes `message`, `found`, `expected` and `remedy`.
"""

from __future__ import annotations


class CatalogError(ValueError):
    """Data or a request the catalog cannot accept."""

    def __init__(self, message: str, *, found: str = "", expected: str = "", remedy: str = "") -> None:
        super().__init__(describe(message, found, expected, remedy))
        self.message = message
        self.found = found
        self.expected = expected
        self.remedy = remedy


class UnknownInstrument(CatalogError):
    """A name the catalog does not hold, or that follows none of the known forms."""


class MissingFile(CatalogError):
    """A path at which there is no file of market data."""


class UnreadableFile(CatalogError):
    """A file that cannot be read as market data."""


class ConflictingRows(CatalogError):
    """An import holds other values for times the catalog already has."""


class BrokenData(CatalogError):
    """A broken range was asked for and no repair was named for it."""


class CatalogIOError(OSError):
    """The file system refused; nothing half-written was left behind."""

    def __init__(self, message: str, *, found: str = "", expected: str = "", remedy: str = "") -> None:
        super().__init__(describe(message, found, expected, remedy))
        self.message = message
        self.found = found
        self.expected = expected
        self.remedy = remedy


def describe(message: str, found: str, expected: str, remedy: str) -> str:
    """Return the one-line form of an error: message, then what was found, expected and what to do."""
    parts = [message]
    for title, text in (("found", found), ("expected", expected), ("remedy", remedy)):
        if text:
            parts.append(f"{title}: {text}")
    return "; ".join(parts)
