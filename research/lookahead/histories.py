"""Other histories made of one: a different future, a later beginning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from catalog.schema import FundingArrays, PriceArrays
from catalog.timeframes import BarArrays
from research.market import COLUMNS, Frame, make_frame


def with_other_future(frame: Frame, row: int, seed: int) -> Frame:
    """Return the same history up to a bar, and another one of the same length after it."""
    rng = np.random.default_rng(seed)
    ts, after = int(frame.ts_event[row]), slice(row + 1, None)
    factor = np.ones(len(frame))
    factor[after] = np.exp(rng.normal(0.0, 0.05, len(frame))[after])
    volume = frame.volume.copy()
    volume[after] = rng.permutation(frame.volume)[after] * 3.0
    rate = frame.settled.rate.copy()
    later = frame.settled.ts_event > ts
    rate[later] = rng.normal(0.0, 0.001, int(later.sum()))
    known = ~np.isnan(frame.reference)
    reference = np.where(
        frame.ts_event > ts, frame.reference * np.exp(rng.normal(0.0, 0.01)), frame.reference
    )
    return make_frame(
        frame.instrument,
        frame.minutes,
        BarArrays(
            frame.ts_event,
            frame.open * factor,
            frame.high * factor,
            frame.low * factor,
            frame.close * factor,
            volume,
        ),
        FundingArrays(frame.settled.ts_event, rate),
        PriceArrays(frame.ts_event[known], reference[known]),
    )


def since(frame: Frame, row: int) -> Frame:
    """Return a history that begins at a bar; settlements from before it are known all the same."""
    columns = {name: getattr(frame, name)[row:] for name in COLUMNS}
    return replace(frame, **columns, token=object(), _higher={})
