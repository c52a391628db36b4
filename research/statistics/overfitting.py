"""Probability of backtest overfitting by combinatorially symmetric cross-validation.

Source: Bailey, Borwein, Lopez de Prado, Zhu (2015), The Probability of Backtest Overfitting, SSRN 2326253.
Use it on gross returns or within one family of documents: on net returns the ranking by turnover persists
from half to half, which looks like skill although there is none.  It is a veto, never evidence.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import NamedTuple

import numpy as np

from research.statistics.sharpe import Floats


class Overfitting(NamedTuple):
    """`pbo` is the share of splits in which the in-sample winner is no better than the median outside."""

    pbo: float
    logits: Floats  # one for each split


def pbo_cscv(returns: Floats, blocks: int = 16) -> Overfitting:
    """Return PBO of a matrix of returns.

    Parameters
    ----------
    returns : (n_observations, n_candidates)
        Rows beyond a multiple of `blocks` are cut off at the end.
    blocks : int
        S, an even number of contiguous blocks; all C(S, S/2) splits are judged.

    Raises
    ------
    ValueError
        `blocks` is odd, there is no second candidate, or a block has fewer than two rows.
    """
    observations, candidates = returns.shape
    if blocks % 2 or blocks < 2:
        raise ValueError(f"blocks was {blocks}, expected an even number of at least 2")
    if candidates < 2:
        raise ValueError(f"there was {candidates} candidate, expected at least 2 to rank")
    rows = observations // blocks
    if rows < 2:
        raise ValueError(f"{observations} observations in {blocks} blocks, expected at least two a block")
    parts = returns[: rows * blocks].reshape(blocks, rows, candidates)
    sums, squares = parts.sum(axis=1), (parts**2).sum(axis=1)
    chosen = np.array(list(combinations(range(blocks), blocks // 2)))
    inside = np.zeros((len(chosen), blocks))
    np.put_along_axis(inside, chosen, 1.0, axis=1)
    count = rows * blocks // 2
    in_sample = _sharpe(inside @ sums, inside @ squares, count)
    out_sample = _sharpe((1.0 - inside) @ sums, (1.0 - inside) @ squares, count)
    winner = in_sample.argmax(axis=1)[:, None]
    reached = np.take_along_axis(out_sample, winner, axis=1)
    # the average rank of ties, 1 for the worst
    rank = (out_sample < reached).sum(axis=1) + 0.5 * (out_sample == reached).sum(axis=1) + 0.5
    share = rank / (candidates + 1)
    logits = np.log(share / (1.0 - share))
    return Overfitting(float((logits <= 0.0).mean()), logits)


def _sharpe(sums: Floats, squares: Floats, count: int) -> Floats:
    mean = sums / count
    variance = (squares - count * mean**2) / (count - 1)
    # a candidate that never traded ranks as nothing earned, not as not a number
    flat = variance <= 1e-24
    ratio: Floats = np.where(flat, 0.0, mean / np.sqrt(np.where(flat, 1.0, variance)))
    return ratio


def split_count(groups: int, test_groups: int) -> tuple[int, int]:
    """Return (splits, paths) of combinatorial purged cross-validation: C(N, k) and k C(N, k) / N."""
    splits = math.comb(groups, test_groups)
    return splits, splits * test_groups // groups
