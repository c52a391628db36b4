"""The venue's check of a signed call: key, signature over the unencoded string in the order sent, clock."""

from __future__ import annotations

import hashlib
import hmac
import urllib.parse

from tests.fakes.bingx.errors import VenueError

MAX_WINDOW_MS = 5_000


def parameters(query: str, body: str = "") -> tuple[list[tuple[str, str]], str | None]:
    """Return the pairs in the order sent, decoded, and the signature that stood among them."""
    pairs: list[tuple[str, str]] = []
    signature = None
    for part in [*query.split("&"), *body.split("&")]:
        name, _, value = part.partition("=")
        if name == "signature":
            signature = value
        elif name:
            pairs.append((name, urllib.parse.unquote(value)))
    return pairs, signature


def sign(secret: str, pairs: list[tuple[str, str]]) -> str:
    """Return hex(HMAC_SHA256(secret, "k=v&k=v")) over unencoded values."""
    text = "&".join(f"{name}={value}" for name, value in pairs)
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def check_key(given: str | None, expected: str) -> None:
    if not given or given != expected:
        raise VenueError(100413, "Incorrect apiKey, please check your valid api key")


def check(
    pairs: list[tuple[str, str]],
    signature: str | None,
    secret: str,
    now_ms: int,
    window_factor: float = 1.0,
) -> None:
    """Refuse a call whose signature or clock is wrong.

    `window_factor` widens the window for a venue whose clock runs faster than the wall's.
    """
    if signature is None:
        raise VenueError(100412, "Null signature")
    if not hmac.compare_digest(sign(secret, pairs), signature.lower()):
        raise VenueError(100001, "Signature verification failed due to signature mismatch")
    named = dict(pairs)
    raw = named.get("timestamp", "")
    if not raw.isdigit():
        raise VenueError(100421, "Null timestamp or timestamp mismatch")
    asked = named.get("recvWindow", "")
    window = min(int(asked) if asked.isdigit() and int(asked) else MAX_WINDOW_MS, MAX_WINDOW_MS)
    if abs(now_ms - int(raw)) > window * max(1.0, window_factor):
        raise VenueError(109400, "timestamp is invalid")  # observed; older pages say 100421
