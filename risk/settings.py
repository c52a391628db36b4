"""Governance limits of the risk room: one frozen model from `governance.yaml`, never changed in a run."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class RiskSettings(BaseModel):
    """Hard limits (LOCKED).  `_pct` values are percent of equity: 0.8 means 0.8 %."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, allow_inf_nan=False)

    per_trade_r_pct_base: float = Field(0.8, gt=0, lt=5)
    risk_bonus_threshold_pct: float = Field(0.5, ge=0, le=5)
    risk_bonus_add: float = Field(0.3, ge=0, le=5)
    max_per_trade_r_pct: float = Field(1.1, gt=0, lt=5)
    min_r_pct_floor: float = Field(0.25, gt=0, lt=5)
    max_daily_loss_pct: float = Field(1.8, gt=0, lt=10)
    kill_switch_drawdown_72h: float = Field(3.5, gt=0, lt=10)
    leverage_cap: float = Field(3.0, gt=0, le=10)
    volatility_threshold: float = Field(0.04, gt=0, lt=1)
    volatility_risk_step: float = Field(0.2, gt=0, lt=1)
    losing_streak_step: float = Field(0.1, ge=0, lt=1)
    losing_streak_max: float = Field(0.5, ge=0, lt=1)
    max_cost_r: float = Field(0.35, gt=0, le=5)
    max_portfolio_r_pct: float = Field(1.5, gt=0, lt=10)
    max_gross_exposure_pct: float = Field(300.0, gt=0, le=1000)
    max_net_exposure_pct: float = Field(150.0, gt=0, le=1000)
    max_abs_correlation: float = Field(0.65, gt=0, lt=1)
    max_high_corr_positions: int = Field(2, ge=1, le=20)
    safe_mode_action: Literal["reduce", "block"] = "reduce"
    safe_mode_min_multiplier: float = Field(0.5, gt=0, le=1)
    correlation_window_bars: int = Field(288, ge=20, le=5000)
    correlation_refresh_s: int = Field(1800, ge=0, le=86_400)
    cooling_period_minutes: int = Field(60, ge=0, le=360)
    max_slippage_bps: float = Field(15.0, gt=0, le=500)
    latency_bps: float = Field(1.0, ge=0, le=50)
    impact_bps: float = Field(10.0, ge=0, le=500)  # times sqrt(notional / bar quote volume)
    max_bar_volume_fraction: float = Field(0.02, gt=0, le=1)
    max_slices: int = Field(5, ge=1, le=20)
    stop_atr: float = Field(1.2, gt=0, le=20)
    take_atr: float = Field(2.5, gt=0, le=50)
    stale_bars: int = Field(3, ge=1, le=100)
    shrink_to_fit: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> RiskSettings:
        if self.max_per_trade_r_pct < self.per_trade_r_pct_base:
            raise ValueError(
                f"max_per_trade_r_pct was {self.max_per_trade_r_pct}, expected at least "
                f"per_trade_r_pct_base ({self.per_trade_r_pct_base})"
            )
        if self.min_r_pct_floor > self.per_trade_r_pct_base:
            raise ValueError(
                f"min_r_pct_floor was {self.min_r_pct_floor}, expected at most "
                f"per_trade_r_pct_base ({self.per_trade_r_pct_base})"
            )
        return self
