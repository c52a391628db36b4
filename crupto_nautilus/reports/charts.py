"""Charts as inline SVG that stretches with the page; labels are HTML, so they stay readable on a phone.

Guarantees: no script, no font, no network; colours come from the page's CSS variables (light and dark); a
line of any length is reduced to the extremes of 800 columns, so no spike is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import NamedTuple, cast

import numpy as np
import pandas as pd

from crupto_nautilus.reports.figures import Floats, Ints
from crupto_nautilus.reports.words import number

_WIDTH = 1000.0
_COLUMNS = 800
_STRIP_COLUMNS = 240
_STRIP_SAMPLES = 12
_TICKS_Y = 5
_TICKS_X = 5


class Line(NamedTuple):
    """A line over time; `style` is a CSS class of the page."""

    ts: Ints
    values: Floats
    style: str


class Band(NamedTuple):
    """A shaded stretch of time."""

    start: int
    end: int
    style: str
    title: str


@dataclass(frozen=True, slots=True)
class Window:
    """The time axis."""

    start: int
    end: int

    def x(self, ts: Ints | int) -> Floats:
        """Return positions in 0..1000."""
        span = max(1, self.end - self.start)
        return cast(Floats, np.asarray((np.asarray(ts) - self.start) / span * _WIDTH, dtype=np.float64))


def reduce_line(ts: Ints, values: Floats, columns: int = _COLUMNS) -> tuple[Ints, Floats]:
    """Keep first, lowest, highest and last value of each of `columns` stretches."""
    if len(ts) <= 2 * columns:
        return ts, values
    edges = np.linspace(0, len(ts), columns + 1).astype(int)
    keep: set[int] = set()
    for start, end in pairwise(edges):
        part = values[start:end]
        keep |= {int(start), int(start + part.argmin()), int(start + part.argmax()), int(end - 1)}
    index = np.array(sorted(keep))
    return ts[index], values[index]


def ticks(low: float, high: float, wanted: int = _TICKS_Y) -> list[float]:
    """Return round values inside [low, high]."""
    span = high - low
    if not span > 0:
        return [low]
    raw = span / wanted
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * min(f for f in (1, 2, 2.5, 5, 10) if power * f >= raw)
    first = np.ceil(low / step - 1e-9)
    return [float(k * step) for k in range(int(first), int(np.floor(high / step + 1e-9)) + 1)]


def _digits(values: Sequence[float]) -> int:
    """Return how many decimals tell the ticks apart."""
    step = min((abs(b - a) for a, b in pairwise(values)), default=1.0)
    return next((d for d in range(6) if abs(round(step, d) - step) < 1e-9 * max(1.0, step)), 6)


def time_ticks(window: Window) -> list[tuple[float, str]]:
    """Return (position 0..1, label) of a few dates."""
    start, end = (pd.Timestamp(ts, unit="ns") for ts in (window.start, window.end))
    days = (end - start) / pd.Timedelta(days=1)
    if days > 240:
        months = max(1, round(days / 30.44 / _TICKS_X))
        dates, form = pd.date_range(start.normalize(), end, freq=f"{months}MS"), "%b %Y"
    elif days > 3:
        dates, form = (
            pd.date_range(start.normalize(), end, freq=f"{max(1, round(days / _TICKS_X))}D"),
            "%d %b",
        )
    else:
        hours = max(1, round(days * 24 / _TICKS_X))
        dates, form = pd.date_range(start.floor("h"), end, freq=f"{hours}h"), "%d %b %H:%M"
    positions = [((date - start) / (end - start), date.strftime(form)) for date in dates]
    return [(max(p, 0.0), label) for p, label in positions if -0.01 <= p <= 0.96]


def time_chart(
    lines: Sequence[Line],
    window: Window,
    *,
    height: int,
    label: str,
    unit: str = "",
    bands: Sequence[Band] = (),
    baseline: float | None = None,
    fill: bool = False,
) -> str:
    """Return lines over time, with a y axis that fits them.

    Parameters
    ----------
    label
        What the chart shows, for people who do not see it.
    baseline
        A value with a line of its own, always inside the axis.
    fill
        Fill the area between the first line and the top (a drawdown).
    """
    drawn = [(line, *reduce_line(line.ts, line.values)) for line in lines if len(line.ts)]
    values = np.concatenate([v for _, _, v in drawn] + [np.array([] if baseline is None else [baseline])])
    if not len(values):
        return '<p class="empty">no samples</p>'
    low, high = float(values.min()), float(values.max())
    pad = (high - low or abs(high) or 1.0) * 0.06
    low, high = low - pad, (high if fill else high + pad)

    def y(value: Floats | float) -> Floats:
        return (high - np.asarray(value)) / (high - low) * height

    parts = [_band(band, window, height) for band in bands]
    grid = ticks(low, high)
    digits = _digits(grid)
    parts += [f'<path class="grid" d="M0 {y(v):.1f}H{_WIDTH:.0f}"/>' for v in grid]
    if baseline is not None:
        parts.append(f'<path class="base" d="M0 {y(baseline):.1f}H{_WIDTH:.0f}"/>')
    for line, ts, points in drawn:
        path = _path(window.x(ts), y(points))
        if fill:
            right, left = window.x(ts)[-1], window.x(ts)[0]
            parts.append(f'<path class="area {line.style}" d="{path}L{right:.1f} 0L{left:.1f} 0Z"/>')
        parts.append(f'<path class="line {line.style}" d="{path}"/>')
    labels = [
        f'<span class="y" style="top:{float(y(v)) / height * 100:.2f}%">{number(v, digits)}{unit}</span>'
        for v in grid
    ]
    return _frame("".join(parts), "".join(labels) + _time_labels(window), height, label)


def _path(x: Floats, y: Floats) -> str:
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))


def _band(band: Band, window: Window, height: float) -> str:
    left, right = (float(window.x(min(max(ts, window.start), window.end))) for ts in (band.start, band.end))
    width = max(right - left, 0.8)
    return (
        f'<rect class="{band.style}" x="{left:.1f}" y="0" width="{width:.1f}" height="{height}">'
        f"<title>{escape(band.title)}</title></rect>"
    )


def _time_labels(window: Window) -> str:
    return "".join(
        f'<span class="x{" minor" if index % 2 else ""}" style="left:{position * 100:.2f}%">{label}</span>'
        for index, (position, label) in enumerate(time_ticks(window))
    )


def _frame(svg: str, labels: str, height: int, label: str) -> str:
    return (
        f'<div class="chart" style="height:{height}px">'
        f'<svg viewBox="0 0 {_WIDTH:.0f} {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{svg}</svg>{labels}</div>'
    )


def strip(ts: Sequence[int], labels: Sequence[str], window: Window, *, name: str) -> str:
    """Return labels over time as a strip; each of its 240 columns shows the label that held longest in it."""
    samples = _STRIP_COLUMNS * _STRIP_SAMPLES
    edges = np.linspace(window.start, window.end, samples + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    names = ["unknown", *dict.fromkeys(label for label in labels if label != "unknown")]
    codes = np.array([0, *(names.index(label) for label in labels)])
    at = codes[np.searchsorted(np.asarray(ts, dtype=np.float64), middles, side="right")]
    columns = at.reshape(_STRIP_COLUMNS, _STRIP_SAMPLES)
    shown = np.array([(columns == code).sum(axis=1) for code in range(len(names))]).argmax(axis=0)
    paths: dict[str, list[str]] = {}
    starts = [0, *(np.flatnonzero(np.diff(shown)) + 1).tolist(), _STRIP_COLUMNS]
    for start, end in pairwise(starts):
        width = end - start
        paths.setdefault(names[shown[start]], []).append(f"M{start} 0h{width}v20h-{width}z")
    svg = "".join(f'<path class="regime-{escape(key)}" d="{"".join(d)}"/>' for key, d in paths.items())
    return (
        f'<svg class="strip" viewBox="0 0 {_STRIP_COLUMNS} 20" preserveAspectRatio="none" role="img" '
        f'aria-label="regimes of {escape(name)}">{svg}</svg>'
    )


def strip_axis(window: Window) -> str:
    """Return the time labels below strips."""
    return f'<div class="axis">{_time_labels(window)}</div>'


def histogram(values: Floats, *, low: float | None, high: float | None, mean: float | None) -> str:
    """Return the distribution of R in half-R bins, with the mean and its 95 % interval."""
    if not len(values):
        return '<p class="empty">no closed trades</p>'
    width = 0.25 if float(np.ptp(values)) <= 8 else 0.5 if float(np.ptp(values)) <= 16 else 1.0
    first = np.floor(min(float(values.min()), -1.0) / width) * width
    last = np.ceil(max(float(values.max()), 1.0) / width) * width + width
    edges = np.arange(first, last + width / 2, width)
    counts, _ = np.histogram(values, edges)
    height, top = 200, max(1, int(counts.max()))
    scale = _WIDTH / (edges[-1] - edges[0])
    bars = "".join(
        f'<rect class="{"win" if edge >= 0 else "loss"}" x="{(edge - edges[0]) * scale + 1:.1f}" '
        f'y="{height - n / top * (height - 14):.1f}" width="{width * scale - 2:.1f}" '
        f'height="{n / top * (height - 14):.1f}"><title>{edge:g} to {edge + width:g} R: {n}</title></rect>'
        for edge, n in zip(edges[:-1], counts, strict=True)
        if n
    )
    zero = -edges[0] * scale
    marks = f'<path class="base" d="M{zero:.1f} 0V{height}"/>'
    behind = ""
    if mean is not None and low is not None and high is not None:
        left, right, middle = ((v - edges[0]) * scale for v in (low, high, mean))
        behind = (
            f'<rect class="interval" x="{left:.1f}" width="{max(right - left, 1):.1f}" height="{height}">'
            f"<title>95 % interval of the mean</title></rect>"
        )
        marks += f'<path class="line mean" d="M{middle:.1f} 0V{height}"/>'
    shown = ticks(float(edges[0]), float(edges[-1]), 6)
    decimals = _digits(shown)
    labels = "".join(
        f'<span class="x centre" style="left:{(v - edges[0]) * scale / _WIDTH * 100:.2f}%">'
        f"{number(v, decimals)} R</span>"
        for v in shown
        if edges[0] < v < edges[-1]
    )
    levels = [(n, height - n / top * (height - 14)) for n in ticks(0, top, 3) if n == int(n)]
    labels += "".join(f'<span class="y" style="top:{y / height * 100:.2f}%">{n:g}</span>' for n, y in levels)
    grid = "".join(f'<path class="grid" d="M0 {y:.1f}H{_WIDTH:.0f}"/>' for _, y in levels)
    return _frame(grid + behind + bars + marks, labels, height, "distribution of R of the closed trades")
