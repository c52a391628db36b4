"""Read one YAML file into plain values.

Refuses what a YAML library lets pass: a key written twice (the last would win in silence), a key that is
not text, a file that is empty or no mapping, tags and dates (a date stays text).  Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from crupto_nautilus.errors import ConfigError, EnvironmentProblem, Problem

type Tree = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """SafeLoader without dates, with an error for duplicate and non-text keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[str, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise _Refused(
                    line, f"key {key!r} is not text", repr(key), f"text; write it in quotes: '{key}'"
                )
            if key in seen:
                raise _Refused(
                    line, f"key {key!r} is written twice", f"lines {seen[key]} and {line}", "each key once"
                )
            seen[key] = line
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Refused(Exception):
    def __init__(self, line: int, message: str, found: str, expected: str) -> None:
        super().__init__(message)
        self.problem = Problem(f"line {line}", message, found, expected, "remove or correct the line")


def read_yaml(path: Path) -> Tree:
    """Return the mapping a YAML file holds.

    Raises
    ------
    ConfigError
        The file is not YAML, is empty, is not a mapping, or has a duplicate or non-text key.
    EnvironmentProblem
        The file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            (
                Problem(
                    str(path), "the file is not text", f"byte {error.start}", "UTF-8 text", "save it as UTF-8"
                ),
            )
        ) from error
    except OSError as error:
        raise EnvironmentProblem(
            f"{path} cannot be read",
            found=str(error.strerror),
            expected="a readable file",
            remedy=f"ls -l {path}",
        ) from error
    try:
        tree = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except _Refused as error:
        problem = error.problem
        raise ConfigError((problem._replace(where=f"{path}, {problem.where}"),)) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        found = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError((Problem(where, "the file is not valid YAML", found, "valid YAML", ""),)) from error
    if not isinstance(tree, dict):
        found = "an empty file" if tree is None else f"a {type(tree).__name__}"
        remedy = "copy the file from crupto_nautilus/config/defaults and change it"
        raise ConfigError(
            (Problem(str(path), "the file holds no settings", found, "keys with values", remedy),)
        )
    return tree
