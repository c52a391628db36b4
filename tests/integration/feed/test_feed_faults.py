"""What a live venue may do to the desk: each fault in a live node, recorded and played again as a backtest.

BTC and ETH trade at 100 in one-minute bars; the rules want to buy both at bar 5, at bar 12 and (on 15-minute
bars) ETH at 15 and BTC at 30, with a stop one dollar away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from risk.vocabulary import MINUTE_NS, Bar
from tests.fakes.live_feed import Arrival
from tests.fakes.live_runs import BARS, LiveCase, LiveRun, number, on_time, run_all

S = 1_000_000_000
Bars = Mapping[str, list[Bar]]


def without(bars: Bars, coin: str, first: int, last: int) -> list[Arrival]:
    """Return a punctual delivery that lacks the bars of a coin ("" for all) from `first` to `last`."""
    return [
        a
        for a in on_time(bars)
        if not (
            isinstance(a.what, Bar)
            and a.what.instrument.startswith(coin)
            and first <= number(a.what.ts_event) <= last
        )
    ]


def moved(bars: Bars, coin: str, k: int, seconds: float) -> list[Arrival]:
    """Return a punctual delivery in which one bar of a coin comes `seconds` after its close."""
    made = []
    for a in on_time(bars):
        bar = a.what
        if isinstance(bar, Bar) and bar.instrument.startswith(coin) and number(bar.ts_event) == k:
            made.append(replace(a, at_ns=bar.ts_event + round(seconds * S)))
        else:
            made.append(a)
    return sorted(made, key=lambda a: a.at_ns)


def breaking(bars: Bars, at: Iterable[tuple[int, float]]) -> list[Arrival]:
    """Return a punctual delivery in which the connection breaks some seconds after some bars."""

    def lost() -> None:
        raise ConnectionError("the connection was lost")

    start = min(rows[0].ts_event for rows in bars.values()) - MINUTE_NS
    breaks = [Arrival(start + k * MINUTE_NS + round(s * S), lost) for k, s in at]
    return sorted([*on_time(bars), *breaks], key=lambda a: a.at_ns)


def repeated(bars: Bars) -> list[Arrival]:
    return [
        b
        for a in on_time(bars)
        for b in (a, replace(a, at_ns=a.at_ns + S), replace(a, at_ns=a.at_ns + 2 * S))
    ]


def conflicting(bars: Bars) -> list[Arrival]:
    """Every bar of BTC comes again with another close."""
    made = on_time(bars)
    for a in list(made):
        if isinstance(a.what, Bar) and a.what.instrument.startswith("BTC"):
            made.append(replace(a, at_ns=a.at_ns + S, what=a.what._replace(close=99.5, low=99.5)))
    return sorted(made, key=lambda a: a.at_ns)


def suspended(bars: Bars, case: LiveCase) -> list[Arrival]:
    """The machine sleeps from bar 10 to 15: nobody is woken, then everything of that time comes at once."""
    start = min(rows[0].ts_event for rows in bars.values()) - MINUTE_NS
    wake = start + 15 * MINUTE_NS + 30 * S

    def sleep() -> None:
        case.feeds[0].clock.jump(wake)

    made = []
    for a in on_time(bars):
        asleep = start + 9.5 * MINUTE_NS < a.at_ns < wake
        made.append(replace(a, at_ns=wake) if asleep else a)
    made.append(Arrival(start + 9 * MINUTE_NS + 30 * S, sleep))
    return sorted(made, key=lambda a: a.at_ns)


def blocked(bars: Bars, case: LiveCase) -> list[Arrival]:
    """The node is busy from bar 10 to 12: the bars are in, but nobody has looked at them or at the clock."""
    start = min(rows[0].ts_event for rows in bars.values()) - MINUTE_NS
    held = [a for a in on_time(bars) if isinstance(a.what, Bar) and 10 <= number(a.what.ts_event) <= 12]

    def busy() -> None:
        case.feeds[0].clock.jump(start + 12 * MINUTE_NS + 20 * S)
        for arrival in held:
            arrival.deliver(case.feeds[0].feed)

    made = [a for a in on_time(bars) if a not in held]
    made.append(Arrival(start + 9 * MINUTE_NS + 30 * S, busy))
    return sorted(made, key=lambda a: a.at_ns)


FALL = {("ETH", k): 100.0 - 0.3 * (k - 10) for k in range(11, 21)} | {
    ("ETH", k): 97.0 for k in range(21, BARS + 1)
}

CASES = [
    LiveCase("clean", lambda bars, _: on_time(bars)),
    LiveCase("one silent", lambda bars, _: without(bars, "ETH", 10, 20), closes=FALL),
    LiveCase("all silent", lambda bars, _: without(bars, "", 10, 20), closes=FALL),
    LiveCase("silent for good", lambda bars, _: without(bars, "", 10, BARS), give_up_s=600.0),
    LiveCase("late bar", lambda bars, _: moved(bars, "ETH", 15, 20.0)),
    LiveCase("repeated", lambda bars, _: repeated(bars)),
    LiveCase("conflicting", lambda bars, _: conflicting(bars)),
    LiveCase("out of order", lambda bars, _: moved(bars, "ETH", 12, 90.0)),
    LiveCase("gap", lambda bars, _: without(bars, "", 10, 13), closes=FALL, backfill=True),
    LiveCase("task raises", lambda bars, _: breaking(bars, [(9, 30.0)])),
    LiveCase("storm", lambda bars, _: breaking(bars, [(9, 30 + k / 100) for k in range(12)]), backfill=True),
    LiveCase("suspended", suspended),
    LiveCase("blocked", blocked),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LiveRun]:
    return run_all("tests.integration.feed.test_feed_faults", tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_books_and_limits_hold_and_the_backtest_of_the_recording_decides_the_same(
    runs: dict[str, LiveRun], name: str
) -> None:
    run = runs[name]
    assert run.violations == []
    assert run.parity == {}
    assert run.unsettled == 0
    assert not [alarm for alarm in run.alarms if alarm[0] in ("handler_error", "unsettled")]


def test_a_punctual_feed_has_nothing_to_tell(runs: dict[str, LiveRun]) -> None:
    run = runs["clean"]
    assert (run.error, run.exit_reason, run.instants, run.bars) == ("", "completed", BARS, 2 * BARS)
    assert (run.reason("BTC", 5), run.reason("ETH", 5), run.kinds()) == ("", "", [])


def test_silence_on_one_instrument_stops_its_entries_while_the_others_trade_on(
    runs: dict[str, LiveRun],
) -> None:
    run = runs["one silent"]
    assert run.reason("ETH", 12) is None
    assert run.reason("BTC", 12) == "ALREADY_OPEN"
    assert run.counts["missing"] == 11
    assert run.kinds() == ["feed_silent", "feed_recovered"]
    # Its stop works with the first bar that comes again, at what the market is by then.
    assert ("ETH", 21, "stop", 97.0) in run.fills
    # The 15-minute bar did not close without its last bars: it waited for the instrument to come back.
    assert ("ETH", 15, 15, 21, 45_000.0) in run.higher


def test_silence_on_all_lets_desk_time_go_on_and_nobody_enters(runs: dict[str, LiveRun]) -> None:
    run = runs["all silent"]
    assert run.instants == BARS
    assert [(coin, k) for coin, k, _ in run.decisions] == [("BTC", 5), ("ETH", 5), ("BTC", 30)]
    assert ("ETH", 21, "stop", 97.0) in run.fills
    assert run.exit_reason == "completed"


def test_silence_for_good_ends_the_run_with_its_reason_and_its_record(runs: dict[str, LiveRun]) -> None:
    run = runs["silent for good"]
    assert run.exit_reason.startswith("feed failed: no bar for 60")
    assert "the feed failed" in run.error
    assert [fill[:3] for fill in run.fills] == [("BTC", 5, "entry"), ("ETH", 5, "entry")]


def test_a_higher_timeframe_is_whole_although_its_last_fine_bar_is_late(runs: dict[str, LiveRun]) -> None:
    run = runs["late bar"]
    assert ("ETH", 15, 15, 16, 75_000.0) in run.higher
    assert ("BTC", 15, 15, 15, 75_000.0) in run.higher  # nobody waits for somebody else's bar
    assert run.reason("ETH", 15) is None  # an entry on a bar of a minute ago is none
    assert run.bars == 2 * BARS


def test_repeated_bars_are_counted_once(runs: dict[str, LiveRun]) -> None:
    run, clean = runs["repeated"], runs["clean"]
    assert run.counts["duplicate"] == 4 * BARS
    assert (run.bars, run.decisions, run.fills) == (clean.bars, clean.decisions, clean.fills)


def test_other_values_for_a_bar_are_told_and_change_nothing(runs: dict[str, LiveRun]) -> None:
    run, clean = runs["conflicting"], runs["clean"]
    assert run.counts["refused"] == BARS
    assert set(run.kinds()) == {"feed_conflict"}
    assert (run.decisions, run.fills) == (clean.decisions, clean.fills)


def test_a_bar_that_comes_after_a_newer_one_completes_higher_timeframes_only(
    runs: dict[str, LiveRun],
) -> None:
    run = runs["out of order"]
    assert run.counts["backfilled"] == 1
    assert ("ETH", 15, 15, 15, 75_000.0) in run.higher
    assert run.reason("ETH", 12) is None
    assert run.bars == 2 * BARS


def test_a_gap_is_asked_for_and_filled_and_stops_work_on_the_bars_that_come(
    runs: dict[str, LiveRun],
) -> None:
    run = runs["gap"]
    assert run.asked == [(coin, k, k) for k in range(10, 14) for coin in ("BTC", "ETH")]
    assert run.counts["missing"] == run.counts["late"] == 8
    assert [h for h in run.higher if h[2] == 15] == [
        ("BTC", 15, 15, 15, 75_000.0), ("ETH", 15, 15, 15, 75_000.0),
    ]  # fmt: skip
    assert ("ETH", 14, "stop", 99.0) in run.fills
    assert run.reason("BTC", 12) is run.reason("ETH", 12) is None


def test_a_task_that_raises_is_told_and_started_again(runs: dict[str, LiveRun]) -> None:
    run, clean = runs["task raises"], runs["clean"]
    assert run.restarts == 1
    assert run.alarms[0][2] == "ConnectionError: the connection was lost; again in 1.0 s"
    assert (run.decisions, run.fills) == (clean.decisions, clean.fills)


def test_a_storm_of_reconnects_is_slowed_down_and_loses_nothing(runs: dict[str, LiveRun]) -> None:
    run = runs["storm"]
    pauses = [float(d.split()[-2]) for kind, _, d in run.alarms if kind == "feed_restart"]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0] + [60.0] * 6
    assert run.reason("BTC", 12) is None
    assert run.bars == 2 * BARS
    assert {h[4] for h in run.higher} == {75_000.0}
    assert run.exit_reason == "completed"


def test_after_a_sleep_of_the_machine_nobody_acts_on_what_comes_late(runs: dict[str, LiveRun]) -> None:
    run = runs["suspended"]
    assert run.counts["missing"] == run.counts["late"] == 12
    assert run.reason("BTC", 12) is run.reason("ETH", 12) is run.reason("ETH", 15) is None
    assert run.bars == 2 * BARS


def test_a_signal_on_bars_older_than_the_grace_period_is_refused_as_stale(runs: dict[str, LiveRun]) -> None:
    run = runs["blocked"]
    assert (run.reason("BTC", 12), run.reason("ETH", 12)) == ("STALE_DATA", "STALE_DATA")
    assert run.reason("ETH", 15) not in (None, "STALE_DATA")
    assert run.counts["late"] == 6
