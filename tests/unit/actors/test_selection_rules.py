"""Selection rules: scores, cooldowns, rests and mandate rows; the original's golden vectors hold."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from actors.enable_map import EnableMap
from actors.selection_rules import CooldownBook, MandateRules, ScoreBook, heuristic_score, trade_score
from risk.vocabulary import LONG, MINUTE_NS, Bar, RefusalReason, RegimeLabel, Trade

KEY = ("breakout_4h", "BTC-USDT.TEST")
BAR = 5 * MINUTE_NS
T0 = 1000 * BAR


def enable_map(**changes: object) -> EnableMap:
    base = {"regimes": {"trend_up": {"breakout_4h": ["long"]}, "panic": {"funding_reversion": ["short"]}}}
    return EnableMap.model_validate(base | changes)


def trade(r: float, ts: int = T0) -> Trade:
    return Trade(
        0, ts, "t", *KEY, LONG, 1.0, 100.0, 100.0 + r, r, 0.0, 0.0, 0.0, r, 1.0, r, "stop"
    )  # fmt: skip


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_golden_strategy_scorer(shared_dir: Path) -> None:
    for case in read(shared_dir / "golden" / "strategy_scorer.jsonl"):
        given = case["input"]
        score = heuristic_score(given["return_lag"], given["volatility"], "range" in given["strategy"])
        assert score == pytest.approx(case["output"], rel=1e-9, abs=1e-12)


def test_golden_cooldown(shared_dir: Path) -> None:
    for case in read(shared_dir / "golden" / "cooldown.jsonl"):
        bars = case["input"]["cooldown_bars"]
        book, seen, allowed, left = CooldownBook(bars, 0), Counter(), [], {}
        for name in case["input"]["calls"]:
            key = (name, "X")
            now = T0 + seen[name] * BAR  # the original counts a strategy's own calls, one a bar
            seen[name] += 1
            free = now >= book.until_ns(key)
            if free:
                book.entered(key, now, 5)
            allowed.append(free)
            left[name] = max(0, (book.until_ns(key) - 1 - now) // BAR) if bars else 0
        assert allowed == case["output"]["allowed"]
        assert left == case["output"]["remaining"]


def test_signals_one_to_three_bars_after_an_entry_are_blocked_and_the_fourth_is_not() -> None:
    book = CooldownBook(3, 12)
    book.entered(KEY, T0, 5)
    assert [T0 + n * BAR < book.until_ns(KEY) for n in (1, 2, 3, 4)] == [True, True, True, False]


def test_a_fill_inside_a_bar_still_blocks_three_bars() -> None:
    book = CooldownBook(3, 12)
    book.entered(KEY, T0 - BAR // 2, 5)
    assert [T0 + n * BAR < book.until_ns(KEY) for n in (0, 1, 2, 3)] == [True, True, True, False]


def test_the_second_loss_in_a_row_blocks_twelve_bars_from_its_close() -> None:
    book = CooldownBook(3, 12)
    assert not book.closed(KEY, T0, 5, -0.1)
    assert book.until_ns(KEY) == 0
    assert book.closed(KEY, T0 + BAR, 5, -0.1)
    assert T0 + 13 * BAR < book.until_ns(KEY) <= T0 + 14 * BAR


def test_a_win_resets_the_losses_and_so_does_serving() -> None:
    book = CooldownBook(3, 12)
    assert not book.closed(KEY, T0, 5, -0.1)
    assert not book.closed(KEY, T0, 5, 0.0)
    assert not book.closed(KEY, T0, 5, -0.1)
    assert book.closed(KEY, T0, 5, -0.1)
    assert not book.closed(KEY, T0, 5, -0.1)


def test_cooldowns_of_other_instruments_and_strategies_are_their_own() -> None:
    book = CooldownBook(3, 12)
    book.entered(KEY, T0, 5)
    assert book.until_ns((KEY[0], "ETH")) == 0
    assert book.until_ns(("other", KEY[1])) == 0


def test_state_of_the_books_survives() -> None:
    book, scores = CooldownBook(3, 12), ScoreBook(enable_map(min_score=0.0))
    book.entered(KEY, T0, 5)
    book.closed(KEY, T0, 5, -1.0)
    for r in (1.0, -1.0, 0.5, -0.5, 0.25):
        scores.add_trade(trade(r))
    scores.rested_until_ns(KEY, T0, 5, -1.0)
    again, scores_again = CooldownBook(3, 12), ScoreBook(enable_map(min_score=0.0))
    again.load(json.loads(json.dumps(book.state())))
    scores_again.load(json.loads(json.dumps(scores.state())))
    assert again.state() == book.state()
    assert scores_again.score(KEY, 5, False) == scores.score(KEY, 5, False)
    assert scores_again.rested_until_ns(KEY, T0, 5, None) == scores.rested_until_ns(KEY, T0, 5, None) > T0


def test_the_score_uses_trades_when_there_are_five_and_closes_before() -> None:
    scores = ScoreBook(enable_map())
    assert scores.score(KEY, 5, False) is None
    for k in range(31):
        close = 100.0 * 1.01**k
        scores.add_bars({5: (Bar(KEY[1], 5, T0 + k * BAR, close, close, close, close, 1.0),)})
    change = 1.01**20 - 1
    assert scores.score(KEY, 5, False) == pytest.approx(change)
    assert scores.score(KEY, 5, True) == pytest.approx(-change)
    for r in (1.0, 1.0, 1.0, 1.0):
        scores.add_trade(trade(r))
    assert scores.score(KEY, 5, False) == pytest.approx(change)
    scores.add_trade(trade(1.0))
    assert scores.score(KEY, 5, True) == 1.0


def test_the_trade_score_is_mean_less_half_a_standard_deviation() -> None:
    assert trade_score([1.0, -1.0]) == pytest.approx(-0.5)


def test_a_score_below_the_floor_rests_the_strategy() -> None:
    scores = ScoreBook(enable_map(min_score=0.0, rest_bars=12))
    assert scores.rested_until_ns(KEY, T0, 5, 0.0) == 0
    until = scores.rested_until_ns(KEY, T0, 5, -0.01)
    assert until == T0 + 12 * BAR + 1
    assert scores.rested_until_ns(KEY, T0 + BAR, 5, 5.0) == until


def test_without_a_floor_nobody_rests() -> None:
    assert ScoreBook(enable_map()).rested_until_ns(KEY, T0, 5, -99.0) == 0


@pytest.mark.parametrize(
    ("regime", "strategy", "reason"),
    [
        (RegimeLabel.TREND_UP, "breakout_4h", None),
        (RegimeLabel.PANIC, "breakout_4h", RefusalReason.REGIME_OFF),
        (RegimeLabel.UNKNOWN, "breakout_4h", RefusalReason.NOT_WARM),
        (RegimeLabel.PANIC, "funding_reversion", RefusalReason.STRATEGY_DISABLED),
    ],
)
def test_mandate_rows(regime: RegimeLabel, strategy: str, reason: RefusalReason | None) -> None:
    rules = MandateRules(enable_map(disabled=["funding_reversion"]))
    rules.row(regime, strategy, score=0.5, rested_until_ns=3, cooldown_until_ns=4)
    row = rules.row(regime, strategy, score=None, rested_until_ns=1, cooldown_until_ns=2)
    assert (row.reason, row.allowed) == (reason, reason is None)
    assert (row.score, row.rested_until_ns, row.cooldown_until_ns) == (None, 1, 2)
    assert row.sides == ((LONG,) if reason is None else ())
