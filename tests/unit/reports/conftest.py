"""One simulated run for all report tests, and copies of it to tamper with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from crupto_nautilus.reports.run_folder import RunFolder
from tests.fakes.runs import make_run
from tests.fakes.tiny_desk import TinyDesk


@pytest.fixture(scope="session")
def made_run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of 16 days, with a daily lock and a kill switch; read it only."""
    return make_run(tmp_path_factory.mktemp("runs"), desk=TinyDesk(days=16))


@pytest.fixture
def copy_run(made_run: RunFolder, tmp_path: Path) -> Callable[[], RunFolder]:
    """Make a copy of the run that a test may spoil."""

    def copy() -> RunFolder:
        shutil.copytree(made_run.path, tmp_path / "sample")
        return RunFolder(tmp_path / "sample")

    return copy
