"""`crupto --help` is quick and small, and nothing heavy is imported before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from crupto_nautilus.cli import catalog, main

TABLES = {**main.COMMANDS, **{f"catalog {name}": row for name, row in catalog.COMMANDS.items()}}

HEAVY = ("nautilus_trader", "ccxt", "pandas", "pyarrow", "numpy", "sqlalchemy", "pydantic", "rich", "yaml")


def _in_fresh_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_help_takes_under_0_3_seconds_and_60_megabytes() -> None:
    code = """
import json, resource, subprocess, sys
best = 9.0
for _ in range(5):
    # CPU time: the tests beside this one share the cores.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "crupto_nautilus.cli", "--help"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
print(json.dumps([best, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024]))
"""
    seconds, megabytes = json.loads(_in_fresh_python(code))
    assert seconds < 0.3
    assert megabytes < 60


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
from crupto_nautilus.cli.main import run
assert run(["--help"]) == 0
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
assert not any(name in sys.modules for name in {HEAVY!r})
"""
    _in_fresh_python(code)


@pytest.mark.parametrize("command", list(TABLES))
def test_no_command_imports_ccxt_or_the_engine_before_it_runs(command: str) -> None:
    module, attribute, _ = TABLES[command]
    code = f"""
import importlib, sys
getattr(importlib.import_module({module!r}), {attribute!r})
assert "ccxt" not in sys.modules
assert "nautilus_trader" not in sys.modules
"""
    _in_fresh_python(code)


@pytest.mark.parametrize("command", list(TABLES))
def test_the_table_of_commands_says_what_each_command_says(command: str) -> None:
    import importlib

    module, attribute, text = TABLES[command]
    made = getattr(importlib.import_module(module), attribute)
    assert made.name == command.rsplit(maxsplit=1)[-1]
    assert made.help is not None
    assert made.help.splitlines()[0] == text
