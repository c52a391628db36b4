"""A REST path of the venue and the function behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, overload

from tests.fakes.bingx.errors import invalid
from tests.fakes.bingx.rules import Params
from tests.fakes.bingx.venue import Venue

Handler = Callable[[Venue, Params], Any]


@dataclass(frozen=True, slots=True)
class Bare:
    """An answer without `data`: these keys stand beside code and message."""

    body: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path below /openApi; `a_second` is how often one account may call it."""

    method: str
    path: str
    handler: Handler
    signed: bool = True
    a_second: int = 5
    places_orders: bool = False


@overload
def integer(params: Params, name: str, default: int) -> int: ...
@overload
def integer(params: Params, name: str, default: None) -> int | None: ...
def integer(params: Params, name: str, default: int | None) -> int | None:
    """Return a whole number, or the default when it is absent."""
    raw = params.get(name, "")
    if raw == "":
        return default
    try:
        return int(float(raw))
    except ValueError:
        raise invalid(name) from None
