"""The whole desk on a fake BingX as a process that a test may kill and start again.

Usage: python -m tests.fakes.vst_desk FOLDER JSON [--resume], where JSON has rest, stream, key, secret,
start_ms, speed and execution (vst or sandbox).  On vst the rule of the first session wants in at every bar,
that of a later one only holds; in the sandbox one trades every few minutes in all of them, until `last_ns`
where that is given.  A session runs until a signal, and the journal tells how far it is.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from adapters.bingx.config import Credentials, DataSettings, Endpoints, ExecutionSettings
from adapters.live.timebase import ScaledTime
from catalog.store import Catalog
from crupto_nautilus.config import load_config
from crupto_nautilus.desk.options import PaperOptions
from crupto_nautilus.desk.paper import run_paper
from crupto_nautilus.desk.record import RecordFeed
from crupto_nautilus.desk.resume import find_run, resumed_options
from crupto_nautilus.errors import CruptoError
from crupto_nautilus.journal.database import default_url
from risk.vocabulary import LONG, Bar, EntryStyle, ExitSpec
from strategies.registry import REGISTRY, StrategySpec
from strategies.rule import Condition, Rule, Setup
from tests.fakes.bingx_node import QUICK
from tests.fakes.bingx_soak import write_config
from tests.fakes.pulse_rule import SPEC as PULSE
from tests.fakes.pulse_rule import Pulse

RUN_ID = "vst"
NAME = "pulse_1m"  # the name that the configuration of the soak lets trade in every regime
STOP, TARGET_R = 0.02, 2.0


class Eager(Rule):
    """Buys at every bar, with a stop and a target that rest at the venue."""

    __slots__ = ()
    holds: ClassVar[bool] = False
    name, minutes = NAME, 1

    def update(self, bar: Bar) -> Setup | None:
        self.atr = 0.001 * bar.close
        if self.holds:
            return None
        exits = ExitSpec(stop_distance=STOP * bar.close, targets_r=(TARGET_R,))
        return Setup(LONG, exits, 0.8, self.atr, EntryStyle.MARKET, ())

    def missing(self) -> str:
        return ""

    def waiting(self) -> tuple[Condition, ...]:
        return ()


SPEC = StrategySpec(
    name=NAME, tag="PU", rule=Eager, minutes=1, mean_reverting=False, warmup={1: 15}, priority=46
)


def options(folder: Path, given: dict[str, Any], *, resume: bool) -> PaperOptions:
    """Return the options of a session; a second one has what the journal says of the first."""
    where = Endpoints(given["rest"], given["stream"])
    time = ScaledTime(given["start_ms"], given["speed"])
    runs = folder / "runs"
    profile = "vst" if given["execution"] == "vst" else "paper"
    found = PaperOptions(
        catalog=folder / "market",
        config=load_config(write_config(folder / "config"), env={}, strategies=None, profile=profile),
        out=runs,
        run_id=RUN_ID,
        symbols=("BTC-USDT.BINGX",),
        strategies=(NAME,),
        feed="bingx",
        execution=given["execution"],
        equity=10_000.0,
        journal_url=default_url(runs),
    )
    if resume:
        record = find_run(default_url(runs), RUN_ID)
        assert record is not None
        found = resumed_options(record, found)
    return replace(
        found,
        data_settings=DataSettings(
            endpoints=where, timebase=time, stream=QUICK, timeout_s=3.0, poll_s=60.0, instant_grace_s=30.0
        ),
        execution_settings=ExecutionSettings(
            credentials=Credentials.of(given["key"], given["secret"]),
            endpoints=where,
            timebase=time,
            stream=QUICK,
            timeout_s=3.0,
            fill_patience_s=0.3,
            order_window_s=2.0,
            order_journal=runs / f"{RUN_ID}.orders.jsonl",
        ),
    )


def main() -> int:
    """Run a session; its refusal is one line of JSON."""
    folder, given = Path(sys.argv[1]), json.loads(sys.argv[2])
    Eager.holds = "--resume" in sys.argv
    Pulse.last_ns = given.get("last_ns", Pulse.last_ns)
    REGISTRY[NAME] = SPEC if given["execution"] == "vst" else PULSE
    try:
        chosen = options(folder, given, resume="--resume" in sys.argv)
        run_paper(chosen, [RecordFeed(Catalog.create(chosen.catalog))])
    except CruptoError as error:
        print(json.dumps(error.to_json()), flush=True)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
