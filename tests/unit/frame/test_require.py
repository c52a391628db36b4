"""The rule that a required test may not skip, shown on a small test run of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = """
import pytest

@pytest.mark.data
def test_skips():
    pytest.skip("nothing here")

def test_other_skip():
    pytest.skip("another reason")
"""


def _run(tmp_path: Path, project_dir: Path, require: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    (tmp_path / "conftest.py").write_text((project_dir / "tests" / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  data: x\n  postgres: x\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", str(tmp_path)],
        env={**os.environ, "CRUPTO_REQUIRE": require},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )


def test_skip_of_a_required_marker_fails(tmp_path: Path, project_dir: Path) -> None:
    result = _run(tmp_path, project_dir, "data")
    assert result.returncode == 1
    assert "1 failed, 1 skipped" in result.stdout
    assert "CRUPTO_REQUIRE names data: Skipped: nothing here" in result.stdout


def test_skip_is_a_skip_where_nothing_is_required(tmp_path: Path, project_dir: Path) -> None:
    result = _run(tmp_path, project_dir, "")
    assert result.returncode == 0
    assert "2 skipped" in result.stdout


@pytest.mark.postgres
def test_a_throw_away_postgres_server_answers(postgres_url: str) -> None:
    import sqlalchemy as sa

    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.execute(sa.text("select 1")).scalar() == 1
    engine.dispose()
