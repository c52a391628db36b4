"""What may honestly be said about a set of trades, in one sentence."""

from __future__ import annotations

from typing import NamedTuple

from crupto_nautilus.reports.figures import MIN_TRADES_TO_JUDGE


class Verdict(NamedTuple):
    """`code` for tools, `text` for people, `tone` (good, bad, neutral) for colours."""

    code: str
    text: str
    tone: str


def judge(
    trades: int,
    *,
    gross_usd: float,
    net_usd: float,
    mean_r_low: float | None,
    mean_r_high: float | None,
    costs: str = "on",
) -> Verdict:
    """Return the strongest statement that the trades allow.

    Fewer than 30 trades allow none.  Otherwise the 95 % bootstrap interval of mean R decides: above 0, below
    0 or containing it.
    """
    if trades == 0:
        return Verdict("no_trades", "no closed trades: nothing to judge", "neutral")
    if trades < MIN_TRADES_TO_JUDGE:
        return Verdict(
            "too_few", f"too few trades to judge ({trades} of {MIN_TRADES_TO_JUDGE} needed)", "neutral"
        )
    if costs != "on":
        return Verdict("not_comparable", "costs are off: not comparable with any real result", "neutral")
    if mean_r_high is not None and mean_r_high < 0:
        if gross_usd > 0:
            return Verdict("costs", "loses after costs: fees, slippage and funding eat a gross profit", "bad")
        return Verdict("loses", "loses, before and after costs", "bad")
    if mean_r_low is not None and mean_r_low > 0:
        return Verdict("earns", "earned after costs in this window; the past promises nothing", "good")
    direction = "lost" if net_usd < 0 else "earned"
    return Verdict(
        "no_edge", f"no edge shown: it {direction}, but the 95 % interval of mean R includes 0", "neutral"
    )
