"""Settings under which a desk trades much: trades so small that no limit of the desk as a whole binds."""

from __future__ import annotations

from pathlib import Path

import yaml

from crupto_nautilus.config.load import DEFAULTS

MANY_SMALL_TRADES = {
    "governance": {
        "per_trade_r_pct_base": 0.02,
        "max_per_trade_r_pct": 0.03,
        "min_r_pct_floor": 0.01,
        "max_daily_loss_pct": 9.9,
        "kill_switch_drawdown_72h": 9.9,
        "max_high_corr_positions": 20,
        "max_cost_r": 0.9,
    },
    "enable_map": {"cooldown_bars": 1, "cooldown_after_2_losses": 1},
}


def write_settings(folder: Path) -> Path:
    """Write the built-in settings with these changes; every strategy may trade in every regime."""
    folder.mkdir(parents=True)
    for name, changes in MANY_SMALL_TRADES.items():
        tree = yaml.safe_load((DEFAULTS / f"{name}.yaml").read_text()) | changes
        if name == "enable_map":
            allowed = {strategy: ["long", "short"] for row in tree["regimes"].values() for strategy in row}
            tree["regimes"] = {regime: dict(allowed) for regime in tree["regimes"]}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(tree))
    return folder
