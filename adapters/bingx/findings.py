"""What a check of the venue found: one question, what the adapter relies on, what was answered, a verdict.

Guarantees: a key, a secret or a listen key is masked in every text.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from adapters.bingx.config import Credentials
from adapters.bingx.errors import BingxError, SafetyStop

_LISTEN_KEY = re.compile(r"\b[0-9a-f]{64}\b")
_LONG_NUMBER = re.compile(r"\b(\d{3})\d{10,}(\d{3})\b")


class Verdict(StrEnum):
    """How an answer compares with what the adapter relies on."""

    OK = "ok"
    DIFFERS = "differs"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One answered question; `number` is that of the list of open questions, 0 for what is checked beside."""

    number: int
    question: str
    expected: str
    answer: str
    verdict: Verdict


class Mask:
    """Takes secrets out of texts."""

    def __init__(self, credentials: Credentials) -> None:
        self._secrets = [credentials.key.get_secret_value(), credentials.secret.get_secret_value()]

    def __call__(self, text: str) -> str:
        """Return a text without secrets; long ids keep their ends, so that they can be told apart."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _LONG_NUMBER.sub(r"\1...\2", _LISTEN_KEY.sub("<listen key>", text))

    def finding(self, found: Finding) -> Finding:
        """Return a finding without secrets."""
        return Finding(found.number, found.question, found.expected, self(found.answer), found.verdict)


def judged(number: int, question: str, expected: str, answer: str, *, holds: bool) -> Finding:
    """Return a finding that is ok or differs."""
    return Finding(number, question, expected, answer, Verdict.OK if holds else Verdict.DIFFERS)


def unknown(number: int, question: str, expected: str, why: str) -> Finding:
    """Return a finding without an answer."""
    return Finding(number, question, expected, why, Verdict.UNKNOWN)


Probe = Callable[[], Awaitable[Finding]]


async def ask(number: int, question: str, expected: str, probe: Callable[[], Awaitable[Finding]]) -> Finding:
    """Run a probe; what the venue refuses or breaks is an answer too, but a rule of safety ends the check."""
    try:
        return await probe()
    except SafetyStop:
        raise
    except BingxError as error:
        return unknown(number, question, expected, f"not answered: {error}".splitlines()[0])


def worst(findings: Iterable[Finding]) -> Verdict:
    """Return DIFFERS if anything does, else UNKNOWN if anything is, else OK."""
    verdicts = {finding.verdict for finding in findings}
    return next((v for v in (Verdict.DIFFERS, Verdict.UNKNOWN) if v in verdicts), Verdict.OK)
