"""The checker: an honest run passes, and every kind of forgery fails the check that is meant for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crupto_nautilus.reports.build import build_report
from crupto_nautilus.reports.checks.base import Check, Context
from crupto_nautilus.reports.run_folder import RunFolder
from crupto_nautilus.reports.verify import CHECKS, run_hash, verify_run
from risk.vocabulary import HOUR_NS, MINUTE_NS
from tests.fakes.runs import make_run, tamper
from tests.fakes.tiny_desk import TinyDesk
from tests.fakes.tiny_market import START_NS

Frame = pd.DataFrame
Copy = Callable[[], RunFolder]


def test_honest_run_passes_every_check(made_run: RunFolder) -> None:
    report = verify_run(made_run)
    assert report.violations == ()
    assert report.ok
    assert json.loads(json.dumps(report.to_json()))["ok"]


@pytest.fixture(scope="module")
def check_of(made_run: RunFolder) -> dict[str, Callable[[Context], Check]]:
    """Every check by its name."""
    return {check(Context(made_run)).name: check for check in CHECKS}


def test_quiet_run_passes_too(tmp_path: Path) -> None:
    assert verify_run(make_run(tmp_path, desk=TinyDesk(days=2, signal_rate=0.0))).ok


Where = Callable[[Frame], pd.Series]
Forge = Callable[[Frame], Frame]


def everywhere(frame: Frame) -> pd.Series:
    return pd.Series(True, index=frame.index)


def last(frame: Frame) -> pd.Series:
    return pd.Series(frame.index == frame.index[-1], index=frame.index)


def approved(frame: Frame) -> pd.Series:
    return frame["approved"]


def refused(frame: Frame) -> pd.Series:
    return ~frame["approved"]


def filled(frame: Frame) -> pd.Series:
    return frame["filled"] > 0


def row_of(frame: Frame, where: Where) -> int:
    """The first row that matches."""
    return int(frame.index[where(frame).to_numpy()][0])


def having(**values: object) -> Where:
    def where(frame: Frame) -> pd.Series:
        mask = everywhere(frame)
        for name, value in values.items():
            mask &= frame[name] == value
        return mask

    return where


def put(where: Where = everywhere, **values: object) -> Forge:
    """Change cells of the first row that matches; a function gets the old value."""

    def change(frame: Frame) -> Frame:
        row = row_of(frame, where)
        for name, value in values.items():
            frame.loc[row, name] = value(frame.loc[row, name]) if callable(value) else value
        return frame

    return change


def plus(amount: float) -> Callable[[float], float]:
    return lambda old: old + amount


def times(factor: float) -> Callable[[float], float]:
    return lambda old: old * factor


def without(where: Where = everywhere) -> Forge:
    return lambda frame: frame.drop(index=row_of(frame, where)).reset_index(drop=True)


def twice(where: Where = everywhere) -> Forge:
    def change(frame: Frame) -> Frame:
        return in_order(pd.concat([frame, frame.loc[[row_of(frame, where)]]], ignore_index=True))

    return change


def in_order(frame: Frame) -> Frame:
    return frame.sort_values("ts_event", kind="stable").assign(seq=0)


def moved(ns: int, where: Where = everywhere) -> Forge:
    return lambda frame: in_order(put(where, ts_event=plus(ns))(frame))


RECORD = {
    "a row out of order": ("fills", lambda f: f.iloc[[1, 0, *range(2, len(f))]], "times"),
    "recording order that goes back": ("fills", put(having(role="stop"), seq=1), "times"),
    "an event after the end": ("equity", put(last, ts_event=plus(HOUR_NS)), "times"),
    "a signal without an answer": ("decisions", without(refused), "answers"),
    "two answers to a signal": ("decisions", twice(), "answers"),
    "two signals in one": ("signals", twice(), "answers"),
    "an answer without a signal": ("signals", without(), "answers"),
    "an answer to another side": ("decisions", put(side=9), "answers"),
    "a refusal without a reason": ("decisions", put(refused, reason=""), "answers"),
    "an invented reason": ("decisions", put(refused, reason="BAD_MOOD"), "answers"),
    "an entry that never ended": ("entries", without(), "answers"),
    "an entry that ended twice": ("entries", twice(), "answers"),
    "a refusal traded after all": ("decisions", put(approved, approved=False), "traces"),
    "a fill of an unknown trace": ("fills", put(trace_id="nobody"), "traces"),
    "an order of another strategy": ("orders", put(strategy="other"), "traces"),
    "an order before its approval": ("decisions", moved(HOUR_NS, approved), "traces"),
}

LIMITS = {
    "more risk than a trade may take": ("decisions", put(approved, risk_usd=4.0), "limits at approval"),
    "a percentage that is not the money": ("decisions", put(approved, risk_pct=0.1), "limits at approval"),
    "risk that the stop alone exceeds": (
        "decisions",
        put(approved, risk_usd=0.1, risk_pct=0.1 / 3),
        "limits at approval",
    ),
    "more risk than the cap": ("decisions", put(approved, reserved_risk_pct=1.6), "limits at approval"),
    "a cap above governance": ("decisions", put(approved, effective_cap_pct=2.0), "limits at approval"),
    "a leverage above the cap": ("decisions", put(approved, notional_usd=1000.0), "limits at approval"),
    "gross above the limit": ("decisions", put(approved, gross_pct=301.0), "limits at approval"),
    "net above the limit": ("decisions", put(approved, net_pct=-151.0), "limits at approval"),
    "costs above the gate": ("decisions", put(approved, cost_r=0.4), "limits at approval"),
    "slippage above the gate": (
        "decisions",
        put(approved, expected_slippage_bps=16.0),
        "limits at approval",
    ),
    "a stop that is no stop": ("decisions", put(approved, stop_price=times(3.0)), "limits at approval"),
    "hidden open risk": ("decisions", put(approved, reserved_risk_pct=0.0), "limits at approval"),
    "hidden exposure": ("decisions", put(approved, gross_pct=1.0, net_pct=1.0), "limits at approval"),
    "hidden gross exposure": ("decisions", put(approved, gross_pct=1.0), "limits at approval"),
    "an approval without its book": ("decisions", put(approved, equity=np.nan), "limits at approval"),
    "an entry above the gross limit": ("entries", put(filled, gross_pct=320.0), "limits at entry"),
    "an entry of another size": ("entries", put(filled, filled=plus(1.0)), "limits at entry"),
    "an entry at another price": ("entries", put(filled, average_price=plus(5.0)), "limits at entry"),
    "an entry without its book": ("entries", put(filled, net_pct=np.nan), "limits at entry"),
    "an entry without a fill": ("entries", put(lambda f: f["filled"] == 0, filled=1.0), "limits at entry"),
    "a sample that hides exposure": (
        "equity",
        put(lambda f: (f["gross_pct"] > 0) & (f["cause"] == "bar"), net_pct=0.0, gross_pct=0.0),
        "samples",
    ),
}

STATES = {
    "an entry during a halt": ("states", put(ts_event=START_NS + 1, mode="HALTED", seq=0), "desk state"),
    "a cooling that lasts": ("states", put(having(mode="ACTIVE"), cooling_until_ns=2**62), "desk state"),
    "locks that were never set": ("states", lambda f: f.iloc[:0], "loss limits"),
    "a drawdown that is understated": (
        "equity",
        put(lambda f: f["drawdown_72h_pct"] < -2, drawdown_72h_pct=0.0),
        "loss limits",
    ),
}

STOPS = {
    "a stop that was never accepted": ("orders", without(having(role="stop", action="accepted")), "stops"),
    "a stop that the desk did not know of": ("protections", without(), "stops"),
    "a stop for less than the position": ("protections", put(quantity=1e-9), "stops"),
    "a stop at another price": ("protections", put(stop_price=plus(1.0)), "stops"),
    "a stop that comes too late": ("protections", moved(16 * MINUTE_NS), "stops"),
    "a stop that was taken away": (
        "orders",
        put(having(role="stop", action="updated"), action="canceled"),
        "stops",
    ),
}

ORDERS = {
    "a fill without an order": ("orders", without(having(role="entry", action="submit")), "fills"),
    "a fill before its order": ("orders", moved(HOUR_NS, having(role="entry", action="submit")), "fills"),
    "a fill larger than its order": ("fills", put(quantity=times(10)), "fills"),
    "a fill off the step": ("fills", put(quantity=plus(-0.000031)), "fills"),
    "a fill off the tick": ("fills", put(price=plus(0.00037)), "fills"),
    "a sale below its limit": ("fills", put(having(role="target_1", side=-1), price=times(0.5)), "fills"),
    "a purchase above its limit": ("fills", put(having(role="target_1", side=1), price=times(2)), "fills"),
    "a fill of another side": ("fills", put(side=lambda old: -old), "fills"),
    "a fill of an unknown instrument": ("fills", put(instrument="XUSDT-PERP.BINANCE"), "fills"),
    "a negative fee": ("fills", put(fee=-1.0), "fills"),
    "an order sent twice": ("orders", twice(), "fills"),
    "more entered than approved": ("decisions", put(approved, quantity=times(0.5)), "fills"),
    "an exit that is not reduce-only": (
        "orders",
        put(having(role="stop", action="submit"), reduce_only=False),
        "exits reduce only",
    ),
    "an exit on the position's side": (
        "orders",
        put(having(role="stop", action="submit"), side=lambda old: -old),
        "exits reduce only",
    ),
}

MONEY = {
    "a second exit of a closed position": ("fills", twice(having(role="stop")), "bookings"),
    "funding at another rate": ("funding", put(rate=plus(0.01)), "bookings"),
    "equity that is not its parts": ("equity", put(equity=plus(0.001)), "equity"),
    "a balance that is not of the fills": ("equity", put(balance=plus(1), equity=plus(1)), "equity"),
    "a margin that is not of the positions": ("equity", put(margin=plus(1)), "equity"),
    "PnL of nothing": (
        "equity",
        put(having(margin=0.0), unrealised_pnl=plus(1), equity=plus(1)),
        "equity",
    ),
    "a fee that was hidden": ("fills", put(fee=0.0), "equity"),
    "a liquidation that was none": ("fills", put(having(role="stop"), liquidation_usd=5.0), "liquidations"),
    "a liquidation charged in full": (
        "fills",
        put(having(role="stop", side=-1), price=times(0.5)),
        "liquidations",
    ),
    "a losing trade left out": ("trades", without(lambda f: f["net_usd"] < 0), "trades"),
    "a trade made better": ("trades", put(net_usd=plus(1)), "trades"),
    "an R made better": ("trades", put(r=plus(0.5)), "trades"),
    "a risk made larger": ("trades", put(risk_usd=plus(1)), "trades"),
    "a trade that never was": ("trades", lambda f: pd.concat([f, f.tail(1).assign(trace_id="x")]), "trades"),
    "an equity curve lifted at its end": (
        "equity",
        put(last, equity=plus(1), unrealised_pnl=plus(1)),
        "change of equity",
    ),
}

FORGERIES: dict[str, tuple[str, Forge, str]] = RECORD | LIMITS | STATES | STOPS | ORDERS | MONEY


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_run_fails_the_check_meant_for_it(
    forgery: str, copy_run: Copy, check_of: dict[str, Callable[[Context], Check]]
) -> None:
    table, change, name = FORGERIES[forgery]
    found = check_of[name](Context(tamper(copy_run(), table, change)))
    assert found.violations
    assert not found.ok


def test_one_forged_row_fails_the_run(copy_run: Copy) -> None:
    report = verify_run(tamper(copy_run(), "trades", put(net_usd=plus(1))))
    assert [check.name for check in report.checks if not check.ok] == ["trades", "change of equity"]
    assert report.violations[0].startswith("trades: ")
    assert not report.ok


def test_table_changed_without_its_hash_is_found(copy_run: Copy) -> None:
    folder = copy_run()
    recorded = (folder.path / "run.json").read_text()
    tamper(folder, "fills", put(fee=plus(-0.001)))
    (folder.path / "run.json").write_text(recorded)
    assert "sha256" in verify_run(RunFolder(folder.path)).check("files").violations[0]


def test_table_without_a_record_is_found(copy_run: Copy) -> None:
    folder = copy_run()
    run = json.loads((folder.path / "run.json").read_text())
    del run["tables"]["calls"]
    (folder.path / "run.json").write_text(json.dumps(run))
    assert not verify_run(RunFolder(folder.path)).check("files").ok


def test_unreadable_table_is_answered_and_nothing_else(copy_run: Copy) -> None:
    folder = copy_run()
    (folder.path / "fills.parquet").write_bytes(b"nonsense")
    report = verify_run(RunFolder(folder.path))
    assert [check.name for check in report.checks] == ["files"]
    assert not report.ok


def test_limits_that_are_no_limits_are_answered(copy_run: Copy) -> None:
    folder = copy_run()
    run = json.loads((folder.path / "run.json").read_text())
    run["limits"]["leverage_cap"] = 100
    (folder.path / "run.json").write_text(json.dumps(run))
    report = verify_run(RunFolder(folder.path))
    assert not report.check("governance").ok
    with pytest.raises(KeyError):
        report.check("nope")


def test_wider_limits_in_the_record_do_not_hide_narrower_ones(copy_run: Copy) -> None:
    folder = copy_run()
    run = json.loads((folder.path / "run.json").read_text())
    run["limits"]["max_net_exposure_pct"] = 5.0
    (folder.path / "run.json").write_text(json.dumps(run))
    report = verify_run(RunFolder(folder.path))
    assert not report.check("limits at approval").ok
    assert not report.check("limits at entry").ok
    assert report.check("drift").notes


def test_summary_that_says_more_than_the_tables_is_found(copy_run: Copy) -> None:
    folder = copy_run()
    build_report(folder.path)
    summary = json.loads((folder.path / "summary.json").read_text())
    summary["sharpe"] = 3.5
    summary["strategies"]["breakout_4h"]["trades"] += 1
    (folder.path / "summary.json").write_text(json.dumps(summary))
    found = verify_run(RunFolder(folder.path)).check("summary").violations
    assert [text.split(":")[0] for text in found] == ["sharpe", "strategies.breakout_4h.trades"]
    (folder.path / "summary.json").write_text("{")
    assert not verify_run(RunFolder(folder.path)).check("summary").ok


def test_drift_is_listed_with_its_cause_and_breaks_nothing(copy_run: Copy) -> None:
    def lift(frame: Frame) -> Frame:
        frame.loc[frame["cause"] == "bar", "gross_pct"] += 400.0
        return frame

    check = verify_run(tamper(copy_run(), "equity", lift)).check("drift")
    assert check.ok
    assert any("gross exposure up to" in note for note in check.notes)


def test_approval_on_top_of_drift_is_a_violation(copy_run: Copy) -> None:
    folder = copy_run()
    decisions = folder.table("decisions")
    ts = int(decisions[decisions["approved"]]["ts_event"].iloc[5])

    def lift(frame: Frame) -> Frame:
        row = frame.iloc[[0]].assign(ts_event=ts, gross_pct=400.0, seq=0)
        return pd.concat([frame, row]).sort_values("ts_event", kind="stable").assign(seq=0)

    check = verify_run(tamper(folder, "equity", lift)).check("drift")
    assert "while gross exposure" in check.violations[0]


def test_same_seed_gives_the_same_hash_and_another_run_id_changes_nothing(tmp_path: Path) -> None:
    first = make_run(tmp_path, "first", TinyDesk(days=5))
    second = make_run(tmp_path, "second", TinyDesk(days=5))
    other = make_run(tmp_path, "other", TinyDesk(days=5, seed=8))
    assert run_hash(first) == run_hash(second) != run_hash(other)


@pytest.mark.parametrize(
    ("table", "column"),
    [("signals", "confidence"), ("decisions", "detail"), ("fills", "price"), ("equity", "equity")],
)
def test_hash_changes_with_every_hashed_table(table: str, column: str, copy_run: Copy) -> None:
    folder = copy_run()
    before = run_hash(folder)
    text = folder.table(table)[column].dtype.kind not in "if"
    assert run_hash(tamper(folder, table, put(**{column: "other" if text else 1.5}))) != before


def test_hash_ignores_order_ids_and_the_venues_clock(copy_run: Copy) -> None:
    folder = copy_run()
    before = run_hash(folder)
    assert (
        run_hash(tamper(folder, "fills", lambda f: f.assign(client_order_id="x", ts_venue=0, seq=0)))
        == before
    )
