"""Generators by name, with what a campaign must know of each.

Guarantees: a generator is set up when it is first asked, so a campaign whose candidates are all registered
can be resumed, verified and shown without it (a language model's key, say); a new campaign sets it up before
it is registered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crupto_nautilus.errors import UsageError
from research.calibration.textbook import Textbook
from research.dsl import Document
from research.generators import MAKERS, GenerationContext, Generator

LEARNING_ROUND = 50  # candidates between two lessons: two tasks for a pool


@dataclass(frozen=True, slots=True)
class Choice:
    """A generator.

    Attributes
    ----------
    tuned
        It fits parameters to the research window: cross-validation decides too (G4).
    round_size
        Candidates it proposes before it hears results; 0: everything at once.
    """

    name: str
    make: Callable[[], Generator]
    tuned: bool = False
    round_size: int = 0

    def lazy(self) -> Generator:
        """Return the generator, set up on its first proposal."""
        return _Lazy(self)


class _Lazy:
    def __init__(self, choice: Choice) -> None:
        self.name = choice.name
        self._make = choice.make
        self._made: Generator | None = None

    def propose(self, count: int, seed: int, context: GenerationContext) -> list[Document]:
        """Return new candidates."""
        self._made = self._made or self._make()
        return self._made.propose(count, seed, context)

    def provenance(self) -> dict[str, object]:
        """Return where its last proposal came from; nothing for a generator that computes it."""
        told = getattr(self._made, "provenance", None)
        return dict(told()) if told is not None else {}


_LEARNERS = ("templates", "genetic", "llm")
_CHOICES = {
    name: Choice(name, make, name in _LEARNERS, LEARNING_ROUND if name in _LEARNERS else 0)
    for name, make in {**MAKERS, "textbook": Textbook}.items()
}
NAMES = tuple(_CHOICES)


def make_generator(name: str) -> Choice:
    """Return the generator of a name.

    Raises
    ------
    UsageError
        There is none.
    """
    choice = _CHOICES.get(name)
    if choice is None:
        raise UsageError(
            f"there is no generator {name!r}",
            found=name,
            expected=f"one of {', '.join(NAMES)}",
            remedy="--generator grammar",
        )
    return choice
