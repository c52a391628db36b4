"""Client order ids that can be computed again after a crash, so that an intent is never sent twice.

Guarantees: the id is a pure function of run, trace id, role and attempt; lower-case letters and digits only;
at most 36 characters (BingX accepts 40, lower case).
"""

from __future__ import annotations

import hashlib
from string import ascii_lowercase

ID_LENGTH = 32
_BYTES = ID_LENGTH * 5 // 8  # base32 has five bits a character: no padding
_DIGITS = ascii_lowercase + "234567"
# Two characters at a time: the library's function takes ten times as long, and every order waits for it.
_PAIRS = [one + other for one in _DIGITS for other in _DIGITS]
_SHIFTS = range(8 * _BYTES - 10, -1, -10)


def client_order_id(run_id: str, trace_id: str, role: str, attempt: int) -> str:
    """Return the client order id of one intent."""
    digest = hashlib.sha256(f"{run_id}|{trace_id}|{role}|{attempt}".encode()).digest()
    number, pairs = int.from_bytes(digest[:_BYTES]), _PAIRS
    return "".join([pairs[number >> shift & 1023] for shift in _SHIFTS])
