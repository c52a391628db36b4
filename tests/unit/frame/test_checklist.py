"""The checklist is true: every requirement is there, and what is met names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

COUNT = 73
STATES = r"met|partly|open"
ROW = re.compile(r"^\| R(\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ?([^|]*?) ?\|$")


def rows(project_dir: Path, row: re.Pattern[str] = ROW) -> dict[int, list[str]]:
    """Return the lines of the list: number -> requirement, state, where, tests."""
    text = (project_dir / "tests/acceptance/CHECKLIST.md").read_text()
    found = [match for line in text.splitlines() if (match := row.match(line))]
    numbers = [int(match[1]) for match in found]
    assert numbers == sorted(set(numbers))
    return {int(match[1]): [cell.strip() for cell in match.groups()[1:]] for match in found}


def nodes(cell: str) -> list[tuple[str, str]]:
    """Return (file, function) of each test named in a cell."""
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", cell)


def test_every_requirement_is_listed_once(project_dir: Path) -> None:
    assert list(rows(project_dir)) == list(range(1, COUNT + 1))


def test_what_is_met_names_a_test_that_exists_and_what_is_open_its_part(project_dir: Path) -> None:
    of_plan = rows(project_dir, re.compile(ROW.pattern.replace("R", "C", 1)))
    assert of_plan
    lines = {f"R{n}": cells for n, cells in rows(project_dir).items()}
    lines |= {f"C{n}": cells for n, cells in of_plan.items()}
    wrong = {name: problem for name, cells in lines.items() if (problem := problem_of(cells, project_dir))}
    assert wrong == {}


def problem_of(cells: list[str], project_dir: Path) -> str:
    """Return what is wrong with a line, or nothing."""
    _, state, where, tests = cells
    match = re.fullmatch(rf"({STATES})(?: \(parts? ([A-E](?:, [A-E])*)\))?", state)
    if match is None:
        return f"state {state!r}"
    if (match[1] == "met") == (match[2] is not None):
        return "what is not met names the part that brings it, and what is met names none"
    if match[1] != "open" and not nodes(tests):
        return "no test is named"
    for file, function in nodes(tests):
        if function not in functions_of(project_dir / file):
            return f"there is no {file}::{function}"
    missing = [
        name for name in re.findall(r"`([\w.-]+/[\w./-]*)`", where) if not (project_dir / name).exists()
    ]
    return f"there is no {', '.join(missing)}" if missing else ""


def functions_of(path: Path) -> set[str]:
    """Return the names of the functions in a file; none if there is no such file."""
    if not path.is_file():
        return set()
    tree = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in tree if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
