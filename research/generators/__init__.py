"""Generators of candidates behind one protocol."""

from research.generators.base import Feedback, GenerationContext, Generator
from research.generators.grammar import RandomGrammar

__all__ = ["Feedback", "GenerationContext", "Generator", "RandomGrammar"]
