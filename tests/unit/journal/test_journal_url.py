"""Which databases the journal takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from crupto_nautilus.errors import EnvironmentProblem, UsageError
from crupto_nautilus.journal import Journal, default_url
from crupto_nautilus.journal.database import journal_url


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgres_urls_all_mean_psycopg_3(scheme: str) -> None:
    assert journal_url(f"{scheme}://u:p@h:5432/d").drivername == "postgresql+psycopg"


@pytest.mark.parametrize("url", ["mysql://h/d", "postgresql+psycopg2://h/d", "oracle://h/d"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="not supported") as caught:
        journal_url(url)
    assert "sqlite:///FILE" in caught.value.expected


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_memory_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="needs a file"):
        journal_url(url)


def test_text_that_is_no_url_is_refused_without_repeating_it() -> None:
    with pytest.raises(UsageError, match="does not parse") as caught:
        journal_url("my secret")
    assert "secret" not in str(caught.value)


def test_password_is_not_part_of_the_shown_url() -> None:
    with Journal("postgresql://u:pw-7d21@127.0.0.1:1/d") as journal:  # pragma: allowlist secret
        assert "pw-7d21" not in journal.url


def test_missing_folders_are_made(tmp_path: Path) -> None:
    with Journal(default_url(tmp_path / "a" / "b")) as journal:
        journal.migrate()
    assert (tmp_path / "a" / "b" / "journal.db").is_file()


def test_folder_that_is_a_file_is_an_environment_problem(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("", encoding="utf-8")
    with pytest.raises(EnvironmentProblem, match="cannot be made"):
        Journal(default_url(tmp_path / "a" / "b"))


def test_file_that_is_no_database_is_an_environment_problem(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_text(
        "not a database, but long enough to be read as one" * 50, encoding="utf-8"
    )
    with (
        Journal(default_url(tmp_path)) as journal,
        pytest.raises(EnvironmentProblem, match="does not answer"),
    ):
        journal.migrate()


def test_server_that_is_not_there_is_an_environment_problem() -> None:
    with (
        Journal("postgresql://u:pw-7d21@127.0.0.1:1/d") as journal,  # pragma: allowlist secret
        pytest.raises(EnvironmentProblem, match="does not answer") as caught,
    ):
        journal.migrate()
    assert "pw-7d21" not in str(caught.value)
