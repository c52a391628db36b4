"""Errors a person or a script can act on, and the exit codes of the command line.

    CruptoError            1  something was found that must not be
    ├── CheckFailed        1  a check ran and said no
    ├── UsageError         2  the command or the configuration is wrong
    │   └── ConfigError    2  one or more settings are wrong: `problems` lists them all
    ├── EnvironmentProblem 3  a service, a file or the network is missing
    ├── SafetyRefusal      4  a safety rule forbids it
    └── Interrupted      130  a signal ended it before there was anything to keep

Each says what was found, what was expected and what mends it.  The rooms below this one raise errors of
their own with the same attributes (`message`, `found`, `expected`, `remedy`); the command line maps
those.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class ExitCode(IntEnum):
    """Exit codes of `crupto`."""

    DONE = 0
    CHECK_FAILED = 1
    USAGE = 2
    ENVIRONMENT = 3
    SAFETY = 4
    INTERRUPTED = 130


class CruptoError(Exception):
    """Base of all errors of the application; never raised itself.

    Parameters
    ----------
    message : str
        What is wrong, in one sentence.
    found, expected : str
        What was there and what should have been; empty when the message says it all.
    remedy : str
        What to do, as a command where there is one.
    """

    exit_code = ExitCode.CHECK_FAILED

    def __init__(self, message: str, found: str = "", expected: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.found = found
        self.expected = expected
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [self.message]
        lines += [
            f"  {name}: {text}"
            for name, text in (("found", self.found), ("expected", self.expected), ("remedy", self.remedy))
            if text
        ]
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        """Return the payload that `--json` prints."""
        return {
            "error": type(self).__name__,
            "exit_code": int(self.exit_code),
            "message": self.message,
            "found": self.found,
            "expected": self.expected,
            "remedy": self.remedy,
        }


class CheckFailed(CruptoError):
    """A check ran to its end and what it looked at is not right."""


class UsageError(CruptoError):
    """The command, an argument or a setting is wrong."""

    exit_code = ExitCode.USAGE


class Problem(NamedTuple):
    """One wrong setting: where it stands and what is wrong with it."""

    where: str  # "governance.yaml: leverage_cap" or "environment variable MODE"
    message: str
    found: str
    expected: str
    remedy: str = ""


class ConfigError(UsageError):
    """Settings are wrong; the first problem is the headline, `problems` holds all of them."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first = problems[0]
        super().__init__(f"{first.where}: {first.message}", first.found, first.expected, first.remedy)
        self.problems = problems

    def __str__(self) -> str:
        more = [
            f"also {p.where}: {p.message} (found {p.found}, expected {p.expected})" for p in self.problems[1:]
        ]
        return "\n".join([super().__str__(), *more])

    def to_json(self) -> dict[str, object]:
        """Return the payload that `--json` prints, all problems included."""
        return super().to_json() | {"problems": [problem._asdict() for problem in self.problems]}


class EnvironmentProblem(CruptoError):
    """A service, a file, a permission or the network is missing."""

    exit_code = ExitCode.ENVIRONMENT


class SafetyRefusal(CruptoError):
    """A safety rule forbids what was asked; no option lifts it."""

    exit_code = ExitCode.SAFETY


class Interrupted(CruptoError):
    """A signal ended it before there was anything to keep."""

    exit_code = ExitCode.INTERRUPTED
