"""The best m of many scores, with ties broken at random but repeatably."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.core.arrays import Floats, Ints, Longs, scrambled
from accord.core.slate import EMPTY

_LOWEST = np.finfo(np.float32).min


def top_k(scores: Floats, k: int, tie_keys: Longs) -> tuple[Ints, Floats]:
    """The ``k`` best of each row, best first.

    ``scores``: ``float32[B, n]``, ``-inf`` where an item must not be shown. ``tie_keys``: ``int64[B]``, see
    ``Queries.tie_keys``: items whose scores tie are ordered, and drawn at the cut, at random, the same way for the
    same key, so that the number of an item is never a signal. Returns ``int32[B, k']`` (``EMPTY`` where nothing is
    left) and their scores (NaN there), with ``k' = min(k, n)``.
    """
    k = min(k, scores.shape[1])
    picked = np.full((len(scores), k), EMPTY, np.int32)
    values = np.full((len(scores), k), np.nan, np.float32)
    if k == 0:
        return picked, values
    salts = np.asarray(tie_keys).astype(np.uint32)
    for row, bound in enumerate(_bounds(scores, k)):
        items = np.flatnonzero(scores[row] >= bound)
        best = _best(_order_keys(scores[row, items], items, salts[row]), k)
        picked[row, : len(best)] = items[best]
        values[row, : len(best)] = scores[row, items[best]]
    return picked, values


def _bounds(scores: Floats, k: int) -> Floats:
    """``float32[B]``: a value that at least ``k`` scores of the row reach, or the lowest that may be shown.

    The items are dealt into ``2k`` groups; the ``k``-th best of the groups' maxima is such a value, and only about
    1.4 ``k`` scores reach it. One cheap pass thus spares a partial sort of all n, which costs several times more and
    is at its slowest where many scores tie.
    """
    groups = 2 * k
    depth = scores.shape[1] // groups
    if depth < 2:
        return np.full(len(scores), _LOWEST, np.float32)
    dealt = scores[:, : depth * groups].reshape(len(scores), depth, groups)
    return np.maximum(np.sort(dealt.max(axis=1), axis=1)[:, groups - k], _LOWEST)


def _best(keys: NDArray[np.uint64], k: int) -> Longs:
    """Positions of the ``k`` smallest keys, smallest first."""
    if len(keys) <= k:
        return np.argsort(keys)
    smallest = np.argpartition(keys, k - 1)[:k]
    return smallest[np.argsort(keys[smallest])]


def _order_keys(values: Floats, items: NDArray[Any], salt: np.uint32) -> NDArray[np.uint64]:
    """Keys that sort by falling value, and within equal values by a pseudo-random number of item and query."""
    bits = (values + np.float32(0)).view(np.uint32)  # adding zero makes -0.0 equal to 0.0
    falling = np.where(bits >> np.uint32(31), bits, bits ^ np.uint32(0x7FFFFFFF)).astype(np.uint64)
    return (falling << np.uint64(32)) | scrambled(items, salt)
