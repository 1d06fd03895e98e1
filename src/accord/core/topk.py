"""The best m of many scores, with ties broken at random but repeatably."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from accord.core.arrays import Floats, Ints, Longs
from accord.core.slate import EMPTY


def top_k(scores: Floats, k: int, tie_keys: Longs) -> tuple[Ints, Floats]:
    """The ``k`` best of each row, best first.

    ``scores``: ``float32[B, n]``, ``-inf`` where an item must not be shown. ``tie_keys``: ``int64[B]``, see
    ``Queries.tie_keys``: items whose scores tie at the cut are drawn at random, the same way for the same key, so
    that the number of an item is never a signal. Returns ``int32[B, k']`` (``EMPTY`` where nothing is left) and
    their scores (NaN there), with ``k' = min(k, n)``.
    """
    n = scores.shape[1]
    k = min(k, n)
    if k == 0:
        return np.empty((len(scores), 0), np.int32), np.empty((len(scores), 0), np.float32)
    picked = np.argpartition(scores, n - k, axis=1)[:, n - k :] if k < n else np.tile(np.arange(n), (len(scores), 1))
    if k < n:
        _redraw_ties(scores, picked, tie_keys)
    values = np.take_along_axis(scores, picked, axis=1)
    order = np.lexsort((_tie_values(n, picked, tie_keys), -values), axis=1)
    picked, values = np.take_along_axis(picked, order, axis=1), np.take_along_axis(values, order, axis=1)
    nothing = np.isneginf(values)
    return np.where(nothing, EMPTY, picked).astype(np.int32), np.where(nothing, np.nan, values).astype(np.float32)


def _redraw_ties(scores: Floats, picked: Longs, tie_keys: Longs) -> None:
    """Replace, in place, the picked items that tie with unpicked ones by a random draw among all that tie."""
    values = np.take_along_axis(scores, picked, axis=1)
    cut = values.min(axis=1)
    inside = (values == cut[:, None]).sum(axis=1)
    total = (scores == cut[:, None]).sum(axis=1)
    for row in np.flatnonzero((total > inside) & ~np.isneginf(cut)):
        tied = np.flatnonzero(scores[row] == cut[row])
        keys = _tie_values(scores.shape[1], tied, tie_keys[row])
        chosen = tied[np.argpartition(keys, inside[row] - 1)[: inside[row]]]
        picked[row, values[row] == cut[row]] = chosen


def _tie_values(n: int, items: Longs, tie_keys: Longs | np.int64) -> Longs:
    """A pseudo-random order of items: one fixed permutation, rotated by the key of the query."""
    shift = np.asarray(tie_keys) % n
    return _permutation(n)[(items + (shift[:, None] if shift.ndim else shift)) % n]


@lru_cache(maxsize=4)
def _permutation(n: int) -> Longs:
    return np.random.default_rng(n).permutation(n)
