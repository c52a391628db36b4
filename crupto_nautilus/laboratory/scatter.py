"""Marks over their number, with a line across: inline SVG like the other charts of the reports."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from crupto_nautilus.reports.charts import ticks

_WIDTH = 1000.0


class Mark(NamedTuple):
    """One mark; `style` is a colour of the page (win, loss, plain)."""

    x: int
    y: float
    style: str
    title: str


def scatter(
    marks: Sequence[Mark], bar: Sequence[tuple[int, float]], *, height: int, label: str, x_name: str
) -> str:
    """Return marks and a dashed line over 1, 2, 3, ...; important marks are drawn last and larger."""
    last = max([mark.x for mark in marks] + [x for x, _ in bar] + [2])
    values = [mark.y for mark in marks] + [y for _, y in bar] + [0.0]
    low, high = min(values), max(values)
    pad = (high - low or 1.0) * 0.06
    low, high = low - pad, high + pad

    def left(x: float) -> float:
        return (x - 0.5) / last * 100.0

    def top(y: float) -> float:
        return (high - y) / (high - low) * height

    path = "L".join(f"{left(x) / 100.0 * _WIDTH:.1f} {top(y):.1f}" for x, y in bar)
    grid = ticks(low, high)
    svg = "".join(f'<path class="grid" d="M0 {top(v):.1f}H{_WIDTH:.0f}"/>' for v in grid)
    svg += f'<path class="base" d="M0 {top(0.0):.1f}H{_WIDTH:.0f}"/><path class="line hold" d="M{path}"/>'
    order = {"plain": 0, "loss": 1, "win": 2}
    dots = "".join(
        f'<i title="{escape(mark.title)}" style="position:absolute;border-radius:50%;'
        f"left:{left(mark.x):.2f}%;top:{top(mark.y) / height * 100.0:.2f}%;"
        f"width:{5 if mark.style == 'plain' else 10}px;height:{5 if mark.style == 'plain' else 10}px;"
        f'transform:translate(-50%,-50%);background:var(--{mark.style})"></i>'
        for mark in sorted(marks, key=lambda mark: order[mark.style])
    )
    labels = "".join(f'<span class="y" style="top:{top(v) / height * 100.0:.2f}%">{v:g}</span>' for v in grid)
    labels += "".join(
        f'<span class="x centre" style="left:{left(v):.2f}%">{x_name} {v:g}</span>'
        for v in ticks(1, last)
        if v >= 1
    )
    return (
        f'<div class="chart" style="height:{height}px"><svg viewBox="0 0 {_WIDTH:.0f} {height}" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(label)}">{svg}</svg>{dots}{labels}</div>'
    )
