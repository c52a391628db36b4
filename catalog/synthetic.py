"""A synthetic market: prices, volume, funding and index of several perpetuals that move together.

Nothing here is a model of a real market.  It has what the desk must be able to meet: trends, quiet and wild
ranges and a panic, volatility that clusters, jumps, volume that follows volatility, correlated instruments,
and crowding that lifts funding and the perpetual above its index, or pushes both below.  The same seed
gives the same market.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from catalog.timeframes import BarArrays, Floats, Ints
from risk.vocabulary import HOUR_NS, MINUTE_NS

STEP_MINUTES = 5
STEPS_A_DAY = 24 * 60 // STEP_MINUTES
STEPS_AN_HOUR = 60 // STEP_MINUTES
TICKS_A_STEP = 8  # prices inside a bar
FUNDING_HOURS = 8
QUIET_FUNDING = 0.0001
FUNDING_A_CROWDED_BP = 0.000055


@dataclass(frozen=True, slots=True)
class Instrument:
    """Traits of one instrument; volatility and volume are those of a normal day."""

    id: str
    price: float
    price_digits: int
    size_digits: int
    beta: float  # to the common factor
    own_volatility: float  # daily, fraction
    daily_volume_usd: float


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time: drift a day (log), volatility and crowding relative to normal, pull to the mean."""

    days: float
    drift: float
    volatility: float
    pull_a_day: float = 0.0
    crowding: float = 1.0


@dataclass(frozen=True, slots=True)
class Path:
    """What one instrument did: bars, funding by settlement time, hourly index closes by close time."""

    bars: BarArrays
    funding_ts: Ints
    funding_rate: Floats
    index_ts: Ints
    index_price: Floats


QUIET = Phase(4.5, 0.0, 0.55, 5.0, 0.6)
WILD = Phase(4.0, 0.0, 1.6, 2.5, 1.6)
UP = Phase(4.0, 0.02, 0.95)
DOWN = Phase(4.0, -0.02, 1.0)
PANIC = Phase(0.25, -0.60, 3.2, 0.0, 2.0)
REBOUND = Phase(0.75, 0.05, 2.4, 0.0, 2.0)

COMMON_VOLATILITY = 0.022  # daily, fraction, on a normal day


def simulate(
    instruments: tuple[Instrument, ...], phases: tuple[Phase, ...], start_ns: int, seed: int
) -> dict[str, Path]:
    """Return the path of every instrument over the phases, in 5m bars from `start_ns`."""
    rng = np.random.default_rng(seed)
    steps = round(sum(phase.days for phase in phases) * STEPS_A_DAY)
    drift, level, pull, crowding = _by_step(phases, steps)
    activity = level * _clusters(rng, steps, 0.30) * _hours(steps)
    common = _common_factor(rng, drift, activity, pull)
    mood = _mood(common)
    bursts = crowding[::STEPS_AN_HOUR]
    paths: dict[str, Path] = {}
    for instrument in instruments:
        own = activity**0.5 * _clusters(rng, steps, 0.25)
        paths[instrument.id] = _path(rng, instrument, common, mood, bursts, activity, own, start_ns)
    return paths


def _by_step(phases: tuple[Phase, ...], steps: int) -> tuple[Floats, Floats, Floats, Floats]:
    lengths = [round(phase.days * STEPS_A_DAY) for phase in phases]
    rows = [(p.drift / STEPS_A_DAY, p.volatility, p.pull_a_day / STEPS_A_DAY, p.crowding) for p in phases]
    table = np.repeat(np.array(rows), lengths, axis=0)[:steps]
    smooth = np.ones(STEPS_A_DAY // 8) / (STEPS_A_DAY // 8)
    padded = np.pad(table[:, 1], (len(smooth) - 1, 0), mode="edge")
    return table[:, 0], np.convolve(padded, smooth, mode="valid"), table[:, 2], table[:, 3]


def _clusters(rng: np.random.Generator, steps: int, size: float) -> Floats:
    """Return a multiplier around 1 that wanders slowly: shocks die away over about half a day."""
    keep = 1 - 1 / (STEPS_A_DAY / 2)
    return np.exp(_decaying(rng.normal(0, size * np.sqrt(1 - keep**2), steps), keep))


def _decaying(shocks: Floats, keep: float) -> Floats:
    """Return x[n] = keep * x[n-1] + shocks[n]."""
    out = np.empty(len(shocks))
    state = 0.0
    for n, shock in enumerate(shocks.tolist()):
        state = keep * state + shock
        out[n] = state
    return out


def _hours(steps: int) -> Floats:
    """Return the daily rhythm: quiet before Europe opens, busy while America trades."""
    hour = np.arange(steps) % STEPS_A_DAY / STEPS_AN_HOUR
    return 1 + 0.25 * np.sin((hour - 9.0) / 24 * 2 * np.pi)


def _common_factor(rng: np.random.Generator, drift: Floats, activity: Floats, pull: Floats) -> Floats:
    """Return the log level of the common factor at every tick."""
    n = len(drift) * TICKS_A_STEP
    sigma = np.repeat(activity, TICKS_A_STEP) * COMMON_VOLATILITY / np.sqrt(STEPS_A_DAY * TICKS_A_STEP)
    shocks = rng.standard_normal(n) * sigma + np.repeat(drift, TICKS_A_STEP) / TICKS_A_STEP
    shocks += _jumps(rng, sigma, a_day=0.6)
    strength = (np.repeat(pull, TICKS_A_STEP) / TICKS_A_STEP).tolist()
    forget = 1 / (3 * STEPS_A_DAY * TICKS_A_STEP)  # the mean of a range is the average of about three days
    out = np.empty(n)
    level = mean = 0.0
    for k, shock in enumerate(shocks.tolist()):
        level += shock - strength[k] * (level - mean)
        mean += forget * (level - mean) if strength[k] else level - mean
        out[k] = level
    return out


def _jumps(rng: np.random.Generator, sigma: Floats, a_day: float) -> Floats:
    happens = rng.random(len(sigma)) < a_day / (STEPS_A_DAY * TICKS_A_STEP)
    sizes: Floats = rng.normal(0, 1, len(sigma)) * sigma * np.sqrt(TICKS_A_STEP) * 6
    return np.where(happens, sizes, 0.0)


def _mood(common: Floats) -> Floats:
    """Return hourly crowding of the whole market in bp: it leans the way the last days went."""
    hourly = common[:: STEPS_AN_HOUR * TICKS_A_STEP]
    lookback = 36
    past = np.concatenate([np.zeros(lookback), hourly[lookback:] - hourly[:-lookback]])
    return 3.0 * np.tanh(past / 0.05)


def _path(
    rng: np.random.Generator,
    instrument: Instrument,
    common: Floats,
    mood: Floats,
    bursts: Floats,
    activity: Floats,
    own: Floats,
    start_ns: int,
) -> Path:
    steps = len(activity)
    sigma = np.repeat(own, TICKS_A_STEP) * instrument.own_volatility / np.sqrt(STEPS_A_DAY * TICKS_A_STEP)
    alone = np.cumsum(rng.standard_normal(steps * TICKS_A_STEP) * sigma + _jumps(rng, sigma, a_day=0.5))
    # Its own way is pulled home slowly, so that instruments stay in a believable ratio.
    alone -= _decaying(np.diff(alone, prepend=0.0), 1 - 1 / (12 * STEPS_A_DAY * TICKS_A_STEP)) * 0.5
    log = instrument.beta * common + alone
    ticks = np.round(instrument.price * np.exp(log), instrument.price_digits)
    bars = _bars(rng, instrument, ticks, activity * own, start_ns)
    crowd = _crowding(rng, mood, bursts, instrument.beta)
    funding_ts, rate = _funding(rng, crowd, start_ns)
    basis = crowd + _decaying(rng.normal(0, 0.8, len(crowd)), 0.8) - 2.0
    closes = bars.close[STEPS_AN_HOUR - 1 :: STEPS_AN_HOUR]
    index = np.round(closes / (1 + basis / 1e4), instrument.price_digits + 1)
    return Path(bars, funding_ts, rate, bars.ts_event[STEPS_AN_HOUR - 1 :: STEPS_AN_HOUR], index)


def _bars(
    rng: np.random.Generator, instrument: Instrument, ticks: Floats, activity: Floats, start_ns: int
) -> BarArrays:
    inside = ticks.reshape(-1, TICKS_A_STEP)
    close = inside[:, -1].copy()
    open_ = np.concatenate([[inside[0, 0]], close[:-1]])
    high, low = np.maximum(open_, inside.max(axis=1)), np.minimum(open_, inside.min(axis=1))
    moved = (high - low) / np.median(high - low)
    usual = instrument.daily_volume_usd / STEPS_A_DAY / close
    volume = usual * activity * (0.5 + 0.5 * moved) * rng.lognormal(0, 0.35, len(close))
    stamps = start_ns + np.arange(1, len(close) + 1, dtype=np.int64) * STEP_MINUTES * MINUTE_NS
    return BarArrays(stamps, open_, high, low, close, np.round(volume, instrument.size_digits))


def _crowding(rng: np.random.Generator, mood: Floats, size: Floats, beta: float) -> Floats:
    """Return hourly crowding in bp: the mood of the market and bursts of its own on either side."""
    hours = len(mood)
    happens = rng.random(hours) < 1 / (24 * 2.5)
    side = np.where(rng.random(hours) < 0.5, 1.0, -1.0)
    bursts: Floats = np.where(happens, side * size * rng.uniform(8, 20, hours), 0.0)
    crowd: Floats = beta**0.5 * mood + _decaying(bursts, 0.5 ** (1 / 10))
    return crowd


def _funding(rng: np.random.Generator, crowd: Floats, start_ns: int) -> tuple[Ints, Floats]:
    """Return settled rates: the average crowding of the interval that ends at the settlement."""
    intervals = len(crowd) // FUNDING_HOURS
    average = crowd[: intervals * FUNDING_HOURS].reshape(intervals, FUNDING_HOURS).mean(axis=1)
    rate = QUIET_FUNDING + FUNDING_A_CROWDED_BP * average + rng.normal(0, 0.00002, intervals)
    stamps = start_ns + np.arange(1, intervals + 1, dtype=np.int64) * FUNDING_HOURS * HOUR_NS
    return stamps, np.round(np.clip(rate, -0.003, 0.003), 6)
