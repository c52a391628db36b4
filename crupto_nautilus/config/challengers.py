"""The file that CHALLENGER_CONFIG names: challengers instead of those of the enable map.

Guarantees: the file is read as strictly as the enable map; paths of documents that are not absolute lie
beside the file.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from actors.enable_map import Challenger, EnableMap
from crupto_nautilus.config.validation import validate
from crupto_nautilus.config.yaml_file import read_yaml
from crupto_nautilus.errors import ConfigError, Problem


class ChallengerFile(BaseModel):
    """What the file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    challengers: tuple[Challenger, ...]


def read_challengers(path: Path, enable_map: EnableMap) -> EnableMap:
    """Return the enable map with the challengers of a file in the place of its own.

    Raises
    ------
    ConfigError
        A key is unknown or wrong, or the challengers contradict the map.
    """
    given = validate(ChallengerFile, read_yaml(path), str(path)).challengers
    try:
        return enable_map.with_challengers(placed(given, path.parent))
    except ValueError as error:
        raise ConfigError(
            (Problem(str(path), "contradicts the enable map", str(error), "challengers that fit it", ""),)
        ) from error


def placed(challengers: tuple[Challenger, ...], folder: Path) -> tuple[Challenger, ...]:
    """Return the challengers with paths of documents that no longer depend on where the desk is started."""
    return tuple(
        c if c.document is None else c.model_copy(update={"document": str(folder / c.document)})
        for c in challengers
    )
