"""`crupto paper --resume`: the options of a run that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crupto_nautilus.cli.paper_options import together
from crupto_nautilus.errors import UsageError

if TYPE_CHECKING:
    from crupto_nautilus.config import DeskConfig
    from crupto_nautilus.desk.options import PaperOptions

resume_options = together(
    click.option(
        "--resume",
        metavar="RUN",
        help="Go on with a run that was killed or interrupted, from its checkpoint; RUN_ID does so too.",
    ),
    click.option(
        "--accept-governance-change",
        is_flag=True,
        help="Resume although the limits are not those the run began with; the change is journalled.",
    ),
)


def going_on(
    config: DeskConfig, out: Path, resume: str | None, run_id: str | None, **session: Any
) -> PaperOptions | None:
    """Return the options of the run that goes on, None where a new one begins.

    Raises
    ------
    UsageError
        There is no such run, or it has ended.
    """
    from crupto_nautilus.desk.options import PaperOptions
    from crupto_nautilus.desk.resume import OVER, find_run, may_go_on, resumed_options
    from crupto_nautilus.journal.database import default_url

    if resume is not None and Path(resume).parent != Path():
        out, resume = Path(resume).parent, Path(resume).name
    url = config.runtime.journal_url() or default_url(out)
    fixed = config.runtime.run_id if run_id is None else None
    name = resume or (fixed if fixed and may_go_on(url, fixed) else None)
    if name is None:
        return None
    record = find_run(url, name)
    if record is None:
        raise UsageError(
            f"there is no run {name} to resume",
            found=f"no such run in the journal of {out}",
            expected="a paper run that was killed or interrupted",
            remedy="crupto runs; --out names the folder of the runs",
        )
    if record.exit_reason in OVER:
        raise UsageError(
            f"run {name} has ended", found=record.exit_reason,
            expected="a run that was killed or interrupted", remedy="start a new run",
        )  # fmt: skip
    base = PaperOptions(catalog=out, config=config, out=out, run_id=name, journal_url=url, **session)
    return resumed_options(record, base)
