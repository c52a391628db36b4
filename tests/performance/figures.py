"""What the benchmarks found: figures with their targets, the table that is printed, the file that is kept.

A target that is missed is said, not raised; what fails the bench is a figure that has become more than
`GROSS` times its committed reference (`reference.json`), or the memory limit.
"""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).with_name("reference.json")
GROSS = 2.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the table; without a target it is only shown."""

    name: str
    value: float
    unit: str
    target: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "reached" if self.value <= self.target else "NOT reached"

    def line(self) -> str:
        target = "" if self.target is None else f"<= {self.target:g}"
        return f"{self.name:<34} {self.value:>9.2f} {self.unit:<9} {target:<9} {self.verdict:<12} {self.note}"


def spread(values: list[float]) -> float:
    """Return half the range of some costs as a percentage of its middle: +-15 % is 15."""
    low, high = min(values), max(values)
    return 100.0 * (high - low) / (high + low)


@dataclass(slots=True)
class Findings:
    """All figures of one run of the bench, with the raw measurements behind them."""

    figures: list[Figure] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict)

    def add(self, *figures: Figure) -> None:
        self.figures += figures
        for figure in figures:
            print(f"\n{figure.line()}", end="")

    def table(self) -> str:
        lines = [figure.line() for figure in self.figures]
        total = sum(self.stages.values())
        if self.stages:
            lines += ["", "stages of the desk (share of the run):"]
        lines += [f"  {name:<12} {100 * s / total:5.1f} %" for name, s in self.stages.items()]
        return "\n".join(lines)

    def write(self, folder: Path) -> Path:
        """Write figures, stages and raw measurements as `<date>.json`."""
        folder.mkdir(exist_ok=True)
        now = datetime.now(UTC)
        file = folder / f"{now:%Y-%m-%dT%H%M%SZ}.json"
        facts = {
            "at": now.isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "figures": [asdict(figure) | {"verdict": figure.verdict} for figure in self.figures],
            "stages_s": self.stages,
            "raw": self.raw,
        }
        file.write_text(json.dumps(facts, indent=2) + "\n")
        return file


def reference(name: str) -> float:
    """Return a figure as it was when the reference was committed."""
    return float(json.loads(REFERENCE.read_text())[name])
