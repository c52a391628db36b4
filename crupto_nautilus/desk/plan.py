"""From what the user asked to what a desk is built from; backtest and paper share it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from actors.enable_map import EnableMap
from catalog.instants import open_bucket_bars, warm_instants
from catalog.store import Catalog
from crupto_nautilus.desk.assembly import DeskPlan, timeframes_of, warm_up_needs
from crupto_nautilus.desk.challengers import challenger_spec, placed_last
from crupto_nautilus.desk.checkpoint import Resumed
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.window import MarketChoice, choose_market
from strategies.registry import REGISTRY, StrategySpec, get


@dataclass(frozen=True, slots=True)
class Prepared:
    """An open catalog with the strategies, instruments and window of a run."""

    catalog: Catalog
    choice: MarketChoice
    specs: dict[str, StrategySpec]
    enable_map: EnableMap | None = (
        None  # in force, with the canaries among the champions; None: as configured
    )
    risk_shares: dict[str, float] = field(default_factory=dict)  # of canaries, by strategy
    live_ns: int = 0  # where a live feed begins, which is later than the window of a resumed run; 0: a replay


def chosen_specs(
    names: tuple[str, ...] | None, canaries: Iterable[StrategySpec] = ()
) -> dict[str, StrategySpec]:
    """Return the chosen strategies in registry order, then the canaries; an unknown name raises."""
    known = dict(REGISTRY)
    for spec in canaries:
        if spec.name not in known:
            known[spec.name] = placed_last(spec, known)
    if names is None:
        return known
    wanted = {name if name in known else get(name).name for name in names}
    return {name: spec for name, spec in known.items() if name in wanted}


def prepare(options: BacktestOptions) -> Prepared:
    """Open the catalog and fix strategies, instruments and window.

    Raises
    ------
    UsageError
        Unknown symbols or strategies, an empty window.
    SafetyRefusal, CheckFailed
        A document is to trade with a share of the risk, and no ledger proves it.
    CatalogError
        There is no catalog, or its data is broken.
    """
    catalog = Catalog(options.catalog)
    enable_map = options.config.enable_map
    canaries = {
        canary.id: challenger_spec(canary, on_trial=canary.id in options.unproven)
        for canary in enable_map.canaries
    }
    specs = chosen_specs(options.strategies, canaries.values())
    choice = choose_market(
        catalog,
        options.symbols or catalog.instruments(),
        options.start_ns,
        options.end_ns,
        options.base_minutes,
        options.config,
    )
    shares = {canaries[canary.id].name: canary.risk_share for canary in enable_map.canaries}
    in_force = enable_map.with_canaries({name: spec.name for name, spec in canaries.items()})
    return Prepared(catalog, choice, specs, in_force, shares)


def make_plan(prepared: Prepared, options: BacktestOptions, resume: Resumed | None = None) -> DeskPlan:
    """Return the desk's plan with its warm-up from the catalog; `resume` is where an earlier run stopped."""
    catalog, choice, specs = prepared.catalog, prepared.choice, prepared.specs
    window = choice.window
    needs = warm_up_needs(specs, window.base_minutes, options.config.governance.correlation_window_bars)
    frames = timeframes_of(specs)
    funding_days = max((spec.warmup_funding_days for spec in specs.values()), default=0)
    rules = choice.rules
    if not options.costs:
        rules = {name: replace(r, maker_fee=0.0, taker_fee=0.0) for name, r in rules.items()}
    return DeskPlan(
        options.run_id,
        options.config,
        rules,
        window.base_minutes,
        specs,
        options.equity,
        warm_instants(catalog, window.instruments, window.start_ns, needs, funding_days),
        open_bucket_bars(catalog, window, max(frames)),
        options.unlock_after_hours,
        window.start_ns,
        prepared.enable_map,
        prepared.risk_shares,
        resume,
        options.netted,
    )
