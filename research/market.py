"""Market history as aligned columns: what the screen and both evaluators of a document see.

Guarantees: a column at a row holds only what was known at that bar's close; settled funding that is older
than its interval plus an hour is missing, and so is a basis without a reference of the same time; nothing is
filled.  Arrays are read-only and contiguous.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from catalog.schema import FundingArrays, PriceArrays
from catalog.store import Catalog
from catalog.symbols import parse_instrument
from catalog.timeframes import BarArrays, resample
from research.errors import MarketError
from research.kernels import taken
from research.ordered import quantile
from risk.vocabulary import DAY_NS, HOUR_NS, MINUTE_NS, InstrumentRules
from strategies.compiled import as_one_type

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LONGEST_INTERVAL_NS = 8 * HOUR_NS
COLUMNS = (
    "ts_event", "open", "high", "low", "close", "volume", "funding", "funding_row", "paid_rate", "paid_count",
    "reference", "basis",
)  # fmt: skip
_NO_FUNDING = FundingArrays(np.empty(0, np.int64), np.empty(0, np.float64))
_NO_PRICES = PriceArrays(np.empty(0, np.int64), np.empty(0, np.float64))


@dataclass(frozen=True, slots=True)
class Frame:
    """One instrument on one timeframe.

    Attributes
    ----------
    ts_event : Ints
        Bar closes, ns UTC.
    open, high, low, close, volume : Floats
        The bars; volume in base coins.
    funding : Floats
        Last settled rate at each close (a fraction, longs pay a positive one); NaN if missing or stale.
    funding_row : Ints
        Row of that settlement in `settled`, stale or not; -1 before the first.
    paid_rate : Floats
        Sum of the rates that settle after the bar before and up to this close: what a position held
        through the bar pays.
    paid_count : Ints
        How many settlements that are.
    reference : Floats
        Index (else spot) price of the same time; NaN where there is none.
    basis : Floats
        10,000 * (close / reference - 1) bps; NaN where there is no reference of the same time.
    settled : FundingArrays
        The settlements themselves.
    """

    instrument: str
    minutes: int
    ts_event: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    funding: Floats
    funding_row: Ints
    paid_rate: Floats
    paid_count: Ints
    reference: Floats
    basis: Floats
    settled: FundingArrays
    token: object = field(default_factory=object, repr=False, compare=False)  # names these very columns
    _higher: dict[int, tuple[Frame, Ints]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.ts_event)

    @property
    def coin(self) -> str:
        """Return the base coin, `BTC`."""
        return parse_instrument(self.instrument).base

    @property
    def min_volume(self) -> float:
        """Return the smallest volume of a bar, base coins."""
        return float(self.volume.min())

    @property
    def bars(self) -> BarArrays:
        """Return the bars alone."""
        return BarArrays(self.ts_event, self.open, self.high, self.low, self.close, self.volume)

    def higher(self, minutes: int) -> tuple[Frame, Ints]:
        """Return the bars of a higher timeframe and, for each row here, the row of the last closed one
        (-1: none yet).
        """
        found = self._higher.get(minutes)
        if found is None:
            frame = make_frame(self.instrument, minutes, resample(self.bars, self.minutes, minutes))
            rows = np.searchsorted(frame.ts_event, self.ts_event, side="right").astype(np.int64) - 1
            found = self._higher[minutes] = (frame, rows)
        return found

    def until(self, row: int) -> Frame:
        """Return what was known at the close of a row."""
        ts = int(self.ts_event[row])
        settled = self.settled.ts_event <= ts
        columns = {name: getattr(self, name)[: row + 1] for name in COLUMNS}
        return replace(
            self,
            **columns,
            settled=FundingArrays(self.settled.ts_event[settled], self.settled.rate[settled]),
            token=object(),
            _higher={},
        )

    def funding_quantile(self, n: int, q: float, days: int) -> Floats:
        """Return, at each close, the q-quantile of abs(rate) over the n settlements before the last one.

        Missing while there are fewer, or while they reach back more than `days` from the last one.
        """
        stamps = self.settled.ts_event
        if len(stamps) <= n:
            return np.full(len(self), np.nan)
        values = quantile(as_one_type(np.abs(self.settled.rate)), n, q)
        reach = np.full(len(stamps), np.iinfo(np.int64).max)
        reach[n:] = stamps[n:] - stamps[:-n]
        values[reach > days * DAY_NS] = np.nan
        return taken(as_one_type(values), as_one_type(self.funding_row))


def make_frame(
    instrument: str,
    minutes: int,
    bars: BarArrays,
    funding: FundingArrays = _NO_FUNDING,
    references: PriceArrays = _NO_PRICES,
) -> Frame:
    """Return the columns of an instrument.

    Raises
    ------
    MarketError
        Times do not rise, a price is not finite and positive, or a volume is negative.
    """
    _check(instrument, bars)
    ts = _frozen(bars.ts_event)
    stamps, rates = _rising(funding)
    row = np.searchsorted(stamps, ts, side="right").astype(np.int64) - 1
    rate = np.full(len(ts), np.nan)
    known = row >= 0
    fresh = ts[known] - stamps[row[known]] <= _intervals(stamps)[row[known]] + HOUR_NS
    rate[known] = np.where(fresh, rates[row[known]], np.nan)
    # What settled before the first bar was paid by nobody.
    before = np.concatenate((row[:1], row[:-1]))
    total = np.concatenate(([0.0], np.cumsum(rates)))
    close = np.ascontiguousarray(bars.close, np.float64)
    reference = np.full(len(ts), np.nan)
    if len(references):
        at = np.minimum(np.searchsorted(references.ts_event, ts), len(references) - 1)
        same = (references.ts_event[at] == ts) & (references.price[at] > 0.0)
        reference[same] = references.price[at][same]
    return Frame(
        instrument=instrument,
        minutes=minutes,
        ts_event=ts,
        open=_frozen(bars.open),
        high=_frozen(bars.high),
        low=_frozen(bars.low),
        close=_frozen(close),
        volume=_frozen(bars.volume),
        funding=_frozen(rate),
        funding_row=_frozen(row),
        paid_rate=_frozen(np.where(row > before, total[row + 1] - total[before + 1], 0.0)),
        paid_count=_frozen(row - before),
        reference=_frozen(reference),
        basis=_frozen(10_000.0 * (close - reference) / reference),
        settled=FundingArrays(_frozen(stamps), _frozen(rates)),
    )


class MarketArrays:
    """Frames by instrument and timeframe, with the venue's rules of each instrument."""

    def __init__(self, frames: Iterable[Frame], rules: Mapping[str, InstrumentRules] | None = None) -> None:
        self._frames = {(frame.instrument, frame.minutes): frame for frame in frames}
        self.rules = dict(rules or {})
        if not self._frames:
            raise MarketError("a market without bars", expected="at least one instrument")

    @classmethod
    def from_catalog(
        cls,
        catalog: Catalog,
        instruments: Iterable[str],
        timeframes: Iterable[int],
        start_ns: int | None = None,
        end_ns: int | None = None,
        rules: Mapping[str, InstrumentRules] | None = None,
    ) -> MarketArrays:
        """Read instruments on timeframes (minutes) in (start, end].

        Funding from before the window is kept: rates are known at the first bar.
        """
        wanted, frames = tuple(timeframes), []
        for name in instruments:
            funding, references = catalog.funding(name, None, end_ns), catalog.references(name, None, end_ns)
            for minutes in wanted:
                bars = catalog.bars(name, minutes, start_ns, end_ns)
                if len(bars):
                    frames.append(make_frame(name, minutes, bars, funding, references))
        return cls(frames, rules)

    @property
    def instruments(self) -> tuple[str, ...]:
        """Return the instrument ids, in order."""
        return tuple(sorted({name for name, _ in self._frames}))

    @property
    def timeframes(self) -> tuple[int, ...]:
        """Return the timeframes in minutes, in order."""
        return tuple(sorted({minutes for _, minutes in self._frames}))

    def frame(self, instrument: str, minutes: int) -> Frame:
        """Return the frame of an instrument and timeframe.

        Raises
        ------
        MarketError
            The market does not hold it.
        """
        found = self._frames.get((instrument, minutes))
        if found is None:
            held = ", ".join(f"{name} {m}m" for name, m in sorted(self._frames))
            raise MarketError(
                f"the market has no {minutes}-minute bars of {instrument}", found=held,
                remedy="read the catalog with this timeframe",
            )  # fmt: skip
        return found

    def frames(self, minutes: int) -> tuple[Frame, ...]:
        """Return the frames of a timeframe, by instrument."""
        return tuple(self._frames[key] for key in sorted(self._frames) if key[1] == minutes)

    def until(self, end_ns: int) -> MarketArrays:
        """Return what was known at a moment."""
        kept = []
        for frame in self._frames.values():
            rows = int(np.searchsorted(frame.ts_event, end_ns, side="right"))
            if rows:
                kept.append(frame.until(rows - 1))
        return MarketArrays(kept, self.rules)

    def fingerprint(self) -> str:
        """Return a sha256 over all columns."""
        digest = hashlib.sha256()
        for key in sorted(self._frames):
            frame = self._frames[key]
            digest.update(f"{key}".encode())
            digest.update(b"".join(getattr(frame, name).tobytes() for name in COLUMNS))
            digest.update(frame.settled.ts_event.tobytes() + frame.settled.rate.tobytes())
        return digest.hexdigest()


def _check(instrument: str, bars: BarArrays) -> None:
    if len(bars) == 0:
        raise MarketError(f"{instrument} has no bars", expected="at least one closed bar")
    if not bool(np.all(bars.ts_event[1:] > bars.ts_event[:-1])):
        raise MarketError(f"bars of {instrument} are not in time order, or one is there twice")
    for name in ("open", "high", "low", "close", "volume"):
        values = getattr(bars, name)
        good = np.isfinite(values) & ((values >= 0.0) if name == "volume" else (values > 0.0))
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            raise MarketError(
                f"{instrument}: {name} of bar {row} cannot be used", found=repr(float(values[row])),
                expected="a finite number, " + ("not negative" if name == "volume" else "above zero"),
            )  # fmt: skip


def _rising(funding: FundingArrays) -> tuple[Ints, Floats]:
    """Drop settlements that are not newer than the one before, as the rules of the desk do."""
    stamps, rates = np.asarray(funding.ts_event, np.int64), np.asarray(funding.rate, np.float64)
    if len(stamps) > 1:
        newest = np.maximum.accumulate(stamps)
        keep = np.concatenate(([True], stamps[1:] > newest[:-1]))
        stamps, rates = stamps[keep], rates[keep]
    return stamps, rates


def _intervals(stamps: Ints) -> Ints:
    """Return the interval that ends at each settlement: rounded to the minute, at most 8 h."""
    out = np.full(len(stamps), LONGEST_INTERVAL_NS, np.int64)
    if len(stamps) > 1:
        between = stamps[1:] - stamps[:-1] + MINUTE_NS // 2
        out[1:] = np.minimum(LONGEST_INTERVAL_NS, between - between % MINUTE_NS)
    return out


def _frozen[T: (Floats, Ints)](values: T) -> T:
    made = np.ascontiguousarray(values)
    if made is values or made.base is not None:
        made = made.copy()
    made.flags.writeable = False
    return made
