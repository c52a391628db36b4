"""The gate file as frozen, checked settings with one hash.

Guarantees: every key is known and in range, none is missing, nothing can be assigned; the hash is of the
values, so a comment may change and a threshold may not.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from research.errors import ResearchError
from research.ledger.records import sha256_of

DEFAULT_SPEC = Path(__file__).resolve().parents[1] / "gate_spec.yaml"

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Positive = Annotated[float, Field(gt=0.0, le=1_000.0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Windows(_Part):
    """How a history is cut."""

    holdout_share: Annotated[float, Field(ge=0.1, le=0.5)]
    embargo_days_min: Count
    embargo_share: Share
    folds: Annotated[int, Field(ge=3, le=24)]
    observations_per_year: Count


class Selection(_Part):
    """Who becomes a finalist."""

    finalists: Annotated[int, Field(ge=1, le=20)]
    family_correlation: Share
    min_trades_to_rank: Count


class Risk(_Part):
    """The desk's own risk figures, for drawdowns in terms of its equity."""

    per_trade_pct: Positive
    open_risk_cap_pct: Positive
    canary_shares: tuple[Share, Share]


class G0(_Part):
    """Static limits."""

    max_depth: Count
    max_nodes: Count
    max_parameters: Count


class G1(_Part):
    """Look-ahead checks."""

    random_cuts: Count
    trade_cuts: Count
    entries_min: Count


class G2(_Part):
    """Floors of the screen."""

    trades_min: Count
    trades_min_4h: Count
    trades_per_fold_min: Count
    profit_factor_min: Positive
    sharpe_min: float
    drawdown_over_portfolio_max: Positive
    drawdown_max: Share
    exposure_min: Share
    exposure_max: Share
    largest_trade_share_max: Share


class G3(_Part):
    """Agreement with the engine."""

    entries_equal_min: Share
    exits_equal_min: Share
    mean_difference_bps_max: Positive
    runs: Annotated[int, Field(ge=1, le=10)]


class G4(_Part):
    """Walk-forward."""

    profit_factor_min: Positive
    sharpe_min: float
    folds_positive_min: Count
    efficiency_min: float
    cpcv_groups: Annotated[int, Field(ge=3, le=20)]
    cpcv_test_groups: Annotated[int, Field(ge=1, le=10)]
    cpcv_sharpe_p05_min: float


class G5(_Part):
    """Statistics."""

    dsr_2025_min: Share
    spa_consistent_max: Share
    spa_draws: Count
    spa_block_days: Count
    pbo_max: Share
    pbo_blocks: Annotated[int, Field(ge=4, le=20, multiple_of=2)]
    min_track_record_alpha: Share


class G6(_Part):
    """Robustness."""

    cost_multiplier: Positive
    cost_multiplier_reported: Positive
    cost_profit_factor_min: Positive
    delay_bars: Count
    parameter_moves: tuple[Share, ...]
    moves_keep_half_min: Share
    move_worst_min: float
    monte_carlo_draws: Count
    drawdown_p95_max: Share
    profit_factor_p05_min: Positive
    ruin_equity: Share
    ruin_probability_max: Share
    best_trades_share: Share
    without_best_profit_factor_min: Positive


class G7(_Part):
    """Company of the champions."""

    correlation_max: Share


class G8(_Part):
    """Holdout."""

    sharpe_share_min: Share
    psr_route_2_min: Share


class G8b(_Part):
    """Paper node on replay."""

    parity_min: Share


class G9(_Part):
    """Shadow."""

    days_min: Count
    trades_min: Count
    parity_min: Share
    slippage_excess_bps_max: Positive
    slippage_t_max: Positive
    band: Share
    drawdown_over_median_max: Positive


class G10(_Part):
    """Canary."""

    first_days_min: Count
    first_trades_min: Count
    second_days_min: Count
    band_breach_alpha: Share
    breaches_to_demote: Count
    cooldown_days: Count
    champion_swap_days_min: Count
    champion_swap_p_max: Share


class GateSpec(_Part):
    """Every threshold of research."""

    version: Annotated[int, Field(ge=1)]
    windows: Windows
    selection: Selection
    risk: Risk
    g0_static: G0
    g1_lookahead: G1
    g2_screen: G2
    g3_engine: G3
    g4_walk_forward: G4
    g5_statistics: G5
    g6_robustness: G6
    g7_portfolio: G7
    g8_holdout: G8
    g8b_paper: G8b
    g9_shadow: G9
    g10_canary: G10

    @cached_property
    def sha256(self) -> str:
        """Return the hash of all values."""
        return sha256_of(self.model_dump(mode="json"))


def load_spec(path: Path | None = None) -> GateSpec:
    """Read a gate file; the built-in one when left out.

    Raises
    ------
    ResearchError
        The file cannot be read, is not YAML, or a key is missing, unknown or out of range.
    """
    path = path or DEFAULT_SPEC
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        return GateSpec.model_validate(_as_tuples(tree))
    except OSError as error:
        raise _refused(path, str(error.strerror), "a readable file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _refused(path, str(error).splitlines()[0], "YAML text") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        found = repr(first["input"]) if first["type"] != "missing" else "nothing"
        raise _refused(path, f"{where}: {found[:80]}", first["msg"]) from error


def _refused(path: Path, found: str, expected: str) -> ResearchError:
    return ResearchError(
        f"the gate file {path.name} cannot be used",
        found=found,
        expected=expected,
        remedy="start from research/gate_spec.yaml and change single values",
    )


def _as_tuples(value: Any) -> Any:
    """Turn lists into tuples: the model is strict."""
    if isinstance(value, dict):
        return {key: _as_tuples(item) for key, item in value.items()}
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list) else value
