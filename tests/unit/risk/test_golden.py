"""The original system's sound formulas: its recorded inputs and outputs hold through our public functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from risk.correlation import CorrelationBook
from risk.drawdown import guard_drawdown
from risk.portfolio import Exposure, PortfolioController
from risk.settings import RiskSettings
from risk.sizing import position_sizer, risk_budget_pct, size_position
from risk.stops import plan_stops
from risk.vocabulary import TradingState

SIDES = {"long": 1, "short": -1, "flat": 0}
SECOND_NS = 1_000_000_000
Close = Callable[[Any, Any], bool]


def close(found: Any, expected: Any) -> bool:
    """Compare numbers with rel 1e-9 and abs 1e-12, containers item by item, anything else exactly."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close(found[k], expected[k]) for k in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(close, found, expected))
    if isinstance(expected, float) and not isinstance(found, bool):
        return bool(found == pytest.approx(expected, rel=1e-9, abs=1e-12))
    return bool(found == expected)


def governance(values: dict[str, Any]) -> RiskSettings:
    unused = {"losing_streak_lookback"}
    return RiskSettings(**{k: v for k, v in values.items() if k not in unused})


def budget(case: dict[str, Any]) -> float:
    return risk_budget_pct(TradingState(**case["state"]), governance(case["settings"]))


def size(case: dict[str, Any]) -> float:
    return size_position(
        SIDES[case["side"]],
        case["entry_price"],
        case["stop_loss"],
        TradingState(**case["state"]),
        governance(case["settings"]),
        atr=case["atr"],
    )


def stops(case: dict[str, Any]) -> dict[str, float | None]:
    planned = plan_stops(
        SIDES[case["side"]],
        case["price"],
        case["atr"],
        RiskSettings(take_atr=3.0),
        case["stop_loss"],
        case["take_profit"],
    )
    return {"stop_loss": planned.stop, "take_profit": planned.take}


def drawdown(case: dict[str, Any]) -> bool:
    limits = RiskSettings(
        max_daily_loss_pct=case["max_daily_loss_pct"],
        kill_switch_drawdown_72h=case["kill_switch_drawdown_72h"],
    )
    return guard_drawdown(case["daily_pnl_pct"], case["trailing_drawdown_72h_pct"], limits)


def sizer(case: dict[str, Any]) -> float:
    return position_sizer(case["confidence"], case["atr"])


def portfolio(case: dict[str, Any]) -> dict[str, Any]:
    limits = case["limits"]
    settings = RiskSettings(
        max_portfolio_r_pct=limits["max_portfolio_r_pct"],
        max_per_trade_r_pct=limits["max_concurrent_r_pct"],
        max_gross_exposure_pct=limits["max_gross_exposure_pct"],
        max_net_exposure_pct=limits["max_net_exposure_pct"],
        max_abs_correlation=limits["max_abs_correlation"],
        max_high_corr_positions=limits["max_high_corr_positions"],
        safe_mode_min_multiplier=limits["safe_mode_r_multiplier"],
        correlation_refresh_s=limits["correlation_refresh_seconds"],
        safe_mode_action=limits["safe_mode_action"],
    )
    controller = PortfolioController(
        settings, CorrelationBook(settings), signed=False, with_candidate=False, unknown_counts=False
    )
    now, results = 1_700_000_000 * SECOND_NS, []
    for op in case["ops"]:
        match op["op"]:
            case "begin":
                results.append(controller.begin_cycle(op["risk"], op["gross"], op["net"]))
            case "reg":
                results.append(
                    controller.register(Exposure(op["symbol"], op["dir"], op["r"], op["notional"]))
                )
            case "can":
                candidate = Exposure(op["symbol"], op["dir"], op["r"], op["notional"])
                results.append(controller.can_allocate(candidate))
            case "corr":
                stored = controller.update_correlation(op["a"], op["b"], op["value"], now)
                results.append({"stored": stored})
            case "tick":
                now += op["seconds"] * SECOND_NS
                results.append(None)
    found = controller.concentration()
    return {
        "results": results,
        "safe_mode": found.active,
        "strength": found.largest,
        "multiplier": found.multiplier,
        "risk_cap_pct": found.cap_pct,
        "current_risk_pct": controller.risk_pct,
        "gross_pct": controller.gross_pct,
        "net_pct": controller.net_pct,
    }


RUNS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "risk_budget_pct": budget,
    "size_position": size,
    "position_sizer": sizer,
    "stop_planner": stops,
    "dd_guard": drawdown,
    "portfolio": portfolio,
}


@pytest.mark.parametrize("name", list(RUNS))
def test_golden_vectors_hold(name: str, shared_dir: Path) -> None:
    lines = (shared_dir / "golden" / f"{name}.jsonl").read_text().splitlines()
    assert len(lines) >= 50
    wrong = []
    for number, line in enumerate(lines, 1):
        case = json.loads(line)
        found = RUNS[name](case["input"])
        if not close(found, case["output"]):
            wrong.append(f"line {number}: {found} != {case['output']} ({case['note']})")
    assert not wrong, "\n".join(wrong[:5])
