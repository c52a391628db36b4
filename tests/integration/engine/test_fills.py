"""Engine behaviour the desk relies on: prices, slices and order inside a bar."""

from __future__ import annotations

import pytest

from tests.fakes.engine import run_script, ts_of

FLAT = (100.0, 100.0, 100.0, 100.0, 1000.0)


def test_market_order_sent_on_a_bar_fills_at_that_bars_close_and_never_older() -> None:
    rows = [(100.0, 101.0, 99.0, 100.5, 1000.0), (100.5, 102.0, 100.0, 101.5, 1000.0), FLAT]
    script, _ = run_script(rows, {2: lambda s: s.market("in", 1, 1)})
    assert script.fills("in") == [(1.0, 101.5, ts_of(2))]


def test_large_market_order_fills_in_slices_of_one_instant_and_closes_there() -> None:
    thin = (100.0, 100.0, 100.0, 100.0, 100.0)
    script, _ = run_script([thin, thin], {1: lambda s: s.market("in", 1, 150)})
    fills = script.fills("in")
    assert fills == [(25.0, 100.0, ts_of(1)), (125.0, 100.01, ts_of(1))]
    opened = next(e for kind, _, e in script.events if kind == "PositionOpened")
    assert opened.quantity.as_double() == 25.0  # exits sized here would leave 125 naked


def test_post_only_at_the_close_is_rejected_and_one_tick_inside_is_accepted() -> None:
    script, _ = run_script(
        [FLAT, FLAT],
        {
            1: lambda s: (
                s.limit("at", 1, 1, 100.0, post_only=True),
                s.limit("inside", 1, 1, 99.99, post_only=True),
            )
        },
    )
    assert "OrderRejected" in script.kinds("at")
    assert "OrderAccepted" in script.kinds("inside")


@pytest.mark.parametrize(("low", "filled"), [(99.99, False), (99.98, True)])
def test_a_limit_fills_only_when_traded_through(low: float, filled: bool) -> None:
    rows = [FLAT, (100.0, 100.5, low, 100.2, 1000.0), FLAT]
    script, _ = run_script(rows, {1: lambda s: s.limit("in", 1, 1, 99.99, post_only=True)})
    assert bool(script.fills("in")) is filled


def test_the_extreme_nearer_to_the_open_is_walked_first() -> None:
    # open 99.5, low 98.5 nearer than high 102: a long with both exits inside the bar is stopped out
    rows = [FLAT, (99.5, 102.0, 98.5, 100.0, 1000.0), FLAT]
    script, _ = run_script(
        rows,
        {
            1: lambda s: (
                s.market("in", 1, 1),
                s.stop("stop", -1, 1, 99.0),
                s.limit("target", -1, 1, 101.0, reduce_only=True),
            )
        },
    )
    assert script.fills("stop") == [(1.0, 99.0, ts_of(2))]
    assert script.fills("target") == []


def test_a_stop_fills_at_the_open_of_a_bar_that_gaps_beyond_it() -> None:
    rows = [FLAT, (95.0, 96.0, 94.0, 95.5, 1000.0), FLAT]
    script, _ = run_script(rows, {1: lambda s: (s.market("in", 1, 1), s.stop("stop", -1, 1, 99.0))})
    assert script.fills("stop") == [(1.0, 95.0, ts_of(2))]


def test_large_quantities_come_back_with_float_noise_so_they_are_put_back_on_the_grid() -> None:
    from nautilus_trader.model import Quantity

    noisy = [n for n in range(59_000, 59_200) if Quantity(float(n), 0).as_double() != n]
    assert noisy  # when an upgrade ends this, the rounding in OrderDesk is no longer needed
    assert all(round(Quantity(float(n), 0).as_double(), 0) == n for n in noisy)
