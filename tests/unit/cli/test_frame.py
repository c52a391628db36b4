"""What all commands share: `--json`, exit codes, one form of error."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from crupto_nautilus.cli.failures import explain
from crupto_nautilus.cli.output import Table, json_line, plain, plain_table
from tests.unit.cli.conftest import Crupto


def test_live_is_refused_with_exit_4(crupto: Crupto) -> None:
    outcome = crupto("live")
    assert outcome.code == 4
    assert outcome.out == ""
    assert "live trading is refused" in outcome.err


def test_an_error_under_json_is_one_object_on_stdout(crupto: Crupto) -> None:
    outcome = crupto("live", "--json")
    assert outcome.code == 4
    assert outcome.data["error"] == "SafetyRefusal"
    assert outcome.data["exit_code"] == 4
    assert outcome.err == ""


def test_an_unknown_command_names_the_help(crupto: Crupto) -> None:
    outcome = crupto("trade")
    assert outcome.code == 2
    assert "No such command 'trade'" in outcome.err
    assert "crupto --help" in outcome.err


def test_an_unknown_option_suggests_the_right_one(crupto: Crupto) -> None:
    outcome = crupto("runs", "--jsno")
    assert outcome.code == 2
    assert "--json" in outcome.err


def test_a_missing_option_is_bad_usage(crupto: Crupto) -> None:
    outcome = crupto("signals", "breakout_4h", "--symbol", "BTC", "--json")
    assert outcome.code == 2
    assert "--catalog" in outcome.data["message"]


def test_no_command_shows_the_help_and_is_bad_usage(crupto: Crupto) -> None:
    outcome = crupto()
    assert outcome.code == 2
    assert "Commands:" in outcome.err


def test_help_is_exit_0(crupto: Crupto) -> None:
    outcome = crupto("--help")
    assert outcome.code == 0
    assert "backtest" in outcome.out


def test_version_names_the_engine(crupto: Crupto) -> None:
    outcome = crupto("version", "--json")
    assert outcome.code == 0
    assert outcome.data["nautilus_trader"] == "2.0.0rc7"


def test_a_defect_shows_its_traceback_and_stays_one_json_object(
    crupto: Crupto, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("crupto_nautilus.cli.version.installed", broken)
    outcome = crupto("version", "--json")
    assert outcome.code == 1
    assert outcome.data["error"] == "ZeroDivisionError"
    assert "Traceback" in outcome.err


def test_an_interrupt_is_exit_130(crupto: Crupto, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("crupto_nautilus.cli.version.installed", interrupted)
    assert crupto("version").code == 130


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (errno.ENOSPC, 3, "full"),
        (errno.EFBIG, 3, "full"),
        (errno.EDQUOT, 3, "full"),
        (errno.EROFS, 3, "cannot be written"),
        (errno.EACCES, 3, "cannot be written"),
        (errno.ENOENT, 2, "cannot be opened"),
        (errno.ECONNREFUSED, 3, "refused"),
    ],
)
def test_a_system_error_says_what_to_do(number: int, code: int, word: str) -> None:
    failure = explain(OSError(number, os.strerror(number), "place"))
    assert failure is not None
    assert failure.exit_code == code
    assert word in failure.message
    assert failure.remedy


def test_an_error_of_a_lower_room_is_mapped_by_its_attributes() -> None:
    from catalog.errors import CatalogError, CatalogIOError, UnreadableFile

    codes = [
        failure.exit_code
        for error in (CatalogError("a", remedy="b"), CatalogIOError("a"), UnreadableFile("a"))
        if (failure := explain(error)) is not None
    ]
    assert codes == [2, 3, 1]


def test_an_unexpected_error_has_no_explanation() -> None:
    assert explain(ZeroDivisionError("x")) is None


class _Colour(StrEnum):
    RED = "red"


class _Pair(NamedTuple):
    left: int
    right: float


def test_json_has_no_nan_and_knows_the_desks_types() -> None:
    value = {
        "nan": math.nan,
        "inf": math.inf,
        "enum": _Colour.RED,
        "path": Path("a/b"),
        "tuple": _Pair(1, math.nan),
        "numpy": np.float64(1.5),
        "array": np.array([1, 2]),
        "set": {"b", "a"},
    }
    assert json.loads(json_line(value)) == {
        "nan": None,
        "inf": None,
        "enum": "red",
        "path": "a/b",
        "tuple": {"left": 1, "right": None},
        "numpy": 1.5,
        "array": [1, 2],
        "set": ["a", "b"],
    }
    with pytest.raises(TypeError, match="no JSON form"):
        plain(object())


def test_a_plain_table_is_aligned_without_colours() -> None:
    table = Table("title", ("name", "n"), (("a", "1"), ("long name", "20")), right=frozenset({"n"}))
    assert plain_table(table) == "title\nname        n\na           1\nlong name  20"


def test_what_a_library_prints_never_reaches_stdout_under_json() -> None:
    code = (
        "import os\n"
        "import crupto_nautilus.cli.version as v\n"
        "from crupto_nautilus.cli.main import main\n"
        "v.installed = lambda name: os.write(1, b'noise\\n') and '1.0'\n"
        "main(['version', '--json'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["ccxt"] == "1.0"
    assert "noise" in done.stderr


def test_rich_draws_tables_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from crupto_nautilus.cli.output import Result, show

    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show(Result({}, (Table("t", ("a",), (("[bold]x",),)),)), as_json=False)
    assert "[bold]x" in capsys.readouterr().out
