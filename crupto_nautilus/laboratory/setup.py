"""From a catalog and a few wishes to a campaign that is ready to run, resume or be verified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from catalog.store import Catalog
from catalog.timeframes import parse_timeframe
from crupto_nautilus.config import DeskConfig
from crupto_nautilus.desk.window import MarketChoice, choose_market
from crupto_nautilus.errors import UsageError
from crupto_nautilus.laboratory.engine_gate import engine_gate
from crupto_nautilus.laboratory.generators import make_generator
from research.campaign.fingerprint import code_sha256
from research.campaign.plan import CampaignPlan
from research.campaign.run import Campaign, Report
from research.campaign.store import CampaignFolder
from research.costs import Costs
from research.dsl import Document
from research.dsl.builtin import BUILTIN, builtin_document
from research.executors import Executor, SerialExecutor
from research.ledger import Ledger
from research.market import MarketArrays
from research.screen import ScreenSettings
from research.standards.spec import GateSpec, load_spec
from research.statistics.performance import max_drawdown
from research.statistics.sharpe import Floats
from research.trades import Trades
from research.trials.sizing import desk_equity, desk_risk_share
from research.trials.trial import Laboratory
from research.trials.windows import cut

_SETTINGS = "campaign.json"


class Wishes(BaseModel):
    """What a person asks of a campaign; the rest follows from the catalog and the configuration.

    `catalog` and `gate_file` are paths; instruments are full ids; times ns UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    catalog: str
    instruments: tuple[str, ...] = ()  # empty: all perpetuals of the catalog
    timeframes: tuple[str, ...] = ("1h",)
    start_ns: int | None = None
    end_ns: int | None = None
    generator: str = "grammar"
    budget: int = 200
    seed: int = 1
    gate_file: str = ""
    champions: Literal["builtin", "none"] = "builtin"

    def save(self, folder: Path) -> None:
        """Write the wishes into a campaign's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _SETTINGS).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, lab: Path, campaign: str) -> Wishes:
        """Return the wishes of a campaign.

        Raises
        ------
        UsageError
            The lab has no such campaign.
        """
        path = lab / campaign / _SETTINGS
        if not path.is_file():
            known = sorted(found.parent.name for found in lab.glob(f"*/{_SETTINGS}"))
            raise UsageError(
                f"there is no campaign {campaign} in {lab}",
                found=", ".join(known) or "no campaign",
                expected="the id of a campaign",
                remedy=f"crupto research new {campaign} --catalog DIR",
            )
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except ValidationError as error:
            first = error.errors()[0]
            raise UsageError(
                f"{path} is damaged",
                found=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
                expected="what `crupto research new` wrote",
                remedy=f"restore the file, or open another campaign: crupto research new ID --lab {lab}",
            ) from error


def prepare_campaign(
    wishes: Wishes,
    lab: Path,
    config: DeskConfig,
    executor: Executor | None = None,
    report: Report | None = None,
) -> Campaign:
    """Return the campaign of some wishes over their catalog.

    Raises
    ------
    UsageError, ResearchError, CatalogError
        The catalog, a name, the window or the gate file cannot be used.
    """
    spec = load_spec(Path(wishes.gate_file) if wishes.gate_file else None)
    choice, market = _market(wishes, config)
    laboratory = Laboratory(
        market,
        cut(market, spec),
        spec,
        Costs().with_settings(config.governance),
        ScreenSettings(
            max_cost_r=config.governance.max_cost_r,
            cooldown_bars=config.enable_map.cooldown_bars,
            cooldown_after_2_losses=config.enable_map.cooldown_after_2_losses,
        ),
    )
    documents = _champions(wishes, market)
    returns, trades = _champion_record(laboratory, documents.values())
    return Campaign(
        plan=_plan(wishes, laboratory, choice, documents),
        laboratory=laboratory,
        generator=make_generator(wishes.generator).lazy(),
        ledger=Ledger(lab),
        folder=CampaignFolder(lab / wishes.id),
        executor=executor or SerialExecutor(),
        champions=dict(zip(documents, returns, strict=True)),
        portfolio_drawdown=_drawdown(trades, spec),
        engine=engine_gate,
        report=report,
    )


def _market(wishes: Wishes, config: DeskConfig) -> tuple[MarketChoice, MarketArrays]:
    catalog = Catalog(Path(wishes.catalog))
    names = wishes.instruments or tuple(n for n in catalog.instruments() if "-PERP." in n)
    choice = choose_market(catalog, names, wishes.start_ns, wishes.end_ns, None, config)
    finest = max(choice.window.base_minutes.values())
    minutes = {parse_timeframe(name) for name in wishes.timeframes}
    too_fine = sorted(m for m in minutes if m < finest)
    if too_fine:
        raise UsageError(
            f"the catalog has no {too_fine[0]}-minute bars of every instrument",
            found=f"bars of {finest} minutes",
            expected="timeframes that the bars of every instrument make",
            remedy="--timeframes 1h, or import finer bars",
        )
    if wishes.champions == "builtin":
        minutes |= {m for m in (builtin_document(name).minutes for name in BUILTIN) if m >= finest}
    window = choice.window
    market = MarketArrays.from_catalog(
        catalog, names, sorted(minutes), window.start_ns, window.end_ns, choice.rules
    )
    return choice, market


def _champions(wishes: Wishes, market: MarketArrays) -> dict[str, Document]:
    """Return the documents of the built-in strategies whose bars the market has."""
    if wishes.champions == "none":
        return {}
    documents = {name: builtin_document(name) for name in BUILTIN}
    return {name: d for name, d in documents.items() if d.minutes in market.timeframes}


def _champion_record(
    laboratory: Laboratory, documents: Iterable[Document]
) -> tuple[list[Floats], list[Trades]]:
    span = laboratory.windows.research
    results = [laboratory.screen([document], span)[0] for document in documents]
    return [laboratory.daily(result, span) for result in results], [result.trades for result in results]


def _drawdown(trades: list[Trades], spec: GateSpec) -> float | None:
    """Return the drawdown of the champions together, at the desk's risk; None where none ever traded."""
    traded = [one for one in trades if len(one)]
    if not traded:
        return None
    together = Trades.join(traded)
    return max_drawdown(desk_equity(together, desk_risk_share(together, spec.risk)))


def _plan(
    wishes: Wishes, laboratory: Laboratory, choice: MarketChoice, champions: Mapping[str, Document]
) -> CampaignPlan:
    windows, spec, market = laboratory.windows, laboratory.spec, laboratory.market
    made = make_generator(wishes.generator)
    labels = set(choice.labels.values())
    label = labels.pop() if len(labels) == 1 else "unknown"
    return CampaignPlan(
        id=wishes.id,
        seed=wishes.seed,
        generator=wishes.generator,
        tuned=made.tuned,
        budget=wishes.budget,
        round_size=min(wishes.budget, made.round_size or wishes.budget),
        instruments=market.instruments,
        timeframes=tuple(sorted(parse_timeframe(name) for name in wishes.timeframes)),
        data_label=cast(Any, label if label in ("real", "synthetic") else "unknown"),
        data_sha256=market.fingerprint(),
        windows={
            "research_first": windows.research.first,
            "research_days": windows.research.days,
            "embargo_days": windows.embargo_days,
            "holdout_first": windows.holdout.first,
            "holdout_days": windows.holdout.days,
        },
        desk={
            "latency_bps": laboratory.costs.latency_bps,
            "impact_bps": laboratory.costs.impact_bps,
            "notional_usd": laboratory.costs.notional_usd,
            "max_cost_r": laboratory.settings.max_cost_r,
            "cooldown_bars": float(laboratory.settings.cooldown_bars),
            "cooldown_after_2_losses": float(laboratory.settings.cooldown_after_2_losses),
        },
        champions={name: document.document_hash for name, document in champions.items()},
        gate_spec=spec.model_dump(mode="json"),
        gate_spec_sha256=spec.sha256,
        code_sha256=code_sha256(),
    )
