"""Which setting stands behind a refusal, with the value it had in the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crupto_nautilus.reports.facts import RunFacts

# Reason -> settings as `file.key`; `symbols` values are those of the defaults.
_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "KILL_SWITCH": ("governance.kill_switch_drawdown_72h",),
    "DAILY_LOCK": ("governance.max_daily_loss_pct",),
    "COOLING": ("governance.cooling_period_minutes",),
    "STRATEGY_DISABLED": ("enable_map.disabled",),
    "REGIME_OFF": ("enable_map.regimes", "enable_map.min_bars_hold"),
    "DIRECTION_OFF": ("enable_map.regimes",),
    "RESTED": ("enable_map.min_score", "enable_map.rest_bars"),
    "COOLDOWN": ("enable_map.cooldown_bars", "enable_map.cooldown_after_2_losses"),
    "NO_RISK_LEFT": (
        "governance.min_r_pct_floor", "governance.per_trade_r_pct_base", "governance.max_portfolio_r_pct",
    ),
    "COST_TOO_HIGH": ("governance.max_cost_r",),
    "PER_TRADE_CAP": ("governance.max_per_trade_r_pct",),
    "PORTFOLIO_CAP": ("governance.max_portfolio_r_pct",),
    "GROSS_EXPOSURE": ("governance.max_gross_exposure_pct", "governance.leverage_cap"),
    "NET_EXPOSURE": ("governance.max_net_exposure_pct",),
    "CORRELATED": ("governance.max_abs_correlation", "governance.max_high_corr_positions"),
    "SAFE_MODE": ("governance.safe_mode_action", "governance.max_abs_correlation"),
    "SPREAD_TOO_WIDE": ("symbols.defaults.max_spread_pct",),
    "ILLIQUID": ("symbols.defaults.min_liquidity_usd", "governance.max_bar_volume_fraction"),
    "SLIPPAGE_TOO_HIGH": ("governance.max_slippage_bps",),
}  # fmt: skip


def settings_of(reason: str, facts: RunFacts) -> str:
    """Return the settings of a reason with their values in the run; empty where none is behind it."""
    return ", ".join(_shown(key, facts) for key in _SETTINGS.get(reason, ()))


def setting(key: str, facts: RunFacts) -> Any:
    """Return the value that `file.key` had in a run, None if its record does not hold it."""
    file, _, rest = key.partition(".")
    value: Any = facts.limits if file == "governance" else facts.config.get(file)
    for part in rest.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _shown(key: str, facts: RunFacts) -> str:
    value = setting(key, facts)
    name = key.rpartition(".")[2]
    if value is None or isinstance(value, Mapping):
        return name
    return f"{name} {value}"
