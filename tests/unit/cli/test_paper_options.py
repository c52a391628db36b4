"""Options of `crupto paper` and its live status: durations, what is refused, what a screen shows."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from crupto_nautilus.cli.paper_options import Duration, wall_limit_s
from crupto_nautilus.cli.status_view import line, screen
from crupto_nautilus.desk.state_words import what_still_happens
from crupto_nautilus.desk.status import DecisionStatus, DeskStatus, Limit, PositionStatus, ShadowStatus
from crupto_nautilus.errors import UsageError
from risk.vocabulary import HOUR_NS, DeskMode, DeskState, RefusalReason
from tests.unit.cli.conftest import Crupto

NOW = 1_748_000_000 * 10**9
STATUS = DeskStatus(
    run_id="june", feed="replay", ts_event=NOW, progress=0.4, wall_seconds=75.0, equity=9_876.5,
    pnl_usd=-123.5, pnl_pct=-1.235, virtual_asset="", trades=12, wins=5, cum_r=-1.5, fees_usd=10.0,
    slippage_usd=3.0, funding_usd=-0.5,
    limits=(Limit("day", 1.9, 1.8), Limit("72 h", 1.0, 3.5), Limit("risk", 0.7, 1.5),
            Limit("gross", 120.0, 300.0), Limit("net", 80.0, 150.0)),
    mode="REDUCE_ONLY", reason="DAILY_LOCK", detail="daily PnL -1.9 %", since_ns=NOW - HOUR_NS,
    happens="stops and targets work", safe_mode=True, regimes=(("BTCUSDT-PERP.BINANCE", "trend_up"),),
    positions=(PositionStatus("breakout_4h", "BTCUSDT-PERP.BINANCE", 1, 0.01, 100_000.0, 101_000.0, 99_000.0,
                              False, 10.0, 0.8),),
    pending=(("range_reversion_5m", "ETHUSDT-PERP.BINANCE", -1),),
    decisions=tuple(
        DecisionStatus(NOW, "breakout_4h", "BTCUSDT-PERP.BINANCE", 1, False, "COOLDOWN", f"{n} min left")
        for n in range(40)
    ),
    signals=40, approved=0, instants=1_000, bars=4_000, feed_age_s=0.4, alarms=1, last_alarm="drift: x",
    shadows=(ShadowStatus("cand-7", 12.0, 3, "ACTIVE", NOW),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"), [("8h", 28_800.0), ("90m", 5_400.0), ("30s", 30.0), ("1h30m", 5_400.0), ("45", 45.0)]
)
def test_durations_are_read_with_their_unit(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "8x", "h", "-5m", "0s", "8h rest"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no length of time"):
        Duration().convert(text, None, None)


def test_the_shorter_of_two_limits_counts() -> None:
    assert wall_limit_s(60.0, 30.0) == 30.0
    assert wall_limit_s(None, None) is None


def test_mock_feed_and_a_catalog_are_refused_together(crupto: Crupto, tmp_path: Path) -> None:
    outcome = crupto("paper", "--use-mock-feed", "--catalog", tmp_path, "--out", tmp_path)
    assert outcome.code == 2
    assert "one of the two" in outcome.err


def test_a_replay_without_data_names_the_mock_feed(crupto: Crupto, tmp_path: Path) -> None:
    outcome = crupto("paper", "--out", tmp_path)
    assert outcome.code == 2
    assert "--use-mock-feed" in outcome.err


def drawn(width: int, height: int, **changes: Any) -> list[str]:
    """Return the lines of a screen."""
    file = io.StringIO()
    status = dataclasses.replace(STATUS, **changes)
    Console(file=file, width=width, height=height).print(screen(status, width, height))
    return file.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (160, 50)])
def test_a_screen_fits_its_terminal_and_says_the_state_first(width: int, height: int) -> None:
    lines = drawn(width, height)
    assert len(lines) <= height
    assert max(len(text.rstrip()) for text in lines) <= width
    text = "\n".join(lines)
    for word in ("REDUCE_ONLY", "DAILY_LOCK", "stops and targets work", "9,876.50", "trend_up", "pending",
                 "99000 !", "COOLDOWN", "cand-7", "1 alarms"):  # fmt: skip
        assert word in text, word


def test_a_desk_that_warms_up_has_a_screen_too() -> None:
    text = "\n".join(
        drawn(80, 24, ts_event=0, feed_age_s=None, positions=(), pending=(), decisions=(), shadows=())
    )
    assert "warming up" in text
    assert "none yet" in text


def test_a_line_holds_what_a_log_needs() -> None:
    text = line(STATUS)
    for word in ("REDUCE_ONLY (DAILY_LOCK)", "equity 9,876.50 (-1.24 %)", "day -1.90 %", "risk 0.70/1.50 %",
                 "trades 12 (-1.50 R)", "feed 0.4 s", "cand-7 +12.00 (3)"):  # fmt: skip
        assert word in text, word


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (DeskState(NOW, DeskMode.ACTIVE), "entries and exits work"),
        (DeskState(NOW, DeskMode.ACTIVE, cooling_until_ns=NOW + HOUR_NS), "COOLING"),
        (DeskState(NOW, DeskMode.REDUCE_ONLY, RefusalReason.DAILY_LOCK), "until 00:00 UTC"),
        (DeskState(NOW, DeskMode.HALTED, RefusalReason.KILL_SWITCH, flatten=True), "closed at market"),
        (DeskState(NOW, DeskMode.HALTED, RefusalReason.OPERATOR_HALT), "stops and targets work"),
    ],
)
def test_each_state_says_what_still_happens(state: DeskState, words: str) -> None:
    assert words in what_still_happens(state, NOW, "june")
