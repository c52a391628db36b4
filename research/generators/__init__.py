"""Generators of candidates behind one protocol."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from research.errors import GeneratorError
from research.generators.base import Feedback, GenerationContext, Generator, Sourced
from research.generators.genetic import GeneticProgramming
from research.generators.grammar import RandomGrammar
from research.generators.llm import LlmGenerator, llm_from_environment
from research.generators.templates import TunedTemplates

__all__ = [
    "MAKERS",
    "Feedback",
    "GenerationContext",
    "Generator",
    "GeneticProgramming",
    "LlmGenerator",
    "RandomGrammar",
    "Sourced",
    "TunedTemplates",
    "make_generator",
]

MAKERS: Mapping[str, Callable[[], Generator]] = MappingProxyType(
    {
        "grammar": RandomGrammar,
        "templates": TunedTemplates,
        "genetic": GeneticProgramming,
        "llm": llm_from_environment,
    }
)


def make_generator(name: str) -> Generator:
    """Return a fresh generator by its name.

    Raises
    ------
    GeneratorError
        Nothing is set up for `llm`, or no generator has this name.
    """
    if name not in MAKERS:
        raise GeneratorError(f"there is no generator {name}", found=name, expected=", ".join(MAKERS))
    return MAKERS[name]()
