"""What the tiny simulated desk trades, under which limits, and what it remembers of a position."""

from __future__ import annotations

from dataclasses import dataclass

from risk.settings import RiskSettings
from risk.vocabulary import DAY_NS, MINUTE_NS, Signal

START_NS = 20_000 * DAY_NS  # 2024-10-04
BASE = 15
BAR_NS = BASE * MINUTE_NS
TAKER, MAKER, SLIP = 0.0005, 0.0002, 0.0001
INSTRUMENTS = {  # name: first price, tick, digits, step, digits
    "BTCUSDT-PERP.BINANCE": (60_000.0, 0.1, 1, 0.0001, 4),
    "ETHUSDT-PERP.BINANCE": (2_500.0, 0.01, 2, 0.001, 3),
    "SOLUSDT-PERP.BINANCE": (140.0, 0.001, 3, 0.01, 2),
}
LIMITS = RiskSettings()
CAP = LIMITS.leverage_cap
COOLING_NS = LIMITS.cooling_period_minutes * MINUTE_NS


def money(value: float) -> float:
    """Round as the venue does."""
    return round(value, 8)


@dataclass(slots=True)
class Held:
    """An open position of the simulated desk."""

    signal: Signal
    quantity: float
    price: float
    ts: int
    loss_per_unit: float
    exit_cost: float
    stop: float
    stop_id: str
    targets: dict[str, tuple[str, float, float]]  # role: order id, price, quantity
    until: int
    entered: float = 0.0
    gross: float = 0.0
    fees: float = 0.0
    slip: float = 0.0
    funding: float = 0.0
    exit_value: float = 0.0


STRATEGIES = {  # name: minutes, chance of a signal at each of its bars
    "breakout_4h": (240, 0.10),
    "volatility_expansion_15m": (15, 0.02),
    "funding_reversion": (60, 0.012),
}
