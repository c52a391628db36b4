"""Walking a tree of nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def children(node: Any) -> tuple[Any, ...]:
    """Return the operands of a node, in order."""
    if hasattr(node, "args"):
        return tuple(node.args)
    return tuple(getattr(node, name) for name in ("x", "a", "b") if hasattr(node, name))


def walk(node: Any) -> Iterator[Any]:
    """Yield a node and everything below it, parents first."""
    yield node
    for child in children(node):
        yield from walk(child)
