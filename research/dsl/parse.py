"""From text to a document, without trusting the text: it may come from a model or from the network.

Guarantees: text is data only; nothing is executed, imported, formatted or opened; YAML anchors, aliases, tags
and merge keys are refused, and so are repeated keys, NaN and infinity, and nesting or sizes beyond a limit,
before any of it is turned into objects.  The error names the place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from research.dsl.document import Document
from research.errors import DocumentError

MAX_CHARACTERS = 65_536
MAX_NESTING = 40  # of the text; a tree of `MAX_DEPTH` nodes needs less
MAX_VALUES = 4_000

_REMEDY = "`crupto research schema` prints the schema of a document"


class _PlainLoader(yaml.SafeLoader):
    """Plain YAML: no anchors, no aliases, no tags, no repeated keys, limited nesting."""

    _nesting = 0
    _values = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise DocumentError("anchors and aliases are refused", found=_place(event), remedy=_REMEDY)
        if getattr(event, "tag", None) is not None:
            raise DocumentError("tags are refused", found=f"{event.tag} {_place(event)}", remedy=_REMEDY)
        self._values += 1
        if self._nesting >= MAX_NESTING or self._values > MAX_VALUES:
            raise _too_large(self._nesting, self._values)
        self._nesting += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._nesting -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if not isinstance(key, str) or key == "<<":
                raise DocumentError("keys must be plain words", found=repr(key)[:60], remedy=_REMEDY)
            if keys.count(key) > 1:
                raise DocumentError(f"the key {key!r} is there twice", found=_place(node), remedy=_REMEDY)
        return super().construct_mapping(node, deep)


def parse_document(source: str | Mapping[str, Any]) -> Document:
    """Return the document written in YAML or JSON text, or held by a mapping.

    Raises
    ------
    DocumentError
        The text is no document; the message names the first place that is wrong.
    """
    data = _read(source) if isinstance(source, str) else source
    if not isinstance(data, Mapping):
        raise DocumentError("a document is a mapping", found=type(data).__name__, remedy=_REMEDY)
    _check(data)
    try:
        return Document.model_validate_json(json.dumps(data, allow_nan=False))
    except ValidationError as error:
        raise _refusal(error) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise DocumentError("a document holds plain values only", found=_short(error)) from None


def _read(text: str) -> Any:
    if len(text) > MAX_CHARACTERS:
        raise DocumentError(
            "the document is too long", found=f"{len(text)} characters", expected=f"at most {MAX_CHARACTERS}"
        )
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, object_pairs_hook=_no_repeats, parse_constant=_no_constant)
        except json.JSONDecodeError:
            pass  # a flow mapping of YAML begins the same way
        except (ValueError, RecursionError) as error:
            if isinstance(error, DocumentError):
                raise
            raise DocumentError("the text cannot be read", found=_short(error), remedy=_REMEDY) from None
    try:
        return yaml.load(text, _PlainLoader)  # noqa: S506 - a SafeLoader that refuses more
    except yaml.YAMLError as error:
        raise DocumentError("neither YAML nor JSON", found=_short(error), remedy=_REMEDY) from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError("the text cannot be read", found=_short(error), remedy=_REMEDY) from None


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DocumentError(f"the key {twice[:60]!r} is there twice", remedy=_REMEDY)
    return made


def _no_constant(word: str) -> Any:
    raise DocumentError("a number is not finite", found=word, expected="a finite number")


def _check(data: Any) -> None:
    """Refuse what is nested too deeply, too large, or no plain value; never recurse without a limit."""
    pending: list[tuple[Any, int]] = [(data, 1)]
    seen = 0
    while pending:
        value, nesting = pending.pop()
        seen += 1
        if nesting > MAX_NESTING or seen > MAX_VALUES:
            raise _too_large(nesting, seen)
        if isinstance(value, Mapping):
            for key, item in value.items():
                if not isinstance(key, str):
                    raise DocumentError("keys must be plain words", found=repr(key)[:60], remedy=_REMEDY)
                pending.append((item, nesting + 1))
        elif isinstance(value, list | tuple):
            pending.extend((item, nesting + 1) for item in value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise DocumentError("a number is not finite", found=repr(value), expected="a finite number")
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**15:
            raise DocumentError("a number is too large", found=f"{len(str(abs(value)))} digits")
        elif value is not None and not isinstance(value, str | int | float | bool):
            raise DocumentError("a document holds plain values only", found=type(value).__name__)


def _refusal(error: ValidationError) -> DocumentError:
    problems = error.errors(include_url=False, include_context=False)
    first = problems[0]
    # Union branches repeat the tag in the place: keep the words that a reader finds in the text.
    place = ".".join(str(part) for part in first["loc"] if "[" not in str(part)) or "document"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    reason = first["msg"].removeprefix("Value error, ")
    return DocumentError(f"{place}: {reason}{more}", found=repr(first["input"])[:80], remedy=_REMEDY)


def _too_large(nesting: int, values: int) -> DocumentError:
    return DocumentError(
        "the document is nested too deeply or too large",
        found=f"{nesting} levels, {values} values",
        expected=f"at most {MAX_NESTING} levels, {MAX_VALUES} values",
    )


def _place(event: Any) -> str:
    mark = event.start_mark
    return f"line {mark.line + 1}, column {mark.column + 1}"


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]
