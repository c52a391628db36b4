"""Generators of candidates behind one protocol."""

from research.errors import GeneratorError
from research.generators.base import Feedback, GenerationContext, Generator
from research.generators.grammar import RandomGrammar

__all__ = ["Feedback", "GenerationContext", "Generator", "RandomGrammar", "make_generator"]


def make_generator(name: str) -> Generator:
    """Return a fresh generator by its name.

    Raises
    ------
    GeneratorError
        No generator has this name.
    """
    makers = {"grammar": RandomGrammar}
    if name not in makers:
        raise GeneratorError(f"there is no generator {name}", found=name, expected=", ".join(makers))
    return makers[name]()
