"""The documents tell the truth: commands parse, links lead somewhere, tables equal the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from crupto_nautilus.cli.main import cli
from risk.settings import RiskSettings
from risk.vocabulary import RefusalReason

DOCUMENTS = (
    "README.md",
    "AGENTS.md",
    "DISCLAIMER.md",
    "CHANGELOG.md",
    "crupto_nautilus/README.md",
    "crupto_nautilus/SPEC.md",
    "actors/README.md",
    "strategies/README.md",
    "risk/README.md",
    "catalog/README.md",
    "adapters/README.md",
    "research/README.md",
    "dashboards/README.md",
    "tests/acceptance/CHECKLIST.md",
)


def console_commands(text: str) -> list[str]:
    """Return the commands after `$ ` in the ```console blocks of a document."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def table(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    section = text.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    rows: list[list[str]] = []
    for line in section.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    return rows[2:]


def parse(command: str) -> None:
    """Parse a `crupto` command line without running it."""
    words = shlex.split(command)[1:]
    group: click.Command = cli
    context = click.Context(cli, info_name="crupto")
    while isinstance(group, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        found = group.get_command(context, name)
        assert found is not None, f"{command}: no command {name}"
        group, context = found, click.Context(found, parent=context, info_name=name)
    if "--help" in words:
        return
    group.make_context(group.name, words, parent=context.parent)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_crupto_command_in_a_document_parses(document: str, project_dir: Path) -> None:
    for command in console_commands((project_dir / document).read_text()):
        if command.startswith("crupto"):
            parse(command)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_make_target_in_a_document_exists(document: str, project_dir: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (project_dir / "Makefile").read_text(), re.MULTILINE))
    text = (project_dir / document).read_text()
    named = {line.split()[1] for line in console_commands(text) if line.startswith("make ")}
    named |= set(re.findall(r"`make ([a-z0-9-]+)", text))
    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_link_leads_to_a_file(document: str, project_dir: Path) -> None:
    path = project_dir / document
    for link in re.findall(r"\]\(([^)#\s]+)\)", path.read_text()):
        if not link.startswith("http"):
            assert (path.parent / link).exists(), link


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_file_named_in_a_document_exists(document: str, project_dir: Path) -> None:
    rooms = "crupto_nautilus|research|actors|strategies|adapters|risk|catalog|dashboards|tests"
    for name in re.findall(rf"`((?:{rooms})/[\w./-]+)`", (project_dir / document).read_text()):
        assert (project_dir / name).exists(), name


def test_readme_has_commands_to_try(project_dir: Path) -> None:
    commands = console_commands((project_dir / "README.md").read_text())
    assert "make demo" in commands
    assert "make test" in commands
    assert sum(command.startswith("crupto") for command in commands) > 10


def test_spec_lists_the_refusals_in_the_order_of_the_checks(project_dir: Path) -> None:
    rows = table((project_dir / "crupto_nautilus/SPEC.md").read_text(), "9. Refusals")
    assert [row[0] for row in rows] == [reason.value for reason in RefusalReason]
    assert all(row[1] for row in rows)


def test_spec_lists_every_limit_with_its_default(project_dir: Path) -> None:
    rows = table((project_dir / "crupto_nautilus/SPEC.md").read_text(), "6. Limits")
    defaults = RiskSettings().model_dump()
    assert {row[0]: row[1] for row in rows} == {name: str(value) for name, value in defaults.items()}


def test_spec_lists_the_strategies_of_the_registry(project_dir: Path) -> None:
    from strategies.registry import REGISTRY

    rows = table((project_dir / "crupto_nautilus/SPEC.md").read_text(), "2. Strategies")
    built = [
        [s.name, str(s.minutes), str(s.priority), "yes" if s.mean_reverting else "no", s.tag]
        for s in REGISTRY.values()
    ]
    assert rows == built


def test_spec_lists_the_regimes_of_the_enable_map(project_dir: Path) -> None:
    from crupto_nautilus.config import load_config

    rows = table((project_dir / "crupto_nautilus/SPEC.md").read_text(), "5. Selection")
    regimes = load_config(env={}).enable_map.regimes
    assert [row[0] for row in rows] == [label.value for label in regimes]
    for label, text in rows:
        allowed = regimes[label]  # type: ignore[index]  # the label is its own text
        assert set(re.findall(r"[a-z]+_[a-z_0-9]+", text)) == set(allowed)
        for name, sides in allowed.items():
            words = re.search(rf"{name}(?:, \w+)* (\w+)", text)
            assert words is not None
            assert words[1] == ("both" if len(sides) == 2 else sides[0])


def test_spec_lists_the_tools_of_the_agents(project_dir: Path) -> None:
    from typing import Any, cast

    from actors.tools import register_tools

    rows = table((project_dir / "crupto_nautilus/SPEC.md").read_text(), "13. Tools")
    specs = register_tools(cast(Any, None)).specs()
    assert [[s.capability, s.agent, f"{s.cost_hint_ms:g}"] for s in specs] == rows
