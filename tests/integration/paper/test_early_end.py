"""A signal before the first instant: the run ends at once, says so, and leaves no folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.restarts import market_of, process


@pytest.mark.parametrize(
    ("moment", "signal", "found"),
    [
        ("preparing", "TERM", "SIGTERM while it was being prepared"),
        ("connecting", "INT", "a signal before the first instant"),
    ],
)
def test_a_signal_before_the_first_instant_ends_with_its_reason_and_no_folder(
    tmp_path: Path, moment: str, signal: str, found: str
) -> None:
    folder = market_of(tmp_path / "market", "intruded")
    done = process(folder, "--scenario", "intruded", "--early", moment, "--signal", signal)
    assert done.returncode == 130
    assert "the run was ended before it began" in done.stderr
    assert found in done.stderr
    assert [path.name for path in (folder / "runs").iterdir() if path.is_dir()] == []
