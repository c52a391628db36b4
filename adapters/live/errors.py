"""What an adapter refuses or what breaks at its venue, as typed errors.

VenueError              carries what was found, what was expected and what to do
├── MalformedAnswer     an answer or frame that is not what the code depends on
├── VenueUnavailable    network, time-out, 5xx: a read may be repeated, the outcome of an order is unknown
└── SafetyStop          a rule of safety forbids it (wrong host, no demo account)
"""

from __future__ import annotations


class VenueError(Exception):
    """Base of all errors of an adapter."""

    exit_code = 2

    def __init__(self, message: str, *, found: str = "", expected: str = "", remedy: str = "") -> None:
        self.message, self.found, self.expected, self.remedy = message, found, expected, remedy
        parts = [message]
        parts += [f"{k}: {v}" for k, v in (("found", found), ("expected", expected), ("remedy", remedy)) if v]
        super().__init__("; ".join(parts))


class MalformedAnswer(VenueError):
    """An answer or a frame is not what an object needs; nothing is concluded from it."""

    exit_code = 1


class VenueUnavailable(VenueError):
    """The venue did not answer, or not in time: whether a request was carried out is unknown."""

    exit_code = 3


class SafetyStop(VenueError):
    """A safety rule forbids to go on; no setting lifts it."""

    exit_code = 4
