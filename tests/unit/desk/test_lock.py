"""One desk a run and an account; the lock of a process that died is free."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crupto_nautilus.desk.lock import account_lock, holder, run_lock, run_lock_path
from crupto_nautilus.errors import SafetyRefusal


def test_a_second_desk_is_refused_and_told_who_has_the_run(tmp_path: Path) -> None:
    with run_lock(tmp_path, "run"):
        with pytest.raises(SafetyRefusal) as refused, run_lock(tmp_path, "run"):
            pass
        assert f"process {os.getpid()}, since 20" in refused.value.found
        found = holder(run_lock_path(tmp_path, "run"))
        assert found is not None
        assert found["pid"] == os.getpid()
        with run_lock(tmp_path, "another"):
            pass
    assert holder(run_lock_path(tmp_path, "run")) is None
    with run_lock(tmp_path, "run"):
        pass


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from crupto_nautilus.desk.lock import run_lock\n"
        "with run_lock(Path(sys.argv[1]), 'run'): os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert "pid" in run_lock_path(tmp_path, "run").read_text()
    with run_lock(tmp_path, "run"):
        pass


def test_an_account_is_locked_across_folders_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with account_lock("vst-1234", "one"):
        with (
            pytest.raises(SafetyRefusal, match="account vst-1234") as refused,
            account_lock("vst-1234", "two"),
        ):
            pass
        assert "run one" in refused.value.found
    with account_lock("", "one"), account_lock("", "two"):
        pass
