"""`enable_map.yaml` with a challenger put in or taken out: a small, reviewable change of one file.

Guarantees: only the block `challengers` is written anew, every other line and comment stays; the new text is
checked as a whole before it replaces the old one, in one step.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from actors.enable_map import EnableMap
from crupto_nautilus.config.load import DEFAULTS
from crupto_nautilus.config.validation import validate
from crupto_nautilus.config.yaml_file import read_yaml

NAME = "enable_map.yaml"
_BLOCK = re.compile(r"^challengers:.*\n(?:(?:[ \t-].*)?\n)*", re.MULTILINE)

Row = dict[str, Any]


def enable_file(folder: Path) -> Path:
    """Return the enable map of a configuration folder, made from the built-in one where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    if not path.exists():
        shutil.copyfile(DEFAULTS / NAME, path)
    return path


def challengers(path: Path) -> list[Row]:
    """Return the challengers an enable map lists."""
    model = validate(EnableMap, read_yaml(path), str(path))
    return [one.model_dump(mode="json", exclude_defaults=True) for one in model.challengers]


def put(path: Path, row: Mapping[str, Any]) -> None:
    """Add a challenger, or replace the one of its id."""
    others = [one for one in challengers(path) if one["id"] != row["id"]]
    _write(path, [*others, dict(row)])


def take_out(path: Path, challenger: str) -> bool:
    """Remove a challenger; return whether it was there."""
    rows = challengers(path)
    left = [one for one in rows if one["id"] != challenger]
    if len(left) < len(rows):
        _write(path, left)
    return len(left) < len(rows)


def _write(path: Path, rows: Sequence[Row]) -> None:
    block = "challengers: []\n"
    if rows:
        block = yaml.safe_dump({"challengers": list(rows)}, sort_keys=False, default_flow_style=None)
    text = path.read_text(encoding="utf-8")
    found = _BLOCK.search(text)
    new = text[: found.start()] + block + "\n" + text[found.end() :] if found else f"{text}\n{block}"
    part = path.with_suffix(".part")
    part.write_text(new, encoding="utf-8")
    try:
        validate(EnableMap, read_yaml(part), str(path))
    except BaseException:
        part.unlink()
        raise
    part.replace(path)
