"""From a name on the command line to a subject: a registered strategy, a document, or a Python class."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from pathlib import Path
from typing import Any

from research.dsl.document import Document
from research.dsl.parse import parse_document
from research.errors import ResearchError
from research.lookahead.subjects import RuleSubject, Subject, TableSubject
from strategies.registry import REGISTRY
from strategies.rule import Rule

DEFAULT_WARMUP_BARS = 400
SETTLING_BARS = 600  # after which ATR(14) and ADX(14) no longer know where the history began
_EXPECTED = (
    "a strategy's name, a document (.yaml, .yml, .json), or a class as package.module:Class or file.py:Class"
)


def load_subject(text: str, warmup_bars: int | None = None) -> tuple[Document | Subject, int]:
    """Return a document, or the subject of a rule or class, with its timeframe in minutes (0: any).

    A class is imported, which runs its file: name only code of your own.  A document is data.

    Raises
    ------
    ResearchError
        Nothing fits the name, or the class is neither a rule nor has `compute`.
    """
    if text in REGISTRY:
        spec = REGISTRY[text]
        warm = warmup_bars or spec.warmup[spec.minutes] + SETTLING_BARS
        return RuleSubject(spec.rule, text, warm), spec.minutes
    if text.endswith((".yaml", ".yml", ".json")):
        try:
            content = Path(text).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ResearchError(
                f"the document {text} cannot be read", found=str(error), expected=_EXPECTED
            ) from error
        document = parse_document(content)
        return document, document.minutes
    place, colon, name = text.rpartition(":")
    if not colon:
        raise ResearchError(
            f"there is no strategy {text}", found=text, expected=f"{_EXPECTED}; known: {', '.join(REGISTRY)}"
        )
    return _of_class(_import(place, name), name, warmup_bars or DEFAULT_WARMUP_BARS)


def _import(place: str, name: str) -> Any:
    try:
        if place.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(place).stem, place)
            if spec is None or spec.loader is None or not Path(place).is_file():
                raise ImportError(f"no file {place}")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(place)
        return getattr(module, name)
    except (ImportError, AttributeError, SyntaxError) as error:
        raise ResearchError(
            f"{place}:{name} cannot be imported", found=str(error), expected=_EXPECTED
        ) from error


def _of_class(cls: Any, name: str, warmup_bars: int) -> tuple[Subject, int]:
    if inspect.isclass(cls) and issubclass(cls, Rule):
        return RuleSubject(cls, name, warmup_bars), cls.minutes
    if inspect.isclass(cls) and callable(getattr(cls, "compute", None)):
        maker: Any = cls

        def compute(table: Any) -> Any:
            return maker().compute(table)  # a fresh one each time: nothing is kept between histories

        return TableSubject(compute, name, warmup_bars), int(getattr(cls, "minutes", 0))
    raise ResearchError(
        f"{name} is no strategy class",
        found=repr(cls)[:80],
        expected="a subclass of strategies.rule.Rule, or a class with compute(table) -> table",
    )
