"""A synthetic order book: levels a tick apart around the last price, their sizes seeded by time."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal

from tests.fakes.bingx.contracts import Contract

Level = tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class BookShape:
    """How deep and how rough a book is.

    `spread_ticks` is the distance of the touch from the last price on either side; `roughness` 0 gives every
    level `Contract.level_quantity`, 1 anything up to twice of it.
    """

    spread_ticks: int = 1
    roughness: float = 0.6
    seed: int = 11


class Book:
    """Both sides of a book, best first."""

    def __init__(self, contract: Contract, shape: BookShape) -> None:
        self.contract = contract
        self.shape = shape

    def side(self, buy_side: bool, last: Decimal, time_ms: int, levels: int) -> list[Level]:
        """Return bids (`buy_side`) or asks, best first."""
        sign = -1 if buy_side else 1
        rng = random.Random(f"{self.contract.symbol}|{buy_side}|{time_ms // 1000}|{self.shape.seed}")
        out: list[Level] = []
        for n in range(levels):
            price = last + sign * self.contract.tick * (self.shape.spread_ticks + n)
            if price <= 0:
                break
            factor = 1 + self.shape.roughness * rng.uniform(-1, 1)
            size = self.contract.level_quantity * Decimal(f"{factor:.4f}")
            out.append((price, max(self.contract.step, self.contract.cut_quantity(size))))
        return out

    def best(self, buy_side: bool, last: Decimal) -> Decimal:
        """Return the best bid or ask."""
        return last + (-1 if buy_side else 1) * self.contract.tick * self.shape.spread_ticks
