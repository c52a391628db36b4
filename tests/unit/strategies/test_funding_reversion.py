from __future__ import annotations

import numpy as np
import pytest

from risk.vocabulary import DAY_NS, HOUR_NS, LONG, SHORT, EntryStyle
from strategies.batch import raw_signals
from strategies.registry import get
from strategies.rule import Setup
from tests.fakes.histories import History, Prices, Rates, synthetic_funding_history
from tests.unit.strategies.planted import NAME, START_NS, FundingPlant, unmet

USUAL_BPS = -4.0


def plant_at(
    side: int, rate: float = 0.0003, deviation_bps: float = 5.0, usual_rate: float = 0.0001
) -> FundingPlant:
    """Settle a rate against which `side` is taken, and close the hour this far from the usual basis."""
    plant = FundingPlant(usual_rate, USUAL_BPS)
    plant.settle(-side * rate)
    plant.hour(USUAL_BPS - side * deviation_bps)
    return plant


def setup_at(side: int, **numbers: float) -> Setup | None:
    return plant_at(side, **numbers).setup


# --- entries ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_rate_and_deviation_exactly_at_their_limits_fire(side: int) -> None:
    """The long side hardly occurs in the shared history: here it is planted."""
    setup = setup_at(side)
    assert setup is not None
    assert setup.side == side
    numbers = dict(setup.indicators)
    assert numbers["funding_rate"] == -side * 0.0003  # short when longs pay: it receives
    assert numbers["funding_threshold"] == 0.0003
    assert numbers["basis_deviation_bps"] == -side * 5.0


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_deviation_one_tick_short_does_not_fire(side: int) -> None:
    plant = plant_at(side, deviation_bps=4.99)  # 0.1 USDT on a price of 100,000
    assert plant.setup is None
    assert unmet(plant.rule, side) == ["basis deviation, bps"]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_rate_just_short_of_its_limit_does_not_fire(side: int) -> None:
    plant = plant_at(side, rate=0.00029999)
    assert plant.setup is None
    assert unmet(plant.rule, side) == ["settled funding rate"]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_rate_and_deviation_must_point_the_same_way(side: int) -> None:
    assert setup_at(side, deviation_bps=-8.0) is None


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_threshold_is_the_95th_percentile_where_rates_are_usually_high(side: int) -> None:
    assert setup_at(side, rate=0.00099, usual_rate=0.001) is None
    setup = setup_at(side, rate=0.001, usual_rate=0.001)
    assert setup is not None
    assert dict(setup.indicators)["funding_threshold"] == 0.001


def test_the_current_rate_is_not_in_its_own_threshold() -> None:
    plant = FundingPlant(0.0001)
    rates = [0.0001] * 270
    for rate in np.linspace(0.0002, 0.002, 20):
        plant.settle(float(rate))
        for _ in range(8):
            plant.hour(USUAL_BPS)
        threshold = next(c.threshold for c in plant.rule.waiting() if c.side == SHORT)
        assert threshold == max(0.0003, float(np.percentile(np.abs(rates[-270:]), 95)))
        rates.append(float(rate))


def test_the_deviation_counts_not_the_raw_basis() -> None:
    plant = FundingPlant(0.0001, usual_bps=-12.0)
    plant.settle(-0.001)
    assert plant.hour(-16.0) is None  # far below the spot price, but 4 bps from what is usual
    assert plant.hour(-17.0) is not None


@pytest.mark.parametrize(("rate", "confidence"), [(0.0003, 0.5), (0.0006, 0.75), (0.0009, 1.0), (0.003, 1.0)])
@pytest.mark.parametrize("side", [LONG, SHORT])
def test_confidence_grows_with_the_rate(side: int, rate: float, confidence: float) -> None:
    setup = setup_at(side, rate=rate)
    assert setup is not None
    assert setup.confidence == pytest.approx(confidence)


def test_exit_plan() -> None:
    setup = setup_at(LONG)
    assert setup is not None
    assert setup.exits.stop_distance == pytest.approx(2.0 * setup.atr)
    assert setup.exits.time_stop_settlements == 3
    assert setup.exits.on_condition
    assert (setup.exits.time_stop_bars, setup.exits.target_price, setup.exits.targets_r) == (None, None, ())
    assert setup.entry_style is EntryStyle.POST_ONLY_THEN_MARKET


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_one_setup_a_settlement(side: int) -> None:
    plant = plant_at(side, deviation_bps=6.0)
    assert [plant.hour(USUAL_BPS - side * 7.0) for _ in range(7)] == [None] * 7
    plant.settle(-side * 0.0004)
    assert plant.hour(USUAL_BPS - side * 7.0) is not None


def test_the_setup_may_come_hours_after_the_settlement() -> None:
    plant = plant_at(SHORT, deviation_bps=0.0)
    assert [plant.hour(USUAL_BPS) for _ in range(5)] == [None] * 5
    assert plant.hour(USUAL_BPS + 5.0) is not None


# --- what is missing --------------------------------------------------------------------------------------


def test_a_rate_older_than_its_interval_and_an_hour_is_missing() -> None:
    plant = plant_at(SHORT, deviation_bps=0.0)
    for _ in range(9):
        plant.hour(USUAL_BPS)
        assert plant.rule.warm
    assert plant.hour(USUAL_BPS + 9.0) is None  # 10 hours after the settlement
    assert plant.rule.missing() == "funding missing"
    assert plant.rule.waiting() == ()


def test_the_last_hour_in_which_a_rate_counts() -> None:
    plant = plant_at(SHORT, deviation_bps=0.0)
    for _ in range(8):
        plant.hour(USUAL_BPS)
    assert plant.hour(USUAL_BPS + 9.0) is not None


def test_interval_is_that_of_the_last_two_settlements() -> None:
    plant = plant_at(SHORT, deviation_bps=0.0)
    for _ in range(3):
        plant.hour(USUAL_BPS)
    plant.settle(0.0005)  # 4 hours after the one before
    for _ in range(6):
        plant.hour(USUAL_BPS)
        assert plant.rule.warm
    assert plant.hour(USUAL_BPS + 9.0) is None
    assert plant.rule.missing() == "funding missing"


def test_a_hole_before_the_last_settlement_does_not_stretch_its_interval() -> None:
    plant = FundingPlant()
    for _ in range(24):
        plant.hour(USUAL_BPS)
    plant.settle(0.0005)
    assert [plant.hour(USUAL_BPS) for _ in range(10)] == [None] * 10
    assert plant.rule.warm
    assert plant.hour(USUAL_BPS + 9.0) is None
    assert plant.rule.missing() == "funding missing"


def test_settlements_must_lie_within_100_days() -> None:
    for hole_days, warm in ((9, True), (11, False)):  # without a hole 270 settlements take 90 days
        plant = FundingPlant()
        for _ in range(hole_days * 24):
            plant.hour(USUAL_BPS)
        plant.settle(0.0005)
        setup = plant.hour(USUAL_BPS + 9.0)
        assert (setup is not None) is warm
        assert plant.rule.warm is warm
    assert plant.rule.missing() == "the last 270 settlements reach back more than 100 days"


def test_history_of_100_days_to_the_nanosecond_still_counts() -> None:
    for beyond_ns, warm in ((0, True), (1, False)):
        plant = FundingPlant()
        oldest = plant.next_ts - 270 * 8 * HOUR_NS
        while plant.next_ts < oldest + 100 * DAY_NS + HOUR_NS:
            plant.hour(USUAL_BPS)
        plant.settle(0.0005, oldest + 100 * DAY_NS + beyond_ns)
        plant.hour(USUAL_BPS)
        assert plant.rule.warm is warm


def test_needs_270_settlements_before_the_current_one() -> None:
    plant = FundingPlant()
    assert plant.hour(USUAL_BPS + 9.0) is None  # the 270th is the current one: 269 came before
    assert plant.rule.missing() == "funding history has 269 of 270 settlements before the last"


def test_needs_720_hours_of_basis_before_the_bar() -> None:
    plant = FundingPlant(hours=719)
    plant.settle(0.0005)
    assert plant.hour(USUAL_BPS + 9.0) is None
    assert plant.rule.missing() == "basis history has 719 of 720 hours before the bar"
    assert plant.hour(USUAL_BPS + 9.0) is not None


def test_without_a_reference_price_of_the_same_hour_nothing_is_said() -> None:
    plant = plant_at(SHORT, deviation_bps=0.0)
    assert plant.hour(USUAL_BPS + 9.0, reference_known=False) is None
    assert plant.rule.missing() == "reference price missing"
    assert plant.rule.exit_due(SHORT) is None
    assert plant.hour(USUAL_BPS + 9.0) is not None


def test_no_funding_at_all_is_missing_not_zero() -> None:
    rule = get("funding_reversion").rule()
    assert rule.missing() == "funding missing"
    history = synthetic_funding_history(1000, seed=2)
    assert raw_signals(get("funding_reversion"), NAME, history.bars, None, history.references) == []


def test_a_settlement_told_twice_or_late_counts_once() -> None:
    told_once, told_twice = plant_at(LONG), FundingPlant()
    told_twice.settle(-0.0003)
    told_twice.settle(-0.0003)
    told_twice.settle(0.9, told_twice.next_ts - 8 * HOUR_NS)
    assert told_twice.hour(USUAL_BPS - 5.0) == told_once.setup


def test_a_settlement_counts_from_the_close_of_its_own_time() -> None:
    """In a replay: settled at 08:00, known to the bar that closes at 08:00 and to none before."""
    n = 800
    history = synthetic_funding_history(n, seed=3)
    usual = np.full(len(history.funding.rate), 0.0001)
    close = history.bars.close
    deviated = np.full(n, -4.0)
    deviated[735:] = 20.0
    extreme = int(np.searchsorted(history.funding.ts_event, history.bars.ts_event[740]))
    usual[extreme] = 0.002
    planted = History(
        history.bars,
        Rates(history.funding.ts_event, usual),
        Prices(history.bars.ts_event, close / (1 + deviated / 10_000)),
    )
    signals = raw_signals(get("funding_reversion"), NAME, planted.bars, planted.funding, planted.references)
    assert [s.ts_event for s in signals] == [int(history.funding.ts_event[extreme])]
    assert signals[0].side == SHORT
    assert signals[0].ts_event > START_NS


# --- exits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize(
    ("deviation_bps", "reason"),
    [(5.0, None), (1.01, None), (1.0, "basis_reverted"), (0.0, "basis_reverted"), (-9.0, "basis_reverted")],
)
def test_exit_when_the_deviation_is_back(side: int, deviation_bps: float, reason: str | None) -> None:
    plant = plant_at(side, deviation_bps=6.0)
    plant.hour(USUAL_BPS - side * deviation_bps)
    assert plant.rule.exit_due(side) == reason


@pytest.mark.parametrize("side", [LONG, SHORT])
@pytest.mark.parametrize(
    ("rate", "reason"), [(0.0001, "funding_normal"), (0.00010001, None), (-0.00005, "funding_normal")]
)
def test_exit_when_the_rate_is_at_most_its_median(side: int, rate: float, reason: str | None) -> None:
    plant = plant_at(side, deviation_bps=6.0)
    for _ in range(7):
        plant.hour(USUAL_BPS - side * 6.0)
    plant.settle(-side * rate)
    plant.hour(USUAL_BPS - side * 6.0)
    assert plant.rule.exit_due(side) == reason


def test_a_stale_rate_closes_nothing() -> None:
    plant = plant_at(SHORT, rate=0.0003, deviation_bps=6.0)
    for _ in range(7):
        plant.hour(USUAL_BPS + 6.0)
    plant.settle(0.0001)
    for _ in range(9):
        plant.hour(USUAL_BPS + 6.0)
        assert plant.rule.exit_due(SHORT) == "funding_normal"
    plant.hour(USUAL_BPS + 6.0)
    plant.hour(USUAL_BPS + 6.0)
    assert plant.rule.exit_due(SHORT) is None
