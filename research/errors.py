"""Errors of the research room: what is wrong, what was found, what was expected, what mends it."""

from __future__ import annotations


class ResearchError(ValueError):
    """Base of the errors of this room.

    Attributes
    ----------
    message, found, expected, remedy : str
        What was wrong, what was found, what was expected, and the command that mends it (may be empty).
    """

    def __init__(self, message: str, found: str = "", expected: str = "", remedy: str = "") -> None:
        super().__init__(message, found, expected, remedy)
        self.message = message
        self.found = found
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        facts = (("found", self.found), ("expected", self.expected), ("remedy", self.remedy))
        return "\n".join([self.message, *(f"  {name}: {text}" for name, text in facts if text)])


class DocumentError(ResearchError):
    """A strategy document is refused."""


class MarketError(ResearchError):
    """Market arrays cannot be built, or do not hold what was asked of them."""


class GeneratorError(ResearchError):
    """A generator cannot propose."""
