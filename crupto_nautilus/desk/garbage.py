"""When cyclic garbage is collected: rarely, and in a live node where no order waits for it.

Nearly all that a run makes are records that stay, so a collection finds little and looks through much: one
that starts by itself in the middle of an instant holds its orders up for milliseconds, a full one for more
than a hundred.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_WORTH_IT: Final = 1_000  # objects made and not freed since the last collection
_MIDDLE_EVERY, _FULL_EVERY = 10, 60  # quiet moments; an hour of a market of one-minute bars


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let collections start by themselves only when very much was made; what is there now is left out."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


class QuietCollector:
    """Collects in quiet moments, a little each time."""

    def __init__(self) -> None:
        self._moments = 0

    def collect(self) -> None:
        """Collect what is worth it; the first time all of it, and leave what was loaded alone from then."""
        if self._moments == 0:
            gc.collect()
            gc.freeze()
        elif self._moments % _FULL_EVERY == 0:
            gc.collect()
        elif self._moments % _MIDDLE_EVERY == 0:
            gc.collect(1)
        elif gc.get_count()[0] >= _WORTH_IT:
            gc.collect(0)
        self._moments += 1
