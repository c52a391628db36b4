"""Exit state machine of one position: plain events in, wanted orders out; no clock, no engine.

Guarantees: a position has a stop from its first settled entry slice until it is flat; the stop never
loosens once the entry is complete; at most one closing order is wanted at a time; a lost stop is wanted
again, and after `MAX_STOP_FAILURES` failures the position is closed; state survives `state()`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from risk.rounding import floor_quantity, price_away, price_down, price_up
from risk.vocabulary import MINUTE_NS, ExitSpec, InstrumentRules, Role

MAX_STOP_FAILURES = 3
MAX_CLOSE_FAILURES = 3
_DUST = 1e-12


@dataclass(frozen=True, slots=True)
class SetStop:
    """Place the stop, or move and resize it if one works."""

    quantity: float
    price: float


@dataclass(frozen=True, slots=True)
class PlaceTarget:
    """Place a reduce-only limit order."""

    role: Role
    quantity: float
    price: float


@dataclass(frozen=True, slots=True)
class CloseAll:
    """Cancel the targets and close by a reduce-only market order; the stop stays until flat."""

    quantity: float
    reason: str


ExitAction = SetStop | PlaceTarget | CloseAll


@dataclass(slots=True)
class ExitMachine:
    """Exits of one position; `minutes` is the strategy's timeframe, all values lie on the venue's grid.

    `round_trip_cost` is what break-even must earn: fees and slippage in and out, a fraction of price.
    """

    side: int
    spec: ExitSpec
    rules: InstrumentRules
    minutes: int
    round_trip_cost: (
        float  # fees and slippage of entry and exit as a fraction of price: what break-even must earn
    )
    left: float = 0.0
    entered: float = 0.0
    average_price: float = 0.0
    stop_price: float = 0.0
    best_close: float = 0.0
    bar_zero_ns: int = 0  # close of the bar in which the entry completed; 0 until then
    settlements: int = 0
    stop_failures: int = 0
    closing: str = ""
    close_failures: int = 0
    targets: dict[str, float] = field(default_factory=dict)
    single_target: bool = False
    at_break_even: bool = False

    # --- entry ---------------------------------------------------------------------------------------------

    def entry_filled(self, quantity: float, price: float, settled: bool) -> list[ExitAction]:
        """Book an entry slice; `settled` is False while more slices of the same order follow at once."""
        total = self.entered + quantity
        self.average_price = (self.average_price * self.entered + price * quantity) / total
        self.entered = round(total, self.rules.size_digits)
        self.left = round(self.left + quantity, self.rules.size_digits)
        return self.protect() if settled else []

    def protect(self) -> list[ExitAction]:
        """Want the stop for what is held, at the plan's distance from the average entry."""
        if self.left <= _DUST or self.closing:
            return []
        if self.bar_zero_ns == 0:
            self.stop_price = self.stop_for(self.average_price)
        return [SetStop(self.left, self.stop_price)]

    def stop_for(self, entry_price: float) -> float:
        """Return the stop at the plan's distance from an entry price, rounded to a tick away from it."""
        raw = entry_price - self.side * self.spec.stop_distance
        return price_away(raw, self.side, self.rules.tick, self.rules.price_digits)

    def entry_complete(self, ts: int) -> list[ExitAction]:
        """Say that no more entry slices come: the targets are placed for what filled."""
        if self.bar_zero_ns or self.left <= _DUST:
            return []
        frame = self.minutes * MINUTE_NS
        self.bar_zero_ns = -(-ts // frame) * frame
        self.best_close = self.average_price
        return self._place_targets() if not self.closing else []

    def _place_targets(self) -> list[ExitAction]:
        spec = self.spec
        if spec.target_price is not None:
            return [self._target(Role.TARGET_1, self.left, spec.target_price)]
        if not spec.targets_r:
            return []
        prices = [self.average_price + self.side * r * spec.stop_distance for r in spec.targets_r]
        if len(prices) == 2:
            half = floor_quantity(self.left / 2, self.rules.step, self.rules.size_digits)
            rest = round(self.left - half, self.rules.size_digits)
            if self._tradable(half, prices[0]) and self._tradable(rest, prices[1]):
                return [
                    self._target(Role.TARGET_1, half, prices[0]),
                    self._target(Role.TARGET_2, rest, prices[1]),
                ]
            self.single_target = True
        return [self._target(Role.TARGET_2, self.left, prices[-1])]

    def _tradable(self, quantity: float, price: float) -> bool:
        return quantity >= self.rules.min_quantity > 0 and quantity * price >= self.rules.min_notional_usd

    def _target(self, role: Role, quantity: float, price: float) -> PlaceTarget:
        self.targets[role] = quantity
        on_grid = (price_up if self.side > 0 else price_down)(price, self.rules.tick, self.rules.price_digits)
        return PlaceTarget(role, quantity, on_grid)

    # --- exits ---------------------------------------------------------------------------------------------

    def exit_filled(self, role: str, quantity: float, order_closed: bool) -> list[ExitAction]:
        """Book an exit fill of any order; the first target moves the stop to break-even."""
        self.left = max(0.0, round(self.left - quantity, self.rules.size_digits))
        if role in self.targets:
            self.targets[role] = max(0.0, round(self.targets[role] - quantity, self.rules.size_digits))
        if self.left <= _DUST or self.closing or not order_closed:
            return []
        if role == Role.TARGET_1:
            return self._to_break_even()
        return [SetStop(self.left, self.stop_price)]

    def _to_break_even(self) -> list[ExitAction]:
        self.at_break_even = True
        price = self.average_price * (1.0 + self.side * self.round_trip_cost)
        grid = price_up if self.side > 0 else price_down
        self._tighten(grid(price, self.rules.tick, self.rules.price_digits))
        return [SetStop(self.left, self.stop_price)]

    def _tighten(self, price: float) -> bool:
        if (price - self.stop_price) * self.side <= 0:
            return False
        self.stop_price = price
        return True

    # --- time ----------------------------------------------------------------------------------------------

    def bar_closed(self, ts: int, close: float, atr: float | None, condition: str | None) -> list[ExitAction]:
        """React to a closed bar of the strategy's timeframe: time stop, condition, trail, break-even."""
        if self.closing and self.close_failures > MAX_CLOSE_FAILURES and self.left > _DUST:
            return self._close_again()
        if self.bar_zero_ns == 0 or self.left <= _DUST or self.closing:
            return []
        spec = self.spec
        if spec.time_stop_bars is not None:
            frame = self.minutes * MINUTE_NS
            if ts - self.bar_zero_ns >= spec.time_stop_bars * frame:
                return self.close("time_stop")
        if spec.time_stop_settlements is not None and self.settlements >= spec.time_stop_settlements:
            return self.close("time_stop")
        if condition is not None:
            return self.close(condition)
        self.best_close = max(self.best_close, close) if self.side > 0 else min(self.best_close, close)
        moved = False
        if spec.trail_atr is not None and atr is not None and math.isfinite(atr):
            raw = self.best_close - self.side * spec.trail_atr * atr
            moved = self._tighten(price_away(raw, self.side, self.rules.tick, self.rules.price_digits))
        if self.single_target and not self.at_break_even:
            one_r = self.average_price + self.side * spec.stop_distance
            if (close - one_r) * self.side > 0:
                self._to_break_even()
                moved = True
        if not moved:
            return []
        if (close - self.stop_price) * self.side <= 0:
            return self.close("trail")  # the new stop lies at or beyond the market: it would be refused
        return [SetStop(self.left, self.stop_price)]

    def settled(self, ts: int) -> None:
        """Count a funding settlement after the fill."""
        if self.bar_zero_ns and ts > self.bar_zero_ns - self.minutes * MINUTE_NS and self.left > _DUST:
            self.settlements += 1

    # --- faults and orders from above ----------------------------------------------------------------------

    def stop_lost(self) -> list[ExitAction]:
        """Want the stop again after it was rejected, denied or cancelled; close after three times."""
        if self.left <= _DUST or self.closing:
            return []
        self.stop_failures += 1
        if self.stop_failures >= MAX_STOP_FAILURES:
            return self.close("unprotected")
        return [SetStop(self.left, self.stop_price)]

    def close(self, reason: str) -> list[ExitAction]:
        """Want everything closed at market."""
        if self.left <= _DUST or self.closing:
            return []
        self.closing = reason
        return [CloseAll(self.left, reason)]

    def close_failed(self) -> list[ExitAction]:
        """Want the closing order again: at once, and after three failures at each closed bar.

        The stop still stands meanwhile.
        """
        self.close_failures += 1
        return self._close_again() if self.close_failures <= MAX_CLOSE_FAILURES else []

    def close_lost(self) -> list[ExitAction]:
        """Want the closing order again that was under way when the desk stopped."""
        if not self.closing or self.left <= _DUST or self.close_failures > MAX_CLOSE_FAILURES:
            return []
        return self._close_again()

    def _close_again(self) -> list[ExitAction]:
        reason, self.closing = self.closing or "exit", ""
        return self.close(reason)

    # --- restart -------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return a JSON-able state."""
        return {**asdict(self), "spec": self.spec._asdict()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ExitMachine:
        """Rebuild a machine from `state()`."""
        spec = dict(state["spec"])
        spec["targets_r"] = tuple(spec["targets_r"])
        return cls(**{**state, "spec": ExitSpec(**spec), "rules": InstrumentRules(**state["rules"])})
