"""`crupto` on a fake BingX whose clock runs fast: the command as a user gives it, in a process of its own.

Usage: python -m tests.fakes.fast_vst SPEED ARGUMENTS OF CRUPTO ...

Addresses and keys come from the environment as a user sets them; only the time is another, everything is
logged (DEBUG), and no other machine can be reached.  The last line on stderr says which hosts were asked.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace
from typing import Any

from adapters.live.timebase import ScaledTime
from crupto_nautilus.cli import paper
from crupto_nautilus.cli.main import run
from strategies.registry import REGISTRY
from tests.fakes.bingx_soak import START_MS
from tests.fakes.loopback_only import GUARD
from tests.fakes.pulse_rule import SPEC
from tests.fakes.recorded_paper import QUICK


def main(speed: float, arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    GUARD.install()
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    REGISTRY[SPEC.name] = SPEC
    time = ScaledTime(START_MS, speed)  # the offset to the exchange's clock is measured, as always
    common: dict[str, Any] = {"timebase": time, "stream": QUICK, "timeout_s": 2.0}
    data_of, execution_of = paper.data_settings, paper.execution_settings

    def data(*asked: Any) -> Any:
        return replace(data_of(*asked), **common, poll_s=60.0, instant_grace_s=20.0)

    def execution(*asked: Any) -> Any:
        found = execution_of(*asked)
        assert found is not None
        return replace(found, **common, fill_patience_s=0.3, order_window_s=1.5, reconcile_s=120.0)

    paper.data_settings, paper.execution_settings = data, execution
    code = run(arguments)
    print("hosts", json.dumps({"refused": GUARD.refused, "reached": sorted(GUARD.reached)}), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
