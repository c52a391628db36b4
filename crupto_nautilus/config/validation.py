"""Turn plain values into a settings model, and what is wrong with them into words.

Values are validated strictly: a number in quotes is not a number, `true` is not 1, 2.0 is not a count.
Every problem of a file is reported at once, each with the file, the dotted key, what was found, what was
expected and, for an unknown key, the closest known one.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from crupto_nautilus.errors import ConfigError, Problem

type Schema = Mapping[str, Any]


def validate[M: BaseModel](model: type[M], tree: object, file: str) -> M:
    """Return `tree` as a `model`.

    Parameters
    ----------
    model : type[BaseModel]
        The settings model; its JSON schema supplies the words for what was expected.
    tree : object
        Plain values: mappings, lists, text, numbers, booleans, None.
    file : str
        Where they come from, for the messages.

    Raises
    ------
    ConfigError
        With one problem for each wrong value.
    """
    # JSON mode is strict about numbers and text, yet takes a list for a tuple and a text for an enum.
    try:
        return model.model_validate_json(json.dumps(tree), strict=True)
    except ValidationError as error:
        schema = model.model_json_schema()
        raise ConfigError(tuple(_problem(detail, schema, file) for detail in error.errors())) from error


def _problem(detail: ErrorDetails, schema: Schema, file: str) -> Problem:
    loc = tuple(part for part in detail["loc"] if part != "[key]")
    key = ".".join(str(part) for part in loc)
    where = f"{file}: {key}" if key else file
    if detail["type"] == "extra_forbidden":
        known = sorted(_resolve(schema, loc[:-1], schema).get("properties", {}))
        near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.5)
        return Problem(
            where,
            "unknown key",
            f"{loc[-1]}",
            f"one of {', '.join(known)}" if not near else f"{near[0]}",
            f"rename it to {near[0]}" if near else "remove it",
        )
    if detail["type"] == "missing":
        return Problem(where, "key is missing", "nothing", _expected(schema, loc, detail), "add it")
    if detail["type"] == "value_error":
        return _said(detail, where)
    return Problem(
        where, "wrong value", _found(detail["input"]), _expected(schema, loc, detail), "correct the value"
    )


def _said(detail: ErrorDetails, where: str) -> Problem:
    """Take a validator's own words: `<what> was <found>, expected <expected>`, or an error's parts."""
    error = detail["ctx"]["error"]
    value = detail["input"]
    message, _, expected = str(getattr(error, "message", error)).partition(", expected ")
    return Problem(
        where,
        message,
        getattr(error, "found", "") or ("" if isinstance(value, dict | list) else _found(value)),
        getattr(error, "expected", "") or expected or "another value",
        "correct the value",
    )


def _found(value: object) -> str:
    if isinstance(value, bool):
        return f"{str(value).lower()} (yes or no)"
    if isinstance(value, str):
        return f"{value!r} (text)"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence):
        return f"a list of {len(value)}"
    return "null" if value is None else f"{value} (number)"


def _resolve(schema: Schema, loc: Sequence[object], root: Schema) -> Schema:
    """Follow a location into a JSON schema; an empty schema where the way ends."""
    if "$ref" in schema:
        return _resolve(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], loc, root)
    for option in schema.get("anyOf", ()):
        if option.get("type") != "null":
            return _resolve(option, loc, root)
    if not loc:
        return schema
    head, rest = loc[0], loc[1:]
    if isinstance(head, int):
        return _resolve(schema.get("items", {}), rest, root)
    fields = schema.get("properties", {})
    return _resolve(fields.get(head, schema.get("additionalProperties") or {}), rest, root)


def _expected(schema: Schema, loc: Sequence[object], detail: ErrorDetails) -> str:
    """Describe what a place takes: type and limits, or pydantic's own words where the schema ends."""
    if detail["type"] in {"literal_error", "enum"}:
        return f"one of {detail['ctx']['expected']}"
    if detail["type"] == "finite_number":
        return "a finite number"
    place = _resolve(schema, loc, schema)
    names = {"number": "a number", "integer": "a whole number", "boolean": "true or false", "string": "text"}
    words = names.get(
        place.get("type", ""), {"object": "a mapping", "array": "a list"}.get(place.get("type", ""), "")
    )
    if not words:
        return detail["msg"]
    limits = [
        f"{sign} {place[name]:g}"
        for name, sign in (
            ("exclusiveMinimum", ">"),
            ("minimum", ">="),
            ("exclusiveMaximum", "<"),
            ("maximum", "<="),
        )
        if name in place
    ]
    if "pattern" in place:
        limits.append(f"matching {place['pattern']}")
    if place.get("enum"):
        limits.append(f"one of {', '.join(map(str, place['enum']))}")
    if "minItems" in place or "minProperties" in place:
        limits.append("with at least one entry")
    return " ".join([words, " and ".join(limits)]).strip()
