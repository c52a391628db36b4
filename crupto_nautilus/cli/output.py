"""What a command gives back, and the one place that prints it.

Guarantees: with `--json` standard output holds exactly one JSON object (also for an error) and nothing else,
whatever the libraries below print; without it, tables are drawn with rich on a terminal and as plain aligned
text elsewhere.  NaN and infinities become null in JSON.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Table:
    """Rows for a person; the columns named in `right` are aligned to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Result:
    """What a command found: `data` for `--json`, `blocks` for a person."""

    data: Mapping[str, object]
    blocks: tuple[str | Table, ...] = ()
    exit_code: int = 0


def plain(value: Any) -> Any:
    """Return `value` as JSON types: mappings and dataclasses as objects, NaN as null, paths as text."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return _plain_compound(value)


def _plain_compound(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if hasattr(value, "_asdict"):  # a named tuple
        return plain(value._asdict())
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return plain(value.tolist())
    if isinstance(value, set | frozenset):
        return [plain(item) for item in sorted(value)]
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    raise TypeError(f"no JSON form for {type(value).__name__}")


def json_line(data: Mapping[str, object]) -> str:
    """Return the one line that `--json` prints."""
    return json.dumps(plain(data), ensure_ascii=False, allow_nan=False)


def show(result: Result, *, as_json: bool) -> None:
    """Print a result on standard output."""
    if as_json:
        click.echo(json_line(result.data))
        return
    for block in result.blocks:
        if isinstance(block, str):
            click.echo(block)
        elif sys.stdout.isatty():
            _show_rich(block)
        else:
            click.echo(plain_table(block))


def plain_table(table: Table) -> str:
    """Return a table as aligned text without colours or borders."""
    rows = [table.columns, *table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    lines = [table.title] if table.title else []
    for row in rows:
        cells = [
            cell.rjust(width) if name in table.right else cell.ljust(width)
            for cell, width, name in zip(row, widths, table.columns, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _show_rich(table: Table) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(title=table.title or None, title_justify="left", box=box.SIMPLE_HEAD)
    for name in table.columns:
        drawn.add_column(name, justify="right" if name in table.right else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


@contextmanager
def reserved_stdout(active: bool) -> Iterator[None]:
    """Send whatever writes to file descriptor 1 to standard error while `active`.

    The engine's logger writes there from Rust, past Python's `sys.stdout`.
    """
    if not active:
        yield
        return
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)
