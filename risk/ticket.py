"""From plan to ticket: the last look at spread, liquidity and slippage, on the final quantity.

Guarantees: a ticket's children add up to no more than the plan, each is at least what the venue takes, and
a resting entry lies inside the market; otherwise the plan is refused with SPREAD_TOO_WIDE, ILLIQUID or
SLIPPAGE_TOO_HIGH.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from risk.liquidity import estimate_slippage_bps, slice_quantity
from risk.market import MarketView
from risk.rounding import price_down, price_up
from risk.settings import RiskSettings
from risk.sizing import minimum_quantity
from risk.vocabulary import EntryStyle, InstrumentRules, RefusalReason, Refused, Ticket, TradePlan


@dataclass(eq=False)
class TicketContext:
    """A plan and the market it would be sent into, at desk time `ts`; what follows is worked out once."""

    plan: TradePlan
    market: MarketView
    settings: RiskSettings
    rules: InstrumentRules
    ts: int

    @property
    def instrument(self) -> str:
        """The instrument of the plan."""
        return self.plan.signal.instrument

    @cached_property
    def limit_price(self) -> float | None:
        """Price of a resting entry: the touch while quotes are fresh, else one tick inside the close."""
        signal, rules = self.plan.signal, self.rules
        if signal.entry_style is EntryStyle.MARKET:
            return None
        quote = self.market.quote(self.instrument, self.ts)
        if signal.side > 0:
            raw = quote.bid if quote is not None else signal.reference_price - rules.tick
            return price_down(raw, rules.tick, rules.price_digits)
        raw = quote.ask if quote is not None else signal.reference_price + rules.tick
        return price_up(raw, rules.tick, rules.price_digits)

    @cached_property
    def children(self) -> tuple[float, ...]:
        """The slices of the order (empty: the last bar is too thin for the smallest one)."""
        price = min(self.plan.signal.reference_price, self.limit_price or self.plan.signal.reference_price)
        minimum = minimum_quantity(self.rules, price)
        volume = self.market.bar_volume(self.instrument)
        return slice_quantity(self.plan.quantity, volume, minimum, self.rules, self.settings)

    def slippage_bps(self, quantity: float) -> float:
        """Expected slippage of a market order of `quantity` now."""
        signal = self.plan.signal
        return estimate_slippage_bps(
            quantity * signal.reference_price,
            self.market.bar_quote_volume(self.instrument),
            signal.reference_price,
            self.rules,
            self.settings,
            self.market.spread_bps(self.instrument, self.ts),
        )

    def refuse(self, reason: RefusalReason, detail: str) -> Refused:
        """Build the refusal."""
        return Refused(self.ts, self.plan.signal, reason, detail)


def check_spread(context: TicketContext) -> Refused | None:
    """Refuse a spread above `max_spread_pct`, where fresh quotes exist."""
    spread_bps = context.market.spread_bps(context.instrument, context.ts)
    limit = context.rules.max_spread_pct
    if spread_bps is None or spread_bps / 100.0 <= limit:
        return None
    return context.refuse(
        RefusalReason.SPREAD_TOO_WIDE, f"spread {spread_bps / 100.0:.4f} % > max_spread_pct {limit:g}"
    )


def check_volume(context: TicketContext) -> Refused | None:
    """Refuse a market that trades too little in 24 h, or whose last bar cannot take the smallest slice."""
    traded, limit = context.market.quote_volume_24h(context.instrument), context.rules.min_liquidity_usd
    if traded < limit:
        return context.refuse(
            RefusalReason.ILLIQUID, f"24 h volume {traded:.0f} USDT < min_liquidity_usd {limit:g}"
        )
    if not context.children:
        volume, share = (
            context.market.bar_volume(context.instrument),
            context.settings.max_bar_volume_fraction,
        )
        return context.refuse(
            RefusalReason.ILLIQUID,
            f"max_bar_volume_fraction {share:g} of bar volume {volume:g} is below the smallest order",
        )
    return None


def check_slippage(context: TicketContext) -> Refused | None:
    """Refuse a quantity whose expected slippage at market is above `max_slippage_bps`.

    It counts for resting entries too: their stop would leave at market.
    """
    quantity, limit = sum(context.children), context.settings.max_slippage_bps
    slippage = context.slippage_bps(quantity)
    if slippage <= limit:
        return None
    return context.refuse(
        RefusalReason.SLIPPAGE_TOO_HIGH,
        f"expected slippage {slippage:.2f} bps of {quantity:g} > max_slippage_bps {limit:g}",
    )


def check_liquidity(
    plan: TradePlan, market: MarketView, settings: RiskSettings, rules: InstrumentRules, ts: int
) -> Refused | None:
    """Run the checks of spread and volume."""
    context = TicketContext(plan, market, settings, rules, ts)
    return check_spread(context) or check_volume(context)


def build_ticket(
    plan: TradePlan, market: MarketView, settings: RiskSettings, rules: InstrumentRules, ts: int
) -> Ticket | Refused:
    """Turn a plan into exactly what may be sent, or refuse it.

    The ticket's expected slippage is that of its whole quantity at market, 0 for an entry that only rests.
    """
    context = TicketContext(plan, market, settings, rules, ts)
    refused = check_spread(context) or check_volume(context) or check_slippage(context)
    if refused is not None:
        return refused
    children = context.children
    style = plan.signal.entry_style
    slippage = 0.0 if style is EntryStyle.POST_ONLY else context.slippage_bps(sum(children))
    return Ticket(plan, style, children, context.limit_price, slippage)
