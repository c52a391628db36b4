"""From any error to one form: what is wrong, what was found and expected, what to do, and the exit code.

Exit codes: 0 done, 1 a check failed, 2 bad usage or configuration, 3 the environment (a missing service, no
network, a disk that refuses), 4 refused by a safety rule, 130 interrupted.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

import click

INTERRUPTED = 130

_CHECK, _USAGE, _ENVIRONMENT = 1, 2, 3

# Rooms below the application know no exit codes: what their errors mean to whoever typed the command.
_BY_NAME = {
    "UnreadableFile": _CHECK,
    "ConflictingRows": _CHECK,
    "BrokenData": _CHECK,
}

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it is shown; empty texts are left out."""

    kind: str
    exit_code: int
    message: str
    found: str = ""
    expected: str = ""
    remedy: str = ""

    def lines(self) -> str:
        """Return the text form, one fact a line."""
        facts = (("found", self.found), ("expected", self.expected), ("remedy", self.remedy))
        rows = [f"error: {self.message}", *(f"  {name + ':':<10}{text}" for name, text in facts if text)]
        return "\n".join(rows)

    def data(self) -> dict[str, object]:
        """Return the payload of `--json`."""
        return {
            "error": self.kind,
            "exit_code": self.exit_code,
            "message": self.message,
            "found": self.found,
            "expected": self.expected,
            "remedy": self.remedy,
        }


def explain(error: BaseException) -> Failure | None:
    """Return the form in which an expected error is shown, or None for a defect of the program."""
    if isinstance(error, click.UsageError):
        return _usage(error)
    if hasattr(error, "message") and hasattr(error, "remedy"):
        return _described(error)
    if isinstance(error, OSError) and error.errno is not None:
        return _system(error)
    return None


def _described(error: BaseException) -> Failure:
    name = type(error).__name__
    code = getattr(error, "exit_code", None)
    if code is None:
        code = _BY_NAME.get(name, _ENVIRONMENT if isinstance(error, OSError) else _USAGE)
    texts = {key: str(getattr(error, key, "") or "") for key in ("message", "found", "expected", "remedy")}
    problems = getattr(error, "problems", ())
    more = [f"also {p.where}: {p.message} (found {p.found}, expected {p.expected})" for p in problems[1:]]
    texts["message"] = "\n".join([texts["message"], *more])
    return Failure(name, int(code), **texts)


def _usage(error: click.UsageError) -> Failure:
    path = error.ctx.command_path if error.ctx else "crupto"
    found, expected = "", ""
    if isinstance(error, click.NoSuchOption):
        found = error.option_name
        expected = ", ".join(error.possibilities or ())
    elif isinstance(error, click.MissingParameter):
        expected = error.param.get_error_hint(error.ctx) if error.param and error.ctx else ""
    return Failure("UsageError", _USAGE, error.format_message(), found, expected, f"{path} --help")


def _system(error: OSError) -> Failure:
    name, place = type(error).__name__, str(error.filename or "")
    if error.errno in _DISK_FULL:
        return Failure(
            name,
            _ENVIRONMENT,
            f"the disk is full{f', writing {place}' if place else ''}",
            found=str(error.strerror),
            expected="free space for the run folder or the catalog",
            remedy="`df -h .` shows the space; free some, or write elsewhere with --out or --catalog",
        )
    if error.errno in _NOT_WRITABLE:
        return Failure(
            name,
            _ENVIRONMENT,
            f"{place or 'a file'} cannot be written or read",
            found=str(error.strerror),
            expected="a folder that this user may write",
            remedy=f"`ls -ld {place or '.'}` shows the owner; mend it, or write elsewhere (--out, --catalog)",
        )
    if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EISDIR}:
        return Failure(
            name,
            _USAGE,
            f"{place or 'a file'} cannot be opened",
            found=str(error.strerror),
            expected="an existing path of the right kind",
            remedy="check the path that was given",
        )
    return Failure(name, _ENVIRONMENT, f"the system refused: {error}", remedy="crupto doctor")
