"""Generators by name, with what a campaign must know of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crupto_nautilus.errors import UsageError
from research.calibration.textbook import Textbook
from research.generators import Generator, RandomGrammar


@dataclass(frozen=True, slots=True)
class Choice:
    """A generator; `tuned` says that it fits parameters, `round_size` how often it wants to hear results."""

    generator: Generator
    tuned: bool = False
    round_size: int = 0  # 0: everything at once


_MAKERS: dict[str, Callable[[], Choice]] = {
    "grammar": lambda: Choice(RandomGrammar()),
    "textbook": lambda: Choice(Textbook()),
}


def make_generator(name: str) -> Choice:
    """Return the generator of a name.

    Raises
    ------
    UsageError
        There is none.
    """
    maker = _MAKERS.get(name)
    if maker is None:
        raise UsageError(
            f"there is no generator {name!r}",
            found=name,
            expected=f"one of {', '.join(_MAKERS)}",
            remedy="--generator grammar",
        )
    return maker()
