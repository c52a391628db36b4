"""Engine behaviour the exits rely on: reduce-only orders, modification of stops, engine limits."""

from __future__ import annotations

from strategies.signal_strategy import IN_THE_MARKET
from tests.fakes.engine import run_script, ts_of

FLAT = (100.0, 100.0, 100.0, 100.0, 1000.0)


def test_reduce_only_without_a_position_is_rejected() -> None:
    script, _ = run_script([FLAT, FLAT], {1: lambda s: s.market("out", -1, 1, reduce_only=True)})
    assert "OrderRejected" in script.kinds("out")


def test_the_venue_shrinks_the_stop_after_a_target_and_cancels_it_when_flat() -> None:
    rows = [FLAT, (100.0, 101.5, 99.8, 101.0, 1000.0), (101.0, 103.0, 100.5, 102.5, 1000.0), FLAT]
    script, engine = run_script(
        rows,
        {
            1: lambda s: (
                s.market("in", 1, 2),
                s.stop("stop", -1, 2, 99.0),
                s.limit("t1", -1, 1, 101.0, reduce_only=True),
                s.limit("t2", -1, 1, 102.0, reduce_only=True),
            )
        },
    )
    updates = [
        e.quantity.as_double() for kind, name, e in script.events if (kind, name) == ("OrderUpdated", "stop")
    ]
    assert updates == [1.0]
    assert script.kinds("stop")[-1] == "OrderCanceled"
    assert not engine.cache.positions_open()


def test_a_stop_moved_beyond_the_market_is_refused_and_stays_where_it_was() -> None:
    rows = [FLAT, (100.0, 101.5, 99.5, 99.8, 1000.0), (99.8, 100.0, 98.0, 98.5, 1000.0), FLAT]
    script, _ = run_script(
        rows,
        {
            1: lambda s: (s.market("in", 1, 1), s.stop("stop", -1, 1, 99.0)),
            2: lambda s: s.move("stop", 1, 100.5),
        },
    )
    assert "OrderModifyRejected" in script.kinds("stop")
    assert script.fills("stop") == [(1.0, 99.0, ts_of(3))]


def test_a_stop_is_modified_in_place() -> None:
    rows = [FLAT, (100.0, 102.0, 99.5, 101.8, 1000.0), (101.8, 102.0, 100.5, 101.0, 1000.0), FLAT]
    script, _ = run_script(
        rows,
        {
            1: lambda s: (s.market("in", 1, 1), s.stop("stop", -1, 1, 99.0)),
            2: lambda s: s.move("stop", 1, 101.0),
        },
    )
    assert script.fills("stop") == [(1.0, 101.0, ts_of(3))]


def test_a_reduce_only_market_order_beside_a_working_stop_closes_and_the_stop_is_cancelled() -> None:
    script, engine = run_script(
        [FLAT, FLAT, FLAT],
        {
            1: lambda s: (s.market("in", 1, 1), s.stop("stop", -1, 1, 99.0)),
            2: lambda s: s.market("out", -1, 1, reduce_only=True),
        },
    )
    assert script.fills("out") == [(1.0, 100.0, ts_of(2))]
    assert script.kinds("stop")[-1] == "OrderCanceled"
    assert not engine.cache.positions_open()


def test_a_stop_placed_beyond_the_market_is_rejected_with_words_the_strategy_knows() -> None:
    script, _ = run_script([FLAT, FLAT], {1: lambda s: (s.market("in", 1, 1), s.stop("stop", -1, 1, 100.5))})
    rejected = [e for kind, name, e in script.events if (kind, name) == ("OrderRejected", "stop")]
    assert IN_THE_MARKET in str(rejected[0].reason)
