"""Markets whose edge is known: none, or one that was planted.

- `martingale`: arithmetic martingale with GARCH-t noise, 64 ticks a bar.  No rule can earn on it before
  costs, up to what the screen's fills leak: a stop fills at its price although a tick may jump over it, which
  gives a trade 3.4 bp with 16 ticks a bar and 1.5 bp with 64 (measured; resting entries lose 6 and 3 bp).
- `planted`: the same with a mean-reverting component of half-life 12 bars on top, whose size sets the edge.
- `destroyed`: REAL bars in random blocks, each bar mirrored about the close before it with probability one
  half, the same draw for all instruments.  Returns are arithmetic, so the result is a martingale with the
  volatility clusters, tails, volumes and cross-correlation of the real market, and without its drift, trends
  and reversals.  Funding is left out: its level is correlated with the drift that was destroyed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from catalog.timeframes import BarArrays
from research.market import Floats, Frame, MarketArrays, make_frame
from research.statistics.resampling import stationary_indices
from risk.vocabulary import InstrumentRules
from strategies.compiled import compiled

TICKS_A_BAR = 64
HALF_LIFE_BARS = 12
_HOUR_NS = 3_600_000_000_000
_START_NS = 1_672_531_200_000_000_000  # 2023-01-01
_NAME = "BTCUSDT-PERP.SYNTHETIC"

START_PRICE, DIGITS, TICK = 10_000.0, 1, 0.1


def rules_of(instrument: str) -> InstrumentRules:
    """Return the venue's rules of a made market: a tick of a tenth of a basis point, usual fees."""
    return InstrumentRules(instrument, DIGITS, 3, TICK, 0.001, 0.001, 5.0, 0.0002, 0.0005)


def martingale(bars: int, seed: int, hourly_volatility: float = 0.006) -> MarketArrays:
    """Return one instrument of 1h bars without an edge."""
    return planted(bars, seed, 0.0, hourly_volatility)


def planted(
    bars: int, seed: int, amplitude: float, hourly_volatility: float = 0.006, until_bar: int | None = None
) -> MarketArrays:
    """Return one instrument of 1h bars whose price reverts around a martingale.

    Parameters
    ----------
    amplitude : float
        Standard deviation of the reverting component, of the log price; 0 plants nothing.
    until_bar : int, optional
        The edge ends with this bar: from then on nothing reverts.
    """
    random = np.random.default_rng(seed)
    ticks = bars * TICKS_A_BAR
    noise = random.standard_t(5, ticks) / math.sqrt(5 / 3)
    pull = 0.5 ** (1.0 / (HALF_LIFE_BARS * TICKS_A_BAR))
    kick = amplitude * math.sqrt(1.0 - pull * pull)
    last = ticks if until_bar is None else until_bar * TICKS_A_BAR
    log_price = _path(noise, random.standard_normal(ticks), hourly_volatility, kick, pull, last, TICKS_A_BAR)
    price = np.round(START_PRICE * np.exp(log_price), DIGITS).reshape(bars, TICKS_A_BAR)
    open_ = np.concatenate(([price[0, 0]], price[:-1, -1]))
    volume = np.round(np.exp(random.normal(0.0, 0.5, bars)) * 20_000.0, 3)
    arrays = BarArrays(
        _START_NS + _HOUR_NS * np.arange(1, bars + 1, dtype=np.int64),
        open_,
        np.maximum(open_, price.max(axis=1)),
        np.minimum(open_, price.min(axis=1)),
        price[:, -1].copy(),
        volume,
    )
    return MarketArrays([make_frame(_NAME, 60, arrays)], {_NAME: rules_of(_NAME)})


@compiled
def _path(
    noise: Floats, second: Floats, volatility: float, kick: float, pull: float, last_kick: int, ticks: int
) -> Floats:
    out = np.empty(len(noise))
    variance, trend, around = 1.0, 0.0, 0.0
    tick_volatility = volatility / math.sqrt(ticks)
    for i in range(len(noise)):
        step = tick_volatility * math.sqrt(variance) * noise[i]
        trend += math.log(max(1e-3, 1.0 + step))
        around = pull * around + (kick * second[i] if i < last_kick else 0.0)
        variance = min(25.0, 0.005 + 0.04 * noise[i] * noise[i] * variance + 0.955 * variance)
        out[i] = trend + around
    return out


def destroyed(frames: Sequence[Frame], bars: int, seed: int, mean_block: float = 168.0) -> MarketArrays:
    """Return resampled real 1h bars of the same closes without their edge.

    Raises
    ------
    ValueError
        The frames do not share their bars.
    """
    stamps = frames[0].ts_event
    if any(len(f) != len(stamps) or not bool((f.ts_event == stamps).all()) for f in frames[1:]):
        raise ValueError("the frames have different bars, expected the same closes for all instruments")
    rows = stationary_indices(len(stamps) - 1, mean_block, -(-bars // len(stamps)), seed).ravel()[:bars] + 1
    flipped = np.random.default_rng((seed, 1)).random(bars) < 0.5
    ts = _START_NS + _HOUR_NS * np.arange(1, bars + 1, dtype=np.int64)
    rebuilt = [_rebuilt(frame, rows, flipped, ts) for frame in frames]
    return MarketArrays(rebuilt, {frame.instrument: rules_of(frame.instrument) for frame in frames})


def _rebuilt(frame: Frame, rows: np.ndarray, flipped: np.ndarray, ts: np.ndarray) -> Frame:
    """Chain the chosen bars, as moves from the close before, and mirror those that are flipped."""
    before = frame.close[rows - 1]
    moves = {name: getattr(frame, name)[rows] / before - 1.0 for name in ("open", "high", "low", "close")}
    sign = np.where(flipped, -1.0, 1.0)
    high = np.where(flipped, -moves["low"], moves["high"])
    low = np.where(flipped, -moves["high"], moves["low"])
    floor = -0.9  # a mirrored bar never loses everything
    steps = 1.0 + np.maximum(sign * moves["close"], floor)
    chain = np.round(START_PRICE * np.concatenate(([1.0], np.cumprod(steps))), DIGITS)
    base, close = chain[:-1], chain[1:]
    open_ = np.round(base * (1.0 + sign * moves["open"]), DIGITS)
    money = frame.volume[rows] * frame.close[rows]  # that changed hands: it stays
    return make_frame(
        frame.instrument,
        60,
        BarArrays(
            ts,
            open_,
            np.maximum.reduce([open_, close, np.round(base * (1.0 + high), DIGITS)]),
            np.minimum.reduce([open_, close, np.round(base * (1.0 + np.maximum(low, floor)), DIGITS)]),
            close,
            np.round(money / close, 3),
        ),
    )
