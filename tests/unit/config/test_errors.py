"""The errors of the application and their exit codes."""

from __future__ import annotations

import pytest

from crupto_nautilus.errors import (
    CheckFailed,
    ConfigError,
    CruptoError,
    EnvironmentProblem,
    ExitCode,
    Problem,
    SafetyRefusal,
    UsageError,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [(CheckFailed, 1), (UsageError, 2), (EnvironmentProblem, 3), (SafetyRefusal, 4)],
)
def test_each_kind_has_its_exit_code(kind: type[CruptoError], code: int) -> None:
    assert kind("x").exit_code == code == ExitCode(code)


def test_text_says_message_found_expected_and_remedy() -> None:
    error = UsageError("no such run", found="x", expected="a run", remedy="crupto runs")
    assert str(error) == "no such run\n  found: x\n  expected: a run\n  remedy: crupto runs"
    assert str(UsageError("just this")) == "just this"


def test_json_form_holds_the_same() -> None:
    assert EnvironmentProblem("no network", found="a timeout").to_json() == {
        "error": "EnvironmentProblem",
        "exit_code": 3,
        "message": "no network",
        "found": "a timeout",
        "expected": "",
        "remedy": "",
    }


def test_config_error_leads_with_its_first_problem_and_keeps_the_rest() -> None:
    error = ConfigError(
        (Problem("a.yaml: x", "unknown key", "x", "y"), Problem("a.yaml: z", "bad", "1", "2"))
    )
    assert error.message == "a.yaml: x: unknown key"
    assert str(error).endswith("also a.yaml: z: bad (found 1, expected 2)")
