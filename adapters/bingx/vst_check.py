"""The operator's check of a demo account: read first, then, if asked to, one minimal round trip.

Guarantees: execution hosts only (a host with real money is refused before anything is sent); every
text of the result is masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.bingx.config import LIVE_DATA, Endpoints, ExecutionSettings
from adapters.bingx.findings import Finding, Mask
from adapters.bingx.limits import PriorityLimiter, Rate
from adapters.bingx.questions import Known, Questions
from adapters.bingx.rest import BingxRest, rate_rules
from adapters.bingx.trial import Trial

UNPACED = Rate(1_000, 1.0)


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What to check.

    `symbol` stands for all contracts; `market` is where market data of the live venue is read without a key;
    `round_trip` places orders on the demo account, `dead_man` some more of them to see what the dead man's
    switch does to a stop; `provoke_limit` asks too often once.
    """

    symbol: str = "BTC-USDT"
    market: Endpoints = LIVE_DATA
    round_trip: bool = False
    dead_man: bool = False
    provoke_limit: bool = False
    stop_wait_s: float = 90.0


async def check_vst(
    settings: ExecutionSettings, known: Mapping[str, Known], options: CheckOptions
) -> list[Finding]:
    """Return what the venue answered.

    Raises
    ------
    SafetyStop
        The host could trade real money, or the account is not a flat demo account.
    VenueUnavailable
        The venue cannot be reached.
    """
    settings.endpoints.require_virtual()
    credentials, endpoints = settings.credentials, settings.endpoints
    account = BingxRest(endpoints, credentials, timeout_s=settings.timeout_s, timebase=settings.timebase)
    market = BingxRest(options.market, timeout_s=settings.timeout_s, timebase=settings.timebase)
    hasty = _hasty(settings) if options.provoke_limit else None
    used = [rest for rest in (account, market, hasty) if rest is not None]
    mask = Mask(credentials)
    try:
        for rest in used:
            await rest.open()
        questions = Questions(
            account, market, options.symbol, settings.virtual_asset, dict(known), hasty=hasty
        )
        findings = await questions.all()
        if options.round_trip:
            trial = Trial(account, settings, options.symbol, options.stop_wait_s, dead_man=options.dead_man)
            findings += await trial.run()
    finally:
        for rest in used:
            await rest.close()
    return [mask.finding(found) for found in sorted(findings, key=lambda found: found.number)]


def _hasty(settings: ExecutionSettings) -> BingxRest:
    return BingxRest(
        settings.endpoints,
        settings.credentials,
        timeout_s=settings.timeout_s,
        timebase=settings.timebase,
        limiter=PriorityLimiter(dict.fromkeys(rate_rules(), UNPACED)),
    )
