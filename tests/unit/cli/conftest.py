"""Running the command line in the test's own process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from crupto_nautilus.cli.main import run


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """Return the one JSON object on standard output."""
        loaded = json.loads(self.out)
        assert isinstance(loaded, dict)
        assert self.out.count("\n") == 1
        return loaded


Crupto = Callable[..., Outcome]


@pytest.fixture
def crupto(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Crupto:
    """Return a function that runs one command line; variables of the developer's shell do not reach it."""
    for name in (
        "MODE",
        "RUN_ID",
        "CRUPTO_CATALOG",
        "CRUPTO_DB_URL",
        "USE_VIRTUAL_TRADING",
        "VIRTUAL_EQUITY",
    ):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return call
