"""Generators of candidates behind one protocol."""

from collections.abc import Callable

from research.errors import GeneratorError
from research.generators.base import Feedback, GenerationContext, Generator
from research.generators.genetic import GeneticProgramming
from research.generators.grammar import RandomGrammar
from research.generators.llm import LlmGenerator, llm_from_environment
from research.generators.templates import TunedTemplates

__all__ = [
    "Feedback",
    "GenerationContext",
    "Generator",
    "GeneticProgramming",
    "LlmGenerator",
    "RandomGrammar",
    "TunedTemplates",
    "make_generator",
]


def make_generator(name: str) -> Generator:
    """Return a fresh generator by its name.

    Raises
    ------
    GeneratorError
        Nothing is set up for `llm`, or no generator has this name.
    """
    makers: dict[str, Callable[[], Generator]] = {
        "grammar": RandomGrammar,
        "templates": TunedTemplates,
        "genetic": GeneticProgramming,
        "llm": llm_from_environment,
    }
    if name not in makers:
        raise GeneratorError(f"there is no generator {name}", found=name, expected=", ".join(makers))
    return makers[name]()
