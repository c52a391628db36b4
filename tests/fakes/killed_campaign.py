"""A campaign in a process of its own that stands still in the middle, to be killed there.

Arguments: the lab's folder, after how many batches of four trials it stands still.  It says `waiting` then,
while its workers are already busy with the batches after those.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import research.campaign.run as running
from research.executors import PoolExecutor, Work
from tests.fakes.campaigns import campaign, planted_laboratory


class StandsStill(PoolExecutor):
    """Gives some results, says so and gives no more."""

    def __init__(self, after: int) -> None:
        super().__init__(2)
        self._left = after

    def run(self, work: Work, context: Any, items: Sequence[Any]) -> Iterator[Any]:
        """Yield results until it stands still."""
        for result in super().run(work, context, items):
            if self._left == 0:
                print("waiting", flush=True)
                sys.stdin.read()  # ends with this process
            self._left -= 1
            yield result


def main(lab: Path, after: int) -> None:
    """Run until killed."""
    running.BATCH = 4
    campaign(planted_laboratory(), lab, StandsStill(after)).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
