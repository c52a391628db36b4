"""One control, one reason: the contract of every check in the pipeline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from risk.context import DecisionContext
from risk.vocabulary import RefusalReason, Refused


class Control(ABC):
    """One reason to refuse."""

    reason: ClassVar[RefusalReason]

    @abstractmethod
    def finding(self, context: DecisionContext) -> str | None:
        """Say what is wrong, with its numbers, or None."""

    def validate(self, context: DecisionContext) -> Refused | None:
        """Refuse, or return None."""
        finding = self.finding(context)
        if finding is None:
            return None
        return Refused(context.ts, context.signal, self.reason, finding)
