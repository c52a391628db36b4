"""A disk that refuses, full or not writable: nothing is half-written, and the command says what to do.

Each command runs in a process of its own that really meets the limit: a file-size limit stands for the full
disk, and an administrator gives up the right to write where the permissions say no.
"""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.store import Catalog
from crupto_nautilus.reports.run_folder import list_runs
from tests.fakes.markets import from_closes, write_catalog
from tests.fakes.runs import make_run
from tests.unit.cli.test_catalog import BTC, write_bars

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1

Run = Callable[..., subprocess.CompletedProcess[str]]


def _obey_permissions() -> None:
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def _only_small_files(limit: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def _crupto(*arguments: object, before: Callable[[], None]) -> subprocess.CompletedProcess[str]:
    # -B: a compiled module that a full disk cut off would be everybody's from then on.
    return subprocess.run(
        [sys.executable, "-B", "-m", "crupto_nautilus.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=before,
        env={name: value for name, value in os.environ.items() if not name.startswith("CRUPTO")},
    )


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """Return a folder that may not be written."""
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    """Return each file below a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_import_onto_a_full_disk_keeps_the_catalog_and_can_be_repeated(tmp_path: Path) -> None:
    write_catalog(tmp_path / "c", {BTC: from_closes([100.0 + i % 7 for i in range(50)])}, 60)
    listed = Catalog(tmp_path / "c").manifest
    write_bars(tmp_path / "in", "ETHUSDT-PERP.BINANCE.1h.parquet", count=4000)
    arguments = ("catalog", "import", tmp_path / "in", "--catalog", tmp_path / "c")
    full = _crupto(*arguments, before=_only_small_files(4096))
    assert full.returncode == 3, full.stderr
    assert "remedy:" in full.stderr
    assert Catalog(tmp_path / "c").manifest == listed
    again = _crupto(*arguments, before=lambda: None)
    assert again.returncode == 0, again.stderr
    assert Catalog(tmp_path / "c").instruments() == (BTC, "ETHUSDT-PERP.BINANCE")


def test_import_into_a_locked_catalog_changes_nothing(tmp_path: Path) -> None:
    write_catalog(tmp_path / "c", {BTC: from_closes([100.0 + i % 7 for i in range(50)])}, 60)
    path = write_bars(tmp_path, "ETHUSDT-PERP.BINANCE.1h.parquet")
    before = everything(tmp_path / "c")
    for folder in (tmp_path / "c", *(p for p in (tmp_path / "c").rglob("*") if p.is_dir())):
        folder.chmod(0o555)
    outcome = _crupto("catalog", "import", path, "--catalog", tmp_path / "c", before=_obey_permissions)
    assert outcome.returncode == 3, outcome.stderr
    assert "remedy:" in outcome.stderr
    assert everything(tmp_path / "c") == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("catalog", "sample", "--catalog", "{}/c"),
        ("config", "schema", "--out", "{}/schemas"),
        ("demo", "--out", "{}/runs"),
    ],
)
def test_a_new_folder_in_a_locked_place_is_an_environment_problem(
    locked: Path, arguments: tuple[str, ...]
) -> None:
    outcome = _crupto(*(word.format(locked) for word in arguments), before=_obey_permissions)
    assert outcome.returncode == 3, outcome.stderr
    assert str(locked) in outcome.stderr
    assert "remedy:" in outcome.stderr
    assert outcome.stdout == ""
    assert list(locked.iterdir()) == []


def test_doctor_sees_that_runs_cannot_be_written(locked: Path) -> None:
    outcome = _crupto("doctor", "--runs", locked / "runs", before=_obey_permissions)
    assert outcome.returncode == 3
    assert "Permission denied" in outcome.stdout


@pytest.mark.parametrize("option", ["--export", ""])
def test_report_of_a_locked_run_changes_nothing(tmp_path: Path, option: str) -> None:
    folder = make_run(tmp_path, "sample").path
    before = everything(folder)
    folder.chmod(0o555)
    words = filter(None, ("report", str(folder), option))
    outcome = _crupto(*words, before=_obey_permissions)
    assert outcome.returncode == 3, outcome.stderr
    assert "remedy:" in outcome.stderr
    assert everything(folder) == before


def test_backtest_onto_a_full_disk_leaves_no_run(tmp_path: Path) -> None:
    write_catalog(
        tmp_path / "c", {BTC: from_closes([100.0 + i % 9 for i in range(1200)], wick=0.3, volume=1e6)}, 60
    )
    arguments = ("backtest", "--catalog", tmp_path / "c", "--out", tmp_path / "runs", "--run-id", "one")
    outcome = _crupto(*arguments, "--json", before=_only_small_files(1024))
    assert outcome.returncode == 3, outcome.stdout
    assert '"remedy": "' in outcome.stdout
    assert list_runs(tmp_path / "runs") == []


def test_backtest_into_a_locked_folder_fails_before_it_runs(tmp_path: Path, locked: Path) -> None:
    write_catalog(tmp_path / "c", {BTC: from_closes([100.0 + i % 9 for i in range(1200)], wick=0.3)}, 60)
    outcome = _crupto(
        *("backtest", "--catalog", tmp_path / "c", "--out", locked / "runs"), before=_obey_permissions
    )
    assert outcome.returncode == 3, outcome.stderr
    assert "--out" in outcome.stderr
