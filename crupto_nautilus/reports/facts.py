"""The facts of a run (`run.json`): what was run, on which data, under which limits, and how it ended.

Guarantees: everything the report and the checker need besides the tables is here, so a run folder explains
itself without the catalog or the configuration it came from.  Unknown is null, never 0.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from crupto_nautilus.reports.errors import RunFolderError


@dataclass(frozen=True, slots=True)
class InstrumentFacts:
    """One instrument of a run: venue rules used, data used, benchmark prices.

    `label` tells what the data is: `real`, `spot-as-perp` or `synthetic`.  Funding counts are settlements
    inside the window: expected by the venue's interval, and present in the catalog; None where unknown.
    """

    instrument: str
    tick: float
    step: float
    price_digits: int
    size_digits: int
    min_quantity: float
    min_notional_usd: float
    maker_fee: float  # fraction of notional
    taker_fee: float
    base_minutes: int
    label: str = "real"
    rules_source: str = ""
    first_close: float | None = None
    last_close: float | None = None
    funding_expected: int | None = None
    funding_present: int | None = None
    bars: int | None = None
    maintenance_margin: float | None = None  # fraction of notional; None in runs of older versions

    @property
    def funding_coverage_pct(self) -> float | None:
        """Share of the expected settlements that the data has, percent; None when nothing was expected."""
        if not self.funding_expected or self.funding_present is None:
            return None
        return min(100.0, 100.0 * self.funding_present / self.funding_expected)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What `run.json` holds; `exit_reason` is empty until the run has finished."""

    run_id: str
    mode: str  # backtest paper vst
    command: str
    start_ns: int  # event time: decisions are taken in (start, end]
    end_ns: int
    starting_equity: float  # USDT
    limits: dict[str, Any]  # governance values in force
    instruments: tuple[InstrumentFacts, ...]
    strategies: tuple[str, ...] = ()
    costs: str = "on"  # on | off
    exit_reason: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    git_revision: str = ""
    config_hash: str = ""
    governance_hash: str = ""
    data_fingerprint: str = ""
    provenance: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    wall_start_ns: int = 0
    wall_end_ns: int = 0
    bars_processed: int = 0
    virtual_asset: str = ""
    notes: tuple[str, ...] = ()
    measured: dict[str, Any] = field(default_factory=dict)  # of a live node: latency, feed
    unlock_after_hours: float | None = None  # a simulated operator unlocks a kill switch after so long
    netted: bool = False  # one strategy at a time on an instrument, as the venue's account nets positions
    virtual_equity: float | None = None  # in virtual mode: what percentages are of; None: the venue's equity
    catalog: str = ""  # where the data lies from which the run can be repeated
    challenger: dict[str, Any] = field(default_factory=dict)  # of a shadow run: its entry in the enable map

    @property
    def capital(self) -> float:
        """What results are a percentage of: the virtual equity in virtual mode, else the starting equity."""
        if self.virtual_equity is None:
            return self.starting_equity
        return min(self.virtual_equity, self.starting_equity)

    @property
    def unused_equity(self) -> float:
        """Part of the venue's equity that virtual mode leaves out: take it from an equity of the tables."""
        return self.starting_equity - self.capital

    @property
    def wall_seconds(self) -> float | None:
        """Wall time of the run, None if it was not measured."""
        return (
            (self.wall_end_ns - self.wall_start_ns) / 1e9 if self.wall_end_ns > self.wall_start_ns else None
        )

    def instrument(self, name: str) -> InstrumentFacts:
        """The facts of one instrument; KeyError if the run did not have it."""
        for facts in self.instruments:
            if facts.instrument == name:
                return facts
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict; coverage is added beside the counts for whoever reads the file."""
        data = dataclasses.asdict(self)
        for row, facts in zip(data["instruments"], self.instruments, strict=True):
            row["funding_coverage_pct"] = facts.funding_coverage_pct
        data["wall_seconds"] = self.wall_seconds
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunFacts:
        """Read what `to_json` wrote; keys of later versions are ignored.

        Raises
        ------
        RunFolderError
            A fact without a default is missing.
        """
        try:
            instruments = tuple(
                InstrumentFacts(**_known(InstrumentFacts, row)) for row in data["instruments"]
            )
            known = _known(cls, data) | {
                "instruments": instruments,
                "strategies": tuple(data.get("strategies", ())),
                "notes": tuple(data.get("notes", ())),
            }
            return cls(**known)
        except (KeyError, TypeError, AttributeError) as error:
            raise RunFolderError(
                f"run.json is incomplete: {error}",
                found=str(error),
                expected="every fact of reports/facts.py without a default",
                remedy="run the backtest again, or restore run.json from a backup",
            ) from error


def _known(cls: type, data: dict[str, Any]) -> dict[str, Any]:
    names = {f.name for f in dataclasses.fields(cls)}
    return {key: value for key, value in data.items() if key in names}
