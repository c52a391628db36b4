"""What the venue refuses, with its own code."""

from __future__ import annotations


class VenueError(Exception):
    """An answer with a code other than 0 (reference: BingX error table after 2025-10-16)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message


def order_not_found(reference: object) -> VenueError:
    return VenueError(109421, f"order not exist: {reference}")


def invalid(name: str, detail: str = "") -> VenueError:
    return VenueError(109400, f"Invalid parameters, err:{name}{': ' + detail if detail else ''}")
