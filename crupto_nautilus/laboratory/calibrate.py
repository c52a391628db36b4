"""The calibration of the gates on this machine: campaigns on markets whose edge is known, and their table.

Guarantees: campaigns are written one a line as they end, and an interrupted calibration goes on where it was;
the lines carry the hashes of gate file and code and the size of the campaigns, and others are not mixed in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from catalog.store import Catalog
from catalog.symbols import parse_instrument
from research.calibration.simulate import Outcome, Study, Task, simulate
from research.calibration.table import Row, rows
from research.campaign.fingerprint import code_sha256
from research.executors import Executor
from research.market import Frame, MarketArrays

STRONG, WEAK = 0.020, 0.0131  # sizes that give the best candidate a holdout Sharpe ratio of about 2.6 and 1.2
# What a calibration must show: nulls that promote at most, planted edges that are found at least.
NULL_MAX, STRONG_MIN, WEAK_MIN = 0.05, 0.80, 0.15
_FIRST_SEED = 50_000  # seeds nobody looked at while the gates were made

Report = Callable[[str, int, int], None]


def tasks(nulls: int, planted: int, *, real: bool) -> list[Task]:
    """Return the campaigns of a calibration, kinds interleaved so that a part of it is a fair part."""
    found = []
    for number in range(max(nulls, planted)):
        seed = _FIRST_SEED + number
        if number < nulls:
            found += [Task("destroyed", seed)] if real else []
            found.append(Task("martingale", seed))
        if number < planted:
            found += [Task("planted", seed, STRONG), Task("planted", seed, WEAK)]
    return found


def real_frames(catalog: Catalog) -> tuple[Frame, ...]:
    """Return the 1h bars of every perpetual of a catalog."""
    names = [name for name in catalog.instruments() if parse_instrument(name).kind == "perp"]
    return MarketArrays.from_catalog(catalog, names, [60]).frames(60) if names else ()


def holds(row: Row) -> bool:
    """Tell whether a row of the table shows what a calibration must show."""
    if row.kind != "planted":
        return row.rate <= NULL_MAX
    return row.rate >= (STRONG_MIN if row.amplitude >= STRONG else WEAK_MIN)


def calibrate(
    study: Study,
    wanted: Sequence[Task],
    lines: Path,
    executor: Executor,
    report: Report | None = None,
) -> list[Row]:
    """Run what is missing of a calibration and return its table.

    Parameters
    ----------
    lines : Path
        JSON lines, one a campaign.
    """
    stamp: dict[str, str | int] = {
        "gate_spec_sha256": study.spec.sha256,
        "code_sha256": code_sha256(),
        "bars": study.bars,
        "candidates": study.candidates,
    }
    done = {outcome.key: outcome for outcome in read(lines, stamp)}
    missing = [task for task in wanted if task.key not in done]
    lines.parent.mkdir(parents=True, exist_ok=True)
    with lines.open("a", encoding="utf-8") as file:
        for number, outcome in enumerate(executor.run(simulate, study, missing)):
            done[outcome.key] = outcome
            file.write(json.dumps(stamp | asdict(outcome)) + "\n")
            file.flush()
            if report is not None:
                report("campaigns", number + 1, len(missing))
    return rows([done[task.key] for task in wanted if task.key in done])


def read(lines: Path, stamp: Mapping[str, str | int]) -> list[Outcome]:
    """Return the finished campaigns of this gate file, code and size; a torn last line is passed over."""
    if not lines.exists():
        return []
    found = []
    for line in lines.read_text(encoding="utf-8").splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        if all(values.pop(name, None) == value for name, value in stamp.items()):
            found.append(Outcome(**values))
    return found
