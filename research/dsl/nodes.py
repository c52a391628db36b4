"""Expressions of the strategy language: a typed tree in which a look-ahead cannot be written.

Guarantees: every operator is a function of the current bar and of bars before it (`lag` is at least 1, no
operator knows the end of the sample, a higher timeframe appears as its last CLOSED bar only); units are
checked, so a price is never compared with a volume; a missing value (warm-up, a division by zero, missing
funding) makes every comparison false, and there is no negation that could turn that into a signal.

Windows: `sma ema highest lowest std zscore` include the current bar; `rank median quantile` look at the n
values BEFORE it, as trading rules 1 define the percentile rank.  A window holds the last n values that exist.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Unit = Literal["price", "volume", "ratio", "osc", "bps", "rate"]

MAX_WINDOW = 1000
Window = Annotated[int, Field(ge=2, le=MAX_WINDOW, description="bars")]
Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class Node(BaseModel):
    """Base of all nodes: strict, frozen, no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Source(Node):
    """A column of the current closed bar.

    `funding` is the last SETTLED rate (a fraction; missing when it is older than its interval plus an hour),
    `basis` = 10,000 * (close / reference - 1) bps against the index (else spot) price of the same time.
    """

    op: Literal["open", "high", "low", "close", "volume", "funding", "basis"]

    @property
    def unit(self) -> Unit:
        """Return the unit of the column."""
        if self.op == "volume":
            return "volume"
        if self.op == "funding":
            return "rate"
        return "bps" if self.op == "basis" else "price"


class Const(Node):
    """A number.  There are no constants of price or volume: they would mean something on one coin only."""

    op: Literal["const"]
    value: Annotated[float, Field(ge=-1000.0, le=1000.0, allow_inf_nan=False)]
    unit: Literal["ratio", "osc", "bps", "rate"] = "ratio"


class Lag(Node):
    """The value n bars ago."""

    op: Literal["lag"]
    x: Number
    n: Annotated[int, Field(ge=1, le=MAX_WINDOW, description="bars")]

    @property
    def unit(self) -> Unit:
        """Return the unit of x."""
        return self.x.unit


class Rolling(Node):
    """Simple and exponential mean, highest, lowest and population standard deviation of the last n values;
    median of the n values before the current one.

    The exponential mean is seeded with the mean of the first n values, alpha = 2 / (n + 1).
    """

    op: Literal["sma", "ema", "highest", "lowest", "std", "median"]
    x: Number
    n: Window

    @property
    def unit(self) -> Unit:
        """Return the unit of x."""
        return self.x.unit


class Quantile(Node):
    """The q-quantile (linear interpolation) of the n values before the current one."""

    op: Literal["quantile"]
    x: Number
    n: Window
    q: Fraction

    @property
    def unit(self) -> Unit:
        """Return the unit of x."""
        return self.x.unit


class Relative(Node):
    """`roc` = x / x[n] - 1; `zscore` = (x - sma) / std; `rank` = share of the n values before < x."""

    op: Literal["roc", "zscore", "rank"]
    x: Number
    n: Window

    @property
    def unit(self) -> Unit:
        """Return `ratio`."""
        return "ratio"


class Rsi(Node):
    """Wilder's RSI of x, 0 to 100."""

    op: Literal["rsi"]
    x: Number
    n: Window

    @property
    def unit(self) -> Unit:
        """Return `osc`."""
        return "osc"


class Wilder(Node):
    """Wilder's average true range (price) and average directional index (0 to 100) of the bars."""

    op: Literal["atr", "adx"]
    n: Window

    @property
    def unit(self) -> Unit:
        """Return `price` for ATR and `osc` for ADX."""
        return "price" if self.op == "atr" else "osc"


class FundingQuantile(Node):
    """The q-quantile of abs(rate) over the n settlements before the last one; missing unless all of them lie
    within `days`.
    """

    op: Literal["funding_quantile"]
    n: Annotated[int, Field(ge=2, le=1000, description="settlements")]
    q: Fraction
    days: Annotated[int, Field(ge=1, le=400)] = 100

    @property
    def unit(self) -> Unit:
        """Return `rate`."""
        return "rate"


class Sign(Node):
    """abs(x) and -x."""

    op: Literal["abs", "neg"]
    x: Number

    @property
    def unit(self) -> Unit:
        """Return the unit of x."""
        return self.x.unit


class Arithmetic(Node):
    """Two values of fitting units; a division by zero is missing."""

    op: Literal["add", "sub", "mul", "div", "larger", "smaller"]
    a: Number
    b: Number

    @property
    def unit(self) -> Unit:
        """Return the unit of the result."""
        a, b = self.a.unit, self.b.unit
        if self.op == "mul":
            return b if a == "ratio" else a
        return "ratio" if self.op == "div" and a == b else a

    @model_validator(mode="after")
    def _units(self) -> Self:
        a, b = self.a.unit, self.b.unit
        if self.op == "mul" and "ratio" not in (a, b):
            raise ValueError(f"units do not fit: {a} * {b}; one side of mul must be a ratio")
        if self.op == "div" and b not in (a, "ratio"):
            raise ValueError(f"units do not fit: {a} / {b}; div takes equal units, or a ratio below")
        if self.op not in ("mul", "div") and a != b:
            raise ValueError(f"units do not fit: {a} {self.op} {b}; both sides must have one unit")
        return self


class Higher(Node):
    """x on a higher timeframe, as it stood at that timeframe's last closed bar."""

    op: Literal["higher"]
    timeframe: Literal["15m", "1h", "4h"]
    x: Number

    @property
    def unit(self) -> Unit:
        """Return the unit of x."""
        return self.x.unit


class Comparison(Node):
    """Two values of one unit; `cross_up`: a > b now and a <= b on the bar before."""

    op: Literal["gt", "ge", "lt", "le", "cross_up", "cross_down"]
    a: Number
    b: Number

    @model_validator(mode="after")
    def _units(self) -> Self:
        if self.a.unit != self.b.unit:
            raise ValueError(f"units do not fit: {self.a.unit} {self.op} {self.b.unit}")
        return self


class Logic(Node):
    """All or any of two to four conditions."""

    op: Literal["and", "or"]
    args: Annotated[tuple[Condition, ...], Field(min_length=2, max_length=4)]


type Number = Annotated[
    Source
    | Const
    | Lag
    | Rolling
    | Quantile
    | Relative
    | Rsi
    | Wilder
    | FundingQuantile
    | Sign
    | Arithmetic
    | Higher,
    Field(discriminator="op"),
]
type Condition = Annotated[Comparison | Logic, Field(discriminator="op")]

for _model in (Lag, Rolling, Quantile, Relative, Rsi, Sign, Arithmetic, Higher, Comparison, Logic):
    _model.model_rebuild()
