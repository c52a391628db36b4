"""One control, one reason: the contract of every check in the pipeline."""

from __future__ import annotations

from abc import ABC, abstractmethod

from risk.context import DecisionContext
from risk.vocabulary import RefusalReason


class Control(ABC):
    """One reason to refuse."""

    reason: RefusalReason

    @abstractmethod
    def finding(self, context: DecisionContext) -> str | None:
        """Say what is wrong, with its numbers, or None."""
