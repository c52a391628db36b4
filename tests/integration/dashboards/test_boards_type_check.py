"""The boards are what Grafana's own types say a dashboard is; `npm ci` in `schema/` brings the types."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

SCHEMA = Path(__file__).parent / "schema"
OPTIONS = (
    "--noEmit", "--strict", "--skipLibCheck", "--moduleResolution", "bundler", "--module", "esnext",
    "--target", "es2022",
)  # fmt: skip


@pytest.fixture(scope="module")
def tsc() -> Path:
    compiler = SCHEMA / "node_modules" / ".bin" / "tsc"
    if not compiler.exists():
        pytest.skip(
            f"Grafana's types are not installed: npm ci --prefix {SCHEMA.relative_to(SCHEMA.parents[3])}"
        )
    return compiler


# Enums of the types: a JSON holds their values as plain strings.
ENUMS = {
    '"mode": "absolute"': '"mode": ThresholdsMode.Absolute',
    '"mode": "percentage"': '"mode": ThresholdsMode.Percentage',
    '"type": "value"': '"type": MappingType.ValueToText',
    '"type": "range"': '"type": MappingType.RangeToText',
    '"type": "regex"': '"type": MappingType.RegexToText',
    '"type": "special"': '"type": MappingType.SpecialValue',
}


def literal(board: object) -> str:
    """Return a board as TypeScript: a literal, since an imported JSON or a cast hides excess keys."""
    text = json.dumps(board)
    for value, member in ENUMS.items():
        text = text.replace(value, member)
    return text


def problems(tsc: Path, board: object, folder: Path) -> str:
    """Return what the compiler says of a board."""
    file = SCHEMA / f".{folder.name}.ts"
    file.write_text(
        'import { MappingType, ThresholdsMode, type Dashboard } from "@grafana/schema";\n'
        f"export const board: Omit<Dashboard, never> = {literal(board)};\n"
    )
    try:
        done = subprocess.run(
            [tsc, *OPTIONS, file.name], cwd=SCHEMA, capture_output=True, text=True, check=False
        )
    finally:
        file.unlink()
    return done.stdout + done.stderr


@pytest.mark.schema
@pytest.mark.parametrize("name", ["dashboard_nodes.json", "dashboard_ops.json"])
def test_a_board_has_the_type_of_a_grafana_dashboard(
    tsc: Path, project_dir: Path, tmp_path: Path, name: str
) -> None:
    board = json.loads((project_dir / "dashboards" / "grafana" / name).read_text())
    assert problems(tsc, board, tmp_path) == ""


@pytest.mark.schema
def test_a_misspelt_key_is_found(tsc: Path, project_dir: Path, tmp_path: Path) -> None:
    board = json.loads((project_dir / "dashboards" / "grafana" / "dashboard_ops.json").read_text())
    panel = board["panels"][0]
    panel["gridpos"] = panel.pop("gridPos")
    assert "gridpos" in problems(tsc, board, tmp_path)
