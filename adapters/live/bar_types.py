"""Bar types that venues have, and closed bars as the desk's instants hold them."""

from __future__ import annotations

from nautilus_trader.model import BarType

from adapters.live.errors import VenueError
from adapters.live.rows import Kline
from adapters.live.timebase import MINUTE_MS
from risk.vocabulary import Bar

MS = 1_000_000

_BY_SPEC = {
    "1-MINUTE": 1, "3-MINUTE": 3, "5-MINUTE": 5, "15-MINUTE": 15, "30-MINUTE": 30, "1-HOUR": 60,
    "4-HOUR": 240, "1-DAY": 1440,
}  # fmt: skip


def minutes_of(bar_type: BarType) -> int:
    """Return the minutes of a bar type.

    Raises
    ------
    VenueError
        The venue has no such bars; ours are of the last price and made by the venue (EXTERNAL).
    """
    text = str(bar_type)
    parts = text.rsplit("-", 4)
    minutes = _BY_SPEC.get(f"{parts[-4]}-{parts[-3]}") if len(parts) == 5 else None
    if minutes is None or parts[-2:] != ["LAST", "EXTERNAL"]:
        raise VenueError(
            f"there are no bars of type {text} here",
            found=text,
            expected="INSTRUMENT-1-MINUTE-LAST-EXTERNAL, or 3, 5, 15, 30 minutes, 1 or 4 hours, 1 day",
        )
    return minutes


def desk_bar(name: str, row: Kline, minutes: int) -> Bar:
    """Return a closed bar as the desk's instants hold it."""
    return Bar(
        name,
        minutes,
        (row.open_ms + minutes * MINUTE_MS) * MS,
        float(row.open),
        float(row.high),
        float(row.low),
        float(row.close),
        float(row.volume),
    )
