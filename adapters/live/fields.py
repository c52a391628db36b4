"""Strict readers of single fields: a value that an object depends on is right, or the payload is refused.

Guarantees: a missing key, a wrong type, NaN, an infinite or absurdly large number, an empty or cut-off text
raise `MalformedAnswer` with the path of the field; nothing has a default.  Numbers become `Decimal` by way of
their text, never by way of a binary float that was computed with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from adapters.live.errors import MalformedAnswer

_NUMBER = re.compile(r"[+-]?[0-9]{1,24}(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,2})?")
is_plain = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,24})?").fullmatch
_SYMBOL = re.compile(r"[A-Z0-9]{1,30}-[A-Z]{3,5}")
_ASSET = re.compile(r"[A-Z][A-Z0-9]{1,11}")
_DIGITS = re.compile(r"[0-9]{1,20}")
_LIMIT = Decimal(10) ** 15
# Time stamps in milliseconds: 2017-01-01 to 2100-01-01.
_FIRST_MS, _LAST_MS = 1_483_228_800_000, 4_102_444_800_000

Row = Mapping[str, Any]


def malformed(where: str, found: object, expected: str) -> MalformedAnswer:
    """Return the error of a field that is not what it must be."""
    return MalformedAnswer(f"the venue sent a malformed {where}", found=_short(found), expected=expected)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def record(value: object, where: str) -> Row:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise malformed(where, value, "an object")
    return value


def rows(value: object, where: str) -> Sequence[Any]:
    """Return a JSON array."""
    if not isinstance(value, list):
        raise malformed(where, value, "a list")
    return value


def _value(row: Row, key: str, where: str) -> Any:
    if key not in row:
        raise malformed(f"{where}.{key}", "no such field", "a value")
    return row[key]


def as_number(value: object, where: str) -> Decimal:
    """Return a finite number that comes as text or as a JSON number."""
    if type(value) is str and is_plain(value):
        return Decimal(value)  # nearly every number of the stream
    if isinstance(value, str):
        text = value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = repr(value)
    else:
        raise malformed(where, value, "a number")
    if not _NUMBER.fullmatch(text):
        raise malformed(where, value, "a number")
    number = Decimal(text)
    if not -_LIMIT < number < _LIMIT:
        raise malformed(where, value, f"a number below {_LIMIT:.0e}")
    return number


def number(row: Row, key: str, where: str) -> Decimal:
    """Return a number of either sign."""
    return as_number(_value(row, key, where), f"{where}.{key}")


def not_negative(row: Row, key: str, where: str) -> Decimal:
    """Return a number of at least 0."""
    value = number(row, key, where)
    if value < 0:
        raise malformed(f"{where}.{key}", row[key], "a number of at least 0")
    return value


def positive(row: Row, key: str, where: str) -> Decimal:
    """Return a number above 0."""
    raw = row.get(key)
    if type(raw) is str and is_plain(raw):  # the common case, without a call for each step
        found = Decimal(raw)
        if found > 0:
            return found
    value = number(row, key, where)
    if value <= 0:
        raise malformed(f"{where}.{key}", row[key], "a number above 0")
    return value


def number_or_none(row: Row, key: str, where: str) -> Decimal | None:
    """Return a number that may be absent: no key, null or an empty text, as venues leave prices out."""
    value = row.get(key)
    return None if value is None or value == "" else as_number(value, f"{where}.{key}")


def integer(row: Row, key: str, where: str) -> int:
    """Return a whole number of at least 0; a float is refused, it cannot hold an id of 19 digits."""
    value = _value(row, key, where)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**20:
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    raise malformed(f"{where}.{key}", value, "a whole number of at least 0")


def milliseconds(row: Row, key: str, where: str) -> int:
    """Return a time stamp in ms since 1970, between 2017 and 2100."""
    raw = row.get(key)
    if type(raw) is int and _FIRST_MS <= raw <= _LAST_MS:
        return raw
    value = integer(row, key, where)
    if not _FIRST_MS <= value <= _LAST_MS:
        raise malformed(f"{where}.{key}", value, "milliseconds between the years 2017 and 2100")
    return value


def text(row: Row, key: str, where: str) -> str:
    """Return a text that is not empty."""
    value = _value(row, key, where)
    if not isinstance(value, str) or not value or len(value) > 512:
        raise malformed(f"{where}.{key}", value, "a text")
    return value


def text_or_empty(row: Row, key: str, where: str) -> str:
    """Return a text; an absent key is an empty one."""
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 512:
        raise malformed(f"{where}.{key}", value, "a text")
    return value


def choice[T](row: Row, key: str, where: str, words: Mapping[str, T]) -> T:
    """Return what a word stands for."""
    word = text(row, key, where)
    if word not in words:
        raise malformed(f"{where}.{key}", word, " or ".join(words))
    return words[word]


def truth(row: Row, key: str, where: str) -> bool:
    """Return a boolean that comes as one or as the words true and false."""
    value = _value(row, key, where)
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise malformed(f"{where}.{key}", value, "true or false")


def truth_or_false(row: Row, key: str, where: str) -> bool:
    """Return a boolean; without the field it is false."""
    return truth(row, key, where) if key in row else False


def symbol(row: Row, key: str, where: str) -> str:
    """Return the symbol of a contract, such as BTC-USDT."""
    value = text(row, key, where)
    if not _SYMBOL.fullmatch(value):
        raise malformed(f"{where}.{key}", value, "a symbol such as BTC-USDT")
    return value


def asset(row: Row, key: str, where: str) -> str:
    """Return the name of an asset, such as USDT."""
    value = text(row, key, where)
    if not _ASSET.fullmatch(value):
        raise malformed(f"{where}.{key}", value, "an asset such as USDT")
    return value


def some_rows(value: object, where: str) -> Sequence[Any]:
    """Return a JSON array that is not empty."""
    found = rows(value, where)
    if not found:
        raise malformed(where, value, "at least one row")
    return found
