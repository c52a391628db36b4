"""Which strategy may speak: regimes with hysteresis, panic, cooldowns, rests, switches."""

from __future__ import annotations

from pathlib import Path

from risk.vocabulary import LONG, SHORT, EntryStyle, RegimeLabel
from tests.fakes.scenario import BO, FR, RR, VE, Scenario, ScenarioRun, scripted, wish
from tests.fakes.scenario_market import Past, Tape

REGIME_OFF, DIRECTION_OFF, COOLDOWN, RESTED = "REGIME_OFF", "DIRECTION_OFF", "COOLDOWN", "RESTED"
HOUR = 4  # bars


def alone(folder: Path, bars: tuple[int, ...], tape: Tape, **changes: object) -> ScenarioRun:
    """Play breakout_4h in SOL with the same long signal at some bars."""
    setup = changes.pop("setup", wish(LONG))
    rules = scripted(BO, {("SOL", k): setup for k in bars})  # type: ignore[misc]
    return Scenario({"SOL": tape}, [rules], **changes).play(folder)  # type: ignore[arg-type]


# --- regimes ----------------------------------------------------------------------------------------------


def everyone(folder: Path, tape: Tape, bars: tuple[int, ...], past: str) -> ScenarioRun:
    """Play all four strategies, long and (a bar later) short, under the default enable map."""
    rules = [
        scripted(
            name,
            {("SOL", k): wish(LONG, time_stop_bars=1) for k in bars}
            | {("SOL", k + 4): wish(SHORT, time_stop_bars=1) for k in bars},
        )
        for name in (BO, VE, RR, FR)
    ]
    return Scenario(
        {"SOL": tape},
        rules,
        past={"SOL": Past(past)},
        everything_allowed=False,
        governance={"max_portfolio_r_pct": 5.0},
    ).play(folder)


def answers(run: ScenarioRun, k: int) -> dict[str, tuple[str, str]]:
    """Return the reasons of long and short by strategy, shortened to off, turn and yes."""
    short = {REGIME_OFF: "off", DIRECTION_OFF: "turn"}
    both = {name: (run.reason("SOL", k, name), run.reason("SOL", k + 4, name)) for name in (BO, VE, RR, FR)}
    return {name: tuple(short.get(r, "yes") for r in pair) for name, pair in both.items()}  # type: ignore[misc]


def test_each_regime_lets_its_strategies_speak_in_its_directions(tmp_path: Path) -> None:
    table = {
        "quiet": (RegimeLabel.RANGE_LOWVOL, ("off", "off"), ("off", "off"), ("yes", "yes"), ("yes", "yes")),
        "wild": (RegimeLabel.RANGE_HIGHVOL, ("off", "off"), ("yes", "yes"), ("off", "off"), ("yes", "yes")),
        "up": (RegimeLabel.TREND_UP, ("yes", "turn"), ("yes", "yes"), ("off", "off"), ("off", "off")),
        "down": (RegimeLabel.TREND_DOWN, ("turn", "yes"), ("yes", "yes"), ("off", "off"), ("off", "off")),
    }
    for past, (label, *allowed) in table.items():
        run = everyone(tmp_path / past, Tape().hold(8), (2,), past)
        assert run.labels("SOL")[-1][1] is label
        assert answers(run, 2) == dict(zip((BO, VE, RR, FR), allowed, strict=True)), past


def test_a_new_regime_takes_effect_at_the_third_hour_in_a_row_that_says_it(tmp_path: Path) -> None:
    # A quiet range turns into a steep rise at the start; the label follows two hours after the raw one.
    tape = Tape()
    for _ in range(40):
        tape.to(*[round(tape.price * 1.0015, 2)] * 1)
    signals = tuple(range(2, 40, 4))
    run = alone(tmp_path, signals, tape, everything_allowed=False)
    raws = _raw_labels(run)
    first = next(hour for hour in sorted(raws) if raws[hour] is RegimeLabel.TREND_UP)
    assert all(raws[hour] is RegimeLabel.TREND_UP for hour in range(first, first + 3))
    assert raws[first - 1] is RegimeLabel.RANGE_LOWVOL or raws[first - 1] is RegimeLabel.RANGE_HIGHVOL
    (takes_effect,) = [bar for bar, label in run.labels("SOL") if label is RegimeLabel.TREND_UP]
    assert takes_effect == (first + 2) * HOUR
    before = [k for k in signals if k < takes_effect]
    assert run.reasons("SOL", *before) == [REGIME_OFF] * len(before)
    assert run.reason("SOL", next(k for k in signals if k >= takes_effect)) == ""


def _raw_labels(run: ScenarioRun) -> dict[int, RegimeLabel]:
    """Return what each hour of the run said by itself, from the bars of its own catalog."""
    from actors.regimes import raw_regimes
    from catalog.store import Catalog

    catalog = Catalog(run.folder.path.parents[1] / "catalog")
    bars = catalog.bars("SOL-USDT.TEST", 60)
    return {run.bar(r.ts_event) // HOUR: r.raw for r in raw_regimes("SOL-USDT.TEST", bars)}


def test_panic_is_immediate_holds_six_hours_and_the_map_refuses_all_but_funding(tmp_path: Path) -> None:
    tape = Tape().hold(4).to(98.0, 96.0, 94.0, 91.0).hold(56)
    bars = (4, *range(8, 60, 4))
    rules = [scripted(RR, {("SOL", k): wish(LONG, time_stop_bars=1) for k in bars})]
    rules.append(scripted(FR, {("SOL", 9): wish(LONG, time_stop_bars=1)}))
    run = Scenario({"SOL": tape}, rules, everything_allowed=False).play(tmp_path)
    labels = [(bar, label) for bar, label in run.labels("SOL") if bar > 0]
    assert labels[0] == (8, RegimeLabel.PANIC)
    raws = _raw_labels(run)
    last_panic = max(hour for hour, raw in raws.items() if raw is RegimeLabel.PANIC)
    # The fall of 9 % stays visible for 24 hours: each of them holds the panic anew.
    assert raws[2] is RegimeLabel.PANIC
    assert len(labels) == 1 or labels[1][0] >= (last_panic + 6) * HOUR
    refused = [run.reason("SOL", k, RR) for k in bars[1:]]
    assert refused == [REGIME_OFF] * len(refused)
    assert "in panic" in run.decision("SOL", 8, RR)["detail"]
    assert run.reason("SOL", 4, RR) == ""
    assert run.reason("SOL", 9, FR) == ""


def test_panic_never_closes_a_position(tmp_path: Path) -> None:
    tape = Tape().hold(4).to(98.0, 96.0, 94.0, 91.0).hold(8)
    rules = [scripted(RR, {("SOL", 2): wish(SHORT, 3.0, time_stop_bars=9)})]
    run = Scenario({"SOL": tape}, rules, everything_allowed=False).play(tmp_path)
    trade = run.trade("SOL")
    assert (8, RegimeLabel.PANIC) in run.labels("SOL")
    assert (run.bar(trade.ts_event), trade.exit_reason) == (11, "time_stop")


def test_a_panic_without_an_echo_holds_six_hours_of_its_own_and_ends(tmp_path: Path) -> None:
    # 4 standard deviations in one hour at a high rank of volatility: the hour after is calm again.
    tape = Tape().hold(4).to(99.0, 98.0, 97.0, 96.0).hold(48)
    run = alone(
        tmp_path, (8, 31, 32), tape, past={"SOL": Past("wild", size=0.0005)}, everything_allowed=False
    )
    raws = _raw_labels(run)
    assert [hour for hour, raw in raws.items() if raw is RegimeLabel.PANIC and hour > 0] == [2]
    labels = [(bar, label) for bar, label in run.labels("SOL") if bar > 0]
    assert [bar for bar, _ in labels] == [2 * HOUR, 8 * HOUR]
    assert labels[0][1] is RegimeLabel.PANIC
    assert labels[1][1] is raws[8]


# --- cooldowns --------------------------------------------------------------------------------------------


def test_three_bars_after_an_entry_are_refused_and_the_fourth_is_not(tmp_path: Path) -> None:
    quick = wish(LONG, time_stop_bars=1)
    run = alone(tmp_path, (2, 3, 4, 5, 6), Tape().hold(8), setup=quick)
    assert run.trade("SOL").exit_reason == "time_stop"
    assert run.reasons("SOL", 2, 3, 4, 5, 6) == ["", COOLDOWN, COOLDOWN, COOLDOWN, ""]


def test_a_cooldown_counts_bars_of_the_strategy_on_one_coin_and_gaps_too(tmp_path: Path) -> None:
    quick = wish(LONG, time_stop_bars=1)
    rules = [
        scripted(BO, {("SOL", 4): quick, ("SOL", 16): quick, ("SOL", 20): quick}, minutes=60),
        scripted(VE, {("SOL", 6): quick, ("BNB", 7): quick}),
    ]
    tapes = {"SOL": Tape().hold(8).silent(4).hold(10), "BNB": Tape().hold(22)}
    run = Scenario(tapes, rules, governance={"per_trade_r_pct_base": 0.3}).play(tmp_path)
    assert run.reason("SOL", 6, VE) == ""  # another strategy
    assert run.reason("BNB", 7, VE) == ""  # another coin
    assert run.reason("SOL", 16) == COOLDOWN  # three hours, one of them without bars
    assert run.reason("SOL", 20) == ""


def test_an_unfilled_entry_starts_no_cooldown(tmp_path: Path) -> None:
    resting = wish(LONG, style=EntryStyle.POST_ONLY)
    run = alone(tmp_path, (2, 4), Tape().hold(6), setup=resting)
    first = run.rows("entries")[0]
    assert (run.bar(first["ts_event"]), first["filled"], first["reason"]) == (3, 0.0, "expired")
    assert run.reasons("SOL", 2, 4) == ["", ""]


def losses(tape: Tape, *bars: int) -> Tape:
    """Let a long at 100 run into its stop a bar after each of some bars, and come back."""
    for k in bars:
        tape.hold(k - len(tape.rows)).to(98.9, 100.0)
    return tape


def test_the_second_loss_in_a_row_rests_a_strategy_for_twelve_bars(tmp_path: Path) -> None:
    signals = (2, 8, 13, 20, 21, 26)
    run = alone(tmp_path, signals, losses(Tape(), 2, 8).hold(20))
    assert [run.bar(t.ts_event) for t in run.rows("trades")[:2]] == [3, 9]
    # 12 bars from the close at bar 9: 21 is the last one refused; an entry's own 3 bars end at 11.
    assert run.reasons("SOL", *signals) == ["", "", COOLDOWN, COOLDOWN, COOLDOWN, ""]


def test_a_win_between_two_losses_starts_the_count_anew(tmp_path: Path) -> None:
    tape = losses(Tape(), 2).hold(4).to(102.2, 100.0)
    tape = losses(tape, 14).hold(8)
    setup = wish(LONG, targets_r=(2.0,))
    run = alone(tmp_path, (2, 8, 14, 20), tape, setup=setup)
    assert [t.exit_reason for t in run.rows("trades")] == ["stop", "target_2", "stop"]
    assert run.reasons("SOL", 2, 8, 14, 20) == ["", "", "", ""]


# --- rests and switches -----------------------------------------------------------------------------------


def test_a_poor_record_rests_a_strategy_for_twelve_bars(tmp_path: Path) -> None:
    # Two losses of 1 R: mean -1, no deviation.  Before, without trades, the heuristic is near 0.
    settings = {
        "min_score": -0.5,
        "rest_bars": 12,
        "score_min_trades": 2,
        "score_trades": 2,
        "cooldown_after_2_losses": 0,
    }
    signals = (2, 8, 13, 20, 21, 22)
    run = alone(tmp_path, signals, losses(Tape(), 2, 8).hold(16), enable_map=settings)
    # The rest that began with the trade closed at bar 9 ends after bar 21; the record is no better by then.
    assert run.reasons("SOL", *signals) == ["", "", RESTED, RESTED, RESTED, RESTED]
    assert [run.decision("SOL", k)["detail"] for k in (13, 20, 22)] == [
        "120 min left",
        "15 min left",
        "180 min left",
    ]


def test_a_strategy_switched_off_does_not_switch_off_the_others(tmp_path: Path) -> None:
    rules = [scripted(BO, {("SOL", 2): wish(LONG)}), scripted(VE, {("SOL", 2): wish(LONG)})]
    run = Scenario({"SOL": Tape().hold(4)}, rules, enable_map={"disabled": [BO]}).play(tmp_path)
    assert run.reason("SOL", 2, BO) == "STRATEGY_DISABLED"
    assert run.reason("SOL", 2, VE) == ""
