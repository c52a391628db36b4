"""What each desk state means for whoever watches: what still happens in it, and what ends it."""

from __future__ import annotations

from datetime import UTC, datetime

from risk.vocabulary import DeskMode, DeskState, RefusalReason


def what_still_happens(state: DeskState, now_ns: int, run_id: str = "RUN") -> str:
    """Return in one sentence what a desk in `state` goes on doing at desk time `now_ns`."""
    if state.mode is DeskMode.ACTIVE:
        if now_ns < state.cooling_until_ns:
            return f"exits work, entries refused until {clock_words(state.cooling_until_ns)} (COOLING)"
        return "entries and exits work"
    if state.mode is DeskMode.REDUCE_ONLY:
        return "stops and targets work, entries refused until 00:00 UTC"
    end = f"until `crupto state unlock {run_id}`"
    if state.reason is RefusalReason.KILL_SWITCH or state.flatten:
        return f"positions closed at market, entries refused {end}"
    return f"stops and targets work, entries refused {end}"


def clock_words(ts_ns: int) -> str:
    """Return a moment as day and minute."""
    return datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).strftime("%m-%d %H:%M UTC")
