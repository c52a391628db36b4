"""What BingX refuses, as a typed error beside those of every venue, and the table of its codes.

Each code has one `Treatment` and one `Meaning`.  The codes were renumbered in October 2025; ccxt 4.5.90 lacks
the new ones and maps some old ones wrongly, therefore its own mapping is not used.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from adapters.live.errors import MalformedAnswer, SafetyStop, VenueError, VenueUnavailable

__all__ = [
    "CODES", "BingxError", "CodeRule", "MalformedAnswer", "Meaning", "SafetyStop", "Treatment",
    "VenueRefused", "VenueUnavailable", "classify",
]  # fmt: skip

BingxError = VenueError  # every error of this adapter is one


class Treatment(StrEnum):
    """What to do about a refusal."""

    RETRY = "retry"  # passes by itself: wait and ask again (an order is looked up first)
    REJECT = "reject"  # final for this request
    FATAL = "fatal"  # stop trading: keys, permission, suspension
    UNKNOWN_STATE = "unknown-state"  # the order may exist: look it up before anything is sent again


class Meaning(StrEnum):
    """What a refusal says, where the handling depends on it."""

    OTHER = "other"
    AUTHENTICATION = "authentication"
    CLOCK = "clock"  # the time stamp is outside the window
    RATE_LIMIT = "rate limit"
    BUSY = "busy"
    MARGIN = "margin"
    DUPLICATE = "duplicate client id"
    GONE = "order gone"  # cancelled, filled or unknown
    NO_POSITION = "no position to reduce"
    POST_ONLY = "post-only would cross"
    PRICE_BAND = "price or size outside the band"
    LIMIT = "position, order or leverage limit"
    SYMBOL = "symbol unknown or halted"
    RISK_CONTROL = "risk control of the venue"
    MODE = "position mode"


class CodeRule(NamedTuple):
    """One line of the table."""

    treatment: Treatment
    meaning: Meaning


def _rules(treatment: Treatment, meaning: Meaning, *codes: int) -> dict[int, CodeRule]:
    return dict.fromkeys(codes, CodeRule(treatment, meaning))


CODES: dict[int, CodeRule] = {
    **_rules(Treatment.FATAL, Meaning.AUTHENTICATION, 100001, 100412, 100413, 100419, 100004, 401),
    **_rules(Treatment.RETRY, Meaning.CLOCK, 100421),
    **_rules(Treatment.RETRY, Meaning.RATE_LIMIT, 100410, 109429, 100409, 429, 418, 403),
    **_rules(
        Treatment.UNKNOWN_STATE, Meaning.BUSY,
        109500, 80012, 100500, 110500, 101500, 504, 500, 502, 503, 80019, 109423, 109424,
    ),
    **_rules(Treatment.REJECT, Meaning.MARGIN, 101204, 101253, 101206, 101212, 110424),
    **_rules(Treatment.UNKNOWN_STATE, Meaning.DUPLICATE, 101481, 109201),
    **_rules(Treatment.REJECT, Meaning.NO_POSITION, 101205, 101290, 109420, 110203),
    **_rules(Treatment.REJECT, Meaning.GONE, 80016, 109421, 109414, 80018, 80017, 109422),
    **_rules(Treatment.REJECT, Meaning.LIMIT, 101209, 101429, 110287, 101414, 101222, 101419, 110206),
    **_rules(Treatment.REJECT, Meaning.POST_ONLY, 101215),
    **_rules(
        Treatment.REJECT, Meaning.PRICE_BAND,
        101211, 110402, 110411, 110412, 110413, 110414, 110425, 110422, 101400,
    ),
    **_rules(
        Treatment.REJECT, Meaning.SYMBOL, 109425, 109418, 101415, 110280, 109417, 101413, 80015
    ),
    **_rules(Treatment.FATAL, Meaning.RISK_CONTROL, 109403, 40029, 80020, 101515),
    **_rules(Treatment.REJECT, Meaning.MODE, 104103, 109401),
    **_rules(Treatment.REJECT, Meaning.OTHER, 109400, 80014, 80001, 80403),
}  # fmt: skip


def classify(code: int, message: str) -> CodeRule:
    """Return what a code means; some codes cover several things and the message decides.

    An unknown code is a final refusal when it is a parameter (1094xx) or order (1012xx to 1104xx) code, else
    the state is unknown: looking an order up costs a request, sending it twice costs money.
    """
    text = message.lower()
    if code in {109400, 100421, 80014} and "timestamp" in text:
        return CodeRule(Treatment.RETRY, Meaning.CLOCK)
    if code == 100421:
        return CodeRule(Treatment.REJECT, Meaning.SYMBOL)
    if code == 101400 and "unique" in text:
        return CodeRule(Treatment.UNKNOWN_STATE, Meaning.DUPLICATE)
    if code in {109400, 80014} and ("hedge mode" in text or "one-way mode" in text or "positionside" in text):
        return CodeRule(Treatment.REJECT, Meaning.MODE)
    rule = CODES.get(code)
    if rule is not None:
        return rule
    if 101200 <= code < 110500 or 109400 <= code < 109500:
        return CodeRule(Treatment.REJECT, Meaning.OTHER)
    return CodeRule(Treatment.UNKNOWN_STATE, Meaning.OTHER)


class TooLate(BingxError):
    """A request was not sent: it had to wait beyond the time until which it made sense."""

    exit_code = 1


class VenueRefused(BingxError):
    """The venue refused a request.

    Parameters
    ----------
    code : int
        BingX's code, or the HTTP status.
    reason : str
        Its message, without anything of the request.
    """

    exit_code = 3

    def __init__(self, what: str, code: int, reason: str) -> None:
        self.code, self.reason = code, reason
        self.treatment, self.meaning = classify(code, reason)
        super().__init__(
            f"{what}: BingX refused",
            found=f"code {code} {reason}".strip(),
            remedy=_REMEDIES.get(self.meaning, ""),
        )


_REMEDIES = {
    Meaning.AUTHENTICATION: "check BINGX_API_KEY and BINGX_API_SECRET, the key's permissions and its IP list",
    Meaning.CLOCK: "set the clock of this machine (chronyc makestep)",
    Meaning.RATE_LIMIT: "wait; a block is lifted after five minutes",
    Meaning.RISK_CONTROL: "trading was suspended by BingX: look at the account on its site",
    Meaning.MODE: "close positions and orders, then set the account to one-way mode",
}
