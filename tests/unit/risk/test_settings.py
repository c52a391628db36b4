"""Governance limits are frozen, bounded and consistent with each other."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from risk.settings import RiskSettings


def test_limits_cannot_be_written() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RiskSettings().max_daily_loss_pct = 9.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"max_per_trade_r_pct": 0.5}, "at least per_trade_r_pct_base"),
        ({"min_r_pct_floor": 0.9}, "at most per_trade_r_pct_base"),
        ({"max_daily_loss_pct": math.nan}, "finite number"),
        ({"leverage_cap": math.inf}, "finite number"),
        ({"max_abs_correlation": 1.0}, "less than 1"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_limits_that_make_no_sense_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RiskSettings(**values)
