"""The validation figure of models that pick one thing of many."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from accord.core.arrays import Floats, Ints, Longs


def ndcg_at_10(scores: Iterable[Floats], wanted: Ints | Longs) -> float:
    """Mean NDCG@10 of the one wanted thing of each row, ties at their expected rank; NaN where there is no row.

    ``scores``: ``float32[b, n]`` by chunks, ``-inf`` for what is no choice; ``wanted``: ``int[B]``, column numbers. A
    row whose wanted thing has no score (NaN) counts nothing.
    """
    if not len(wanted):
        return float("nan")
    start, total = 0, 0.0
    for part in scores:
        mine = part[np.arange(len(part)), wanted[start : start + len(part)]][:, None]
        ranks = (part > mine).sum(axis=1) + 0.5 * ((part == mine).sum(axis=1) - 1)
        found = (ranks < 10) & ~np.isnan(mine[:, 0])
        total += float((1 / np.log2(ranks[found] + 2)).sum())
        start += len(part)
    return total / len(wanted)
