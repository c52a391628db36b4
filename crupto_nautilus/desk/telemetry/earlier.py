"""A run that goes on is shown with what its earlier sessions did: totals and curve do not begin anew."""

from __future__ import annotations

from collections import Counter

from crupto_nautilus.desk.telemetry.desk import DeskTelemetry
from crupto_nautilus.journal.sessions import Sessions


def take_over(telemetry: DeskTelemetry, earlier: Sessions) -> None:
    """Fill a telemetry that has heard nothing yet with the totals of earlier sessions.

    Counters go on where they were: Prometheus sees no reset.  Latencies and calls of tools and edges are
    those of this session; strategies that the run no longer has are left out.
    """
    store = telemetry.store
    for name, totals in earlier.strategies.items():
        if name not in telemetry.strategies:
            continue
        store.set("crupto_signals_total", totals.signals, name)
        store.set("crupto_approved_total", totals.approved, name)
        store.set("crupto_trades_total", totals.trades, name)
        store.set("crupto_winning_trades_total", totals.wins, name)
        store.set("crupto_strategy_net_pnl_usdt", totals.net_usd, name)
        for reason, count in totals.refused.items():
            store.set("crupto_refusals_total", count, name, reason)
    store.set("crupto_fees_usdt_total", earlier.fees_usd)
    store.set("crupto_slippage_usdt_total", earlier.slippage_usd)
    counted = store["crupto_alarms_total"]
    for kind, count in earlier.alarms_of_kind.items():
        counted[(kind,) if (kind,) in counted else ("other",)] += count
    for hour, by_reason in earlier.refused_in_hour.items():
        telemetry.refused_in_hour[hour] = Counter(by_reason)
    for point in earlier.curve:
        telemetry.curve.add(*point)
    telemetry.trades.extend(reversed(earlier.trades))
    telemetry.alarms.extend(reversed(earlier.alarms))
