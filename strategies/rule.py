"""What a strategy's rule is: closed bars in, at most one `Setup` a bar out.

Guarantees: a rule is plain Python over plain values; it reads no clock, keeps O(window) state and answers
from the bars it was given so far, so a truncated history gives the same setups up to the cut.  It knows
nothing of regimes, risk or money.  Input is finite: a feed refuses NaN before it comes here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Sequence
from typing import ClassVar, NamedTuple

from risk.vocabulary import Bar, EntryStyle, ExitSpec, Funding, Signal


class Setup(NamedTuple):
    """An entry the rule sees on the bar that just closed.

    `indicators` are the numbers behind it, by name, in the order in which the rule looks at them.
    """

    side: int
    exits: ExitSpec
    confidence: float
    atr: float
    entry_style: EntryStyle
    indicators: tuple[tuple[str, float], ...]


class Condition(NamedTuple):
    """What one entry condition said on the last bar.

    `distance` is how far `value` is from `threshold`, in the unit of `value`, and 0 when the condition is
    met (a strict comparison that fails by equality is unmet at distance 0).  `side` is +1 or -1 where the
    condition belongs to one direction, 0 where both need it.
    """

    name: str
    value: float
    threshold: float
    met: bool
    distance: float
    side: int = 0


def above(name: str, value: float, threshold: float, side: int = 0) -> Condition:
    """Return the condition `value > threshold`."""
    return Condition(name, value, threshold, value > threshold, max(0.0, threshold - value), side)


def at_least(name: str, value: float, threshold: float, side: int = 0) -> Condition:
    """Return the condition `value >= threshold`."""
    return Condition(name, value, threshold, value >= threshold, max(0.0, threshold - value), side)


def below(name: str, value: float, threshold: float, side: int = 0) -> Condition:
    """Return the condition `value < threshold`."""
    return Condition(name, value, threshold, value < threshold, max(0.0, value - threshold), side)


def at_most(name: str, value: float, threshold: float, side: int = 0) -> Condition:
    """Return the condition `value <= threshold`."""
    return Condition(name, value, threshold, value <= threshold, max(0.0, value - threshold), side)


class Rule(ABC):
    """One strategy on one instrument.

    At each instant the owner hands over what became known, in this order: `on_funding`, `on_reference`,
    `update`.

    Attributes
    ----------
    atr : float or None
        ATR(14) of the bars so far, price units; None until 14 bars are in.
    """

    __slots__ = ("atr",)

    name: ClassVar[str]
    minutes: ClassVar[int]
    uses_funding: ClassVar[bool] = False
    uses_reference: ClassVar[bool] = False

    def __init__(self) -> None:
        self.atr: float | None = None

    @classmethod
    def panel(cls, instruments: Sequence[str]) -> Panel:
        """Return the rules of all instruments, ready to be fed together."""
        return Panel({name: cls() for name in instruments})

    @abstractmethod
    def update(self, bar: Bar) -> Setup | None:
        """Take the next closed bar of `minutes` and return the entry it makes, if any."""

    @abstractmethod
    def missing(self) -> str:
        """Say which input or window is not filled yet; empty when the rule is warm."""

    @abstractmethod
    def waiting(self) -> tuple[Condition, ...]:
        """Return what each entry condition said on the last bar; empty while the rule is not warm."""

    @property
    def warm(self) -> bool:
        """Whether the last bar could have made a setup: every window was filled and no input was missing."""
        return not self.missing()

    def on_funding(self, funding: Funding) -> None:  # noqa: B027 - most rules need no funding
        """Take a settled funding rate."""

    def on_reference(self, ts_event: int, price: float) -> None:  # noqa: B027 - most rules need no reference
        """Take the index (else spot) price known at `ts_event`."""

    def exit_due(self, side: int) -> str | None:
        """Return why a position of `side` should be closed after the last bar, or None.

        Asked only where the setup's `ExitSpec.on_condition` is set.
        """
        return None


class Panel:
    """One strategy on all its instruments, fed with the closed bars of a moment.

    This one asks a rule for each instrument, one after the other.

    Attributes
    ----------
    rules : dict of str to Rule
        The rule of each instrument, for everything but closed bars.
    """

    def __init__(self, rules: dict[str, Rule]) -> None:
        self.rules = rules

    def read(self, bars: tuple[Bar, ...], held: Container[str]) -> Iterable[tuple[Bar, Setup | None]]:
        """Yield the bars that make an entry, with it, and those of `held` instruments, as they come."""
        rules = self.rules
        for bar in bars:
            rule = rules.get(bar[0])
            if rule is not None:
                setup = rule.update(bar)
                if setup is not None or bar[0] in held:
                    yield bar, setup


def signal_of(rule: Rule | type[Rule], bar: Bar, setup: Setup) -> Signal:
    """Return the `Signal` that a setup on `bar` becomes; its trace id is
    `<strategy>/<instrument>/<ts_event>`."""
    name, instrument, ts = rule.name, bar.instrument, bar.ts_event
    side, exits, confidence, atr, entry_style, indicators = setup
    return Signal(
        f"{name}/{instrument}/{ts}", ts, name, instrument, bar.minutes, side, bar.close, exits, confidence,
        atr, entry_style, indicators,
    )  # fmt: skip
