"""Errors of the report room."""

from __future__ import annotations

from crupto_nautilus.errors import EnvironmentProblem, UsageError


class RunFolderError(UsageError):
    """A run cannot be read, or was given what does not fit it."""


class RunWriteError(EnvironmentProblem):
    """The disk refuses: read-only, full, or gone."""
