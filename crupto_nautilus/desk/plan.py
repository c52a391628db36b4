"""From what the user asked to what a desk is built from; backtest and paper share it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from catalog.instants import open_bucket_bars, warm_instants
from catalog.store import Catalog
from crupto_nautilus.desk.assembly import DeskPlan, timeframes_of, warm_up_needs
from crupto_nautilus.desk.options import BacktestOptions
from crupto_nautilus.desk.window import MarketChoice, choose_market
from strategies.registry import REGISTRY, StrategySpec, get


@dataclass(frozen=True, slots=True)
class Prepared:
    """An open catalog with the strategies, instruments and window of a run."""

    catalog: Catalog
    choice: MarketChoice
    specs: dict[str, StrategySpec]


def chosen_specs(names: tuple[str, ...] | None) -> dict[str, StrategySpec]:
    """Return the chosen strategies in registry order; an unknown name raises."""
    if names is None:
        return dict(REGISTRY)
    wanted = {get(name).name for name in names}
    return {name: spec for name, spec in REGISTRY.items() if name in wanted}


def prepare(options: BacktestOptions) -> Prepared:
    """Open the catalog and fix strategies, instruments and window.

    Raises
    ------
    UsageError
        Unknown symbols or strategies, an empty window.
    CatalogError
        There is no catalog, or its data is broken.
    """
    catalog = Catalog(options.catalog)
    specs = chosen_specs(options.strategies)
    choice = choose_market(
        catalog,
        options.symbols or catalog.instruments(),
        options.start_ns,
        options.end_ns,
        options.base_minutes,
        options.config,
    )
    return Prepared(catalog, choice, specs)


def make_plan(prepared: Prepared, options: BacktestOptions) -> DeskPlan:
    """Return the desk's plan with its warm-up from the catalog."""
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
    )
