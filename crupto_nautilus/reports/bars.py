"""Horizontal bars, waterfalls and intervals as HTML: they wrap with the page and need no drawing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from crupto_nautilus.reports.words import money, number


class Part(NamedTuple):
    """One step of a waterfall: what it adds, or (total) where it stands."""

    name: str
    value: float
    total: bool = False


def waterfall(parts: Sequence[Part]) -> str:
    """Return the way from the first value to the last total; every step hangs where the one before ended."""
    spans, level = [], 0.0
    for part in parts:
        start, end = (0.0, part.value) if part.total else (level, level + part.value)
        spans.append((min(start, end), max(start, end)))
        level = end
    low, high = min(0.0, *(s[0] for s in spans)), max(0.0, *(s[1] for s in spans))
    scale = 100.0 / ((high - low) or 1.0)
    rows = []
    for part, (start, end) in zip(parts, spans, strict=True):
        tone = "flat" if part.value == 0 else "win" if part.value > 0 else "loss"
        rows.append(
            f'<div class="bar-row{" total" if part.total else ""}"><span>{escape(part.name)}</span>'
            f'<div class="track"><i class="zero" style="left:{-low * scale:.2f}%"></i>'
            f'<b class="{tone}" style="left:{(start - low) * scale:.2f}%;'
            f'width:{max((end - start) * scale, 0.4):.2f}%"></b></div>'
            f'<span class="num">{money(part.value)}</span></div>'
        )
    return f'<div class="bars">{"".join(rows)}</div>'


def shares(rows: Sequence[tuple[str, int, str]]) -> str:
    """Return counts as bars with their meaning: (name, count, meaning), as given."""
    total, most = sum(row[1] for row in rows), max((row[1] for row in rows), default=1)
    return "".join(
        f'<div class="share"><div class="share-head"><code>{escape(name)}</code>'
        f'<span class="num">{n:,} <small>{100 * n / total:.0f}\u00a0%</small></span></div>'
        f'<div class="track thin"><b class="plain" style="left:0;width:{100 * n / most:.2f}%"></b></div>'
        f"<p>{escape(meaning)}</p></div>"
        for name, n, meaning in rows
    )


class Estimate(NamedTuple):
    """A mean with its interval."""

    name: str
    mean: float | None
    low: float | None
    high: float | None
    note: str


def estimates(rows: Sequence[Estimate]) -> str:
    """Return means with their 95 % intervals on one scale around 0."""
    ends = [abs(v) for row in rows for v in (row.low, row.high, row.mean) if v is not None]
    reach = max([*ends, 0.5]) * 1.08
    lines: list[str] = []
    for row in rows:
        marks = ""
        if row.mean is not None:
            if row.low is not None and row.high is not None:
                left, width = 50 + row.low / reach * 50, (row.high - row.low) / reach * 50
                marks += f'<b class="whisker" style="left:{left:.2f}%;width:{width:.2f}%"></b>'
            marks += f'<i class="dot" style="left:{50 + row.mean / reach * 50:.2f}%"></i>'
        lines.append(
            f'<div class="bar-row"><span>{escape(row.name)}<small>{escape(row.note)}</small></span>'
            f'<div class="track"><i class="zero" style="left:50%"></i>{marks}</div>'
            f'<span class="num">{number(row.mean, 2, sign=True)}</span></div>'
        )
    lines.append(
        f'<div class="bar-row scale"><span></span><div class="track"><span style="left:0">'
        f'{number(-reach, 1)}</span><span style="left:50%">0 R</span><span style="left:100%">'
        f"{number(reach, 1, sign=True)}</span></div><span></span></div>"
    )
    return f'<div class="bars named">{"".join(lines)}</div>'
