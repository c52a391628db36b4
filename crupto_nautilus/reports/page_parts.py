"""The small parts of report.html: cards, tables, chips, coloured numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def section(title: str, body: str, lead: str = "") -> str:
    """Return a titled card."""
    intro = f'<p class="lead">{lead}</p>' if lead else ""
    return f"<section><h2>{escape(title)}</h2>{intro}{body}</section>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], total: Sequence[str] | None = None) -> str:
    """Return a table of ready HTML cells.

    `name|unit` in a head puts the unit on a line of its own; a head that starts with `<` makes its column
    one of words: aligned left and allowed to wrap.
    """
    words = [text.startswith("<") for text in head]
    heads = "".join(
        f"<th{_class(is_words)}>{escape(name)}" + (f"<small>{escape(unit)}</small>" if unit else "") + "</th>"
        for is_words, (name, _, unit) in zip(
            words, (text.removeprefix("<").partition("|") for text in head), strict=True
        )
    )
    lines = ["<tr>" + _cells(row, words) + "</tr>" for row in rows]
    if total is not None:
        lines.append('<tr class="sum">' + _cells(total, words) + "</tr>")
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cells(row: Sequence[str], words: Sequence[bool]) -> str:
    return "".join(f"<td{_class(left)}>{cell}</td>" for cell, left in zip(row, words, strict=True))


def _class(is_words: bool) -> str:
    return ' class="words"' if is_words else ""


def toned(value: object, text: str) -> str:
    """Colour a gain or a loss."""
    if not isinstance(value, int | float) or value == 0:
        return text
    return f'<span class="{"good" if value > 0 else "bad"}-text">{text}</span>'


def chip(text: str, tone: str) -> str:
    """Return a short word on a coloured ground (good, bad, warn or neutral)."""
    return f'<span class="chip {tone}">{escape(text)}</span>'


def label_tone(label: str) -> str:
    """Return how much to trust a kind of data, as a colour."""
    return {"real": "good", "synthetic": "bad"}.get(label, "warn")


def empty(text: str) -> str:
    """Say that there is nothing to show."""
    return f'<p class="empty">{escape(text)}</p>'


def facts_list(rows: Iterable[tuple[str, str]]) -> str:
    """Return names and ready HTML values as a list."""
    return '<dl class="facts">' + "".join(f"<dt>{escape(a)}</dt><dd>{b}</dd>" for a, b in rows) + "</dl>"


def details(title: str, body: str, *, is_open: bool = False) -> str:
    """Return a part that opens on a click."""
    return f"<details{' open' if is_open else ''}><summary>{escape(title)}</summary>{body}</details>"
