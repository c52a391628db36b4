"""A progress bar where somebody watches, and nothing elsewhere."""

from __future__ import annotations

import pytest

from crupto_nautilus.cli.progress import progress


def test_nobody_watches_so_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as report:
        assert report is None
    assert capsys.readouterr().err == ""


def test_a_terminal_sees_what_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress() as report:
        assert report is not None
        report("backtest", 50, 100)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "backtest" in captured.err
