"""Everything one decision reads: the situation, and the size that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from risk.proposal import Proposal, propose
from risk.situation import Situation


@dataclass(eq=False)
class DecisionContext(Situation):
    """A situation whose size is worked out once, when the first check asks for it."""

    @cached_property
    def proposal(self) -> Proposal:
        """The size the signal gets."""
        return propose(self)
