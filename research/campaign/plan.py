"""What a campaign registers before it computes anything, and must still find when it goes on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from research.ledger.errors import CampaignChanged

CampaignId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{2,47}$")]


class CampaignPlan(BaseModel):
    """Pre-registration: seed, generator, budget, market, windows, gate file, code.

    Attributes
    ----------
    budget
        Number of candidates; the campaign never tries one more.
    round_size
        Candidates proposed at once; a generator that learns hears the results between rounds.
    instruments
        Ids of the instruments, sorted.
    timeframes
        In minutes.
    desk
        Figures of the desk that the screen uses: slippage, notional, cost limit, cooldowns.
    champions
        Document hash by name of the champions that G7 compares with.
    windows
        Days since 1970: research first and days, embargo days, holdout first and days.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: CampaignId
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    generator: Annotated[str, Field(max_length=48)]
    generator_options: dict[str, str | int | float | bool] = {}
    tuned: bool = False
    budget: Annotated[int, Field(ge=1, le=100_000)]
    round_size: Annotated[int, Field(ge=1, le=100_000)]
    instruments: Annotated[tuple[str, ...], Field(min_length=1)]
    timeframes: Annotated[tuple[int, ...], Field(min_length=1)]
    data_label: Literal["real", "synthetic", "unknown"] = "unknown"
    data_sha256: str
    windows: dict[str, int]
    desk: dict[str, float] = {}
    champions: dict[str, str] = {}
    gate_spec: dict[str, Any]
    gate_spec_sha256: str
    code_sha256: str

    @property
    def rounds(self) -> int:
        """Return how many times the generator is asked."""
        return -(-self.budget // self.round_size)

    def check_unchanged(self, registered: CampaignPlan) -> None:
        """Compare with what the ledger registered.

        Raises
        ------
        CampaignChanged
            The gate file, the data, the code or any setting is not the one the campaign opened with.
        """
        remedies = {
            "gate_spec_sha256": "put the gate file back; new thresholds need a new campaign",
            "data_sha256": "put the data back; new data need a new campaign",
            "code_sha256": "check out the code it began with, or open a new campaign",
        }
        for name in (*remedies, *sorted(set(type(self).model_fields) - set(remedies))):
            now, then = getattr(self, name), getattr(registered, name)
            if now != then:
                raise CampaignChanged(
                    f"campaign {self.id} registered another {name.removesuffix('_sha256')}",
                    found=str(now)[:120],
                    expected=str(then)[:120],
                    remedy=remedies.get(name, "go on with the settings it was opened with"),
                )
