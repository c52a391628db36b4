"""Bars of one moment as columns of numbers, for kernels that take all instruments in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from risk.vocabulary import Bar


class Columns:
    """Turns bars into columns.

    Parameters
    ----------
    instruments : sequence of str
        Row k of a kernel's table belongs to instrument k; bars of others are left out.
    """

    __slots__ = ("_buffer", "_every", "_layout", "_names", "_numbers", "_rows")

    def __init__(self, instruments: Sequence[str]) -> None:
        count = len(instruments)
        self._names = tuple(instruments)
        self._rows = {name: k for k, name in enumerate(instruments)}
        self._every = np.arange(count)
        self._layout = Struct(f"{5 * count}d")
        self._buffer = bytearray(self._layout.size)
        self._numbers = np.frombuffer(self._buffer).reshape(5, count)

    def take(self, bars: tuple[Bar, ...]) -> tuple[tuple[Bar, ...], NDArray[np.int64], NDArray[np.float64]]:
        """Return the bars that have a row, their rows, and open, high, low, close, volume, one line each.

        The numbers may lie in one piece of memory that the next bars overwrite.
        """
        names, _, _, opens, highs, lows, closes, volumes = zip(*bars, strict=True) if bars else _NOTHING
        if names == self._names:  # nearly always
            self._layout.pack_into(self._buffer, 0, *opens, *highs, *lows, *closes, *volumes)
            return bars, self._every, self._numbers
        known = tuple(bar for bar in bars if bar.instrument in self._rows)
        rows = np.array([self._rows[bar.instrument] for bar in known], np.int64)
        return known, rows, np.array([bar[3:] for bar in known]).reshape(-1, 5).T.copy()


_NOTHING: tuple[tuple[()], ...] = ((),) * len(Bar._fields)


def apart(bars: tuple[Bar, ...]) -> Iterator[tuple[Bar, ...]]:
    """Yield bars in groups that hold an instrument once: late bars come with those of their moment."""
    if bars and bars[0].ts_event == bars[-1].ts_event:
        yield bars
    else:
        yield from ((bar,) for bar in bars)
