"""The bounded equity curve."""

from __future__ import annotations

from dashboards.curve import Curve


def test_a_long_curve_keeps_its_bound_its_ends_and_its_order() -> None:
    curve = Curve(most=100)
    for n in range(1, 10_001):
        curve.add(n, 300.0 + n, -n / 1e4)
    drawn = curve.to_json()
    assert 50 <= len(drawn["ts"]) <= 102
    assert drawn["ts"] == sorted(drawn["ts"])
    assert (drawn["ts"][0], drawn["ts"][-1], drawn["equity"][-1]) == (1, 10_000, 10_300.0)


def test_the_newest_point_is_there_even_between_two_steps() -> None:
    curve = Curve(most=8)
    for n in range(30):
        curve.add(n, float(n), 0.0)
        assert curve.to_json()["ts"][-1] == n
