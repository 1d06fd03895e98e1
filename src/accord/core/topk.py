"""The best m of many scores, with ties broken at random but repeatably."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.core.arrays import Floats, Ints, Longs, Ragged, offsets_of, scrambled
from accord.core.slate import EMPTY

_LOWEST = np.finfo(np.float32).min
_NOTHING = np.iinfo(np.uint64).max
"""The key of an empty place: it sorts last."""
FEW = 8
"""Rows where at most ``FEW * k`` scores reach the bound are sorted together."""


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
    reached = _reached(scores, _bounds(scores, k))
    few = reached.lengths <= FEW * k
    rows = np.flatnonzero(few)
    if len(rows):
        picked[rows], values[rows] = _best_of_few(scores, reached.take(rows), rows, salts, k)
    for row in np.flatnonzero(~few).tolist():  # many equal scores: one row at a time
        items = reached[row]
        best = _best(_order_keys(scores[row, items], items, salts[row]), k)
        picked[row, : len(best)] = items[best]
        values[row, : len(best)] = scores[row, items[best]]
    return picked, values


def _reached(scores: Floats, bounds: Floats) -> Ragged:
    """The items of each row whose score reaches the row's bound."""
    rows, n = scores.shape
    cells: Longs = np.flatnonzero(scores >= bounds[:, None])  # of one flat array: several times faster than of rows
    return Ragged(cells % n, offsets_of(np.bincount(cells // n, minlength=rows)))


def _best_of_few(
    scores: Floats, reached: Ragged, rows: Longs, salts: NDArray[np.uint32], k: int
) -> tuple[Ints, Floats]:
    """The best ``k`` of the reached items of some rows, all rows at once."""
    at, items = reached.rows, reached.values
    place = np.arange(len(at)) - reached.offsets[at]
    keys = np.full((len(rows), max(k, int(reached.lengths.max()))), _NOTHING, np.uint64)
    keys[at, place] = _order_keys(scores[rows[at], items], items, salts[rows[at]])
    numbers = np.full(keys.shape, EMPTY, np.int32)
    numbers[at, place] = items
    picked = np.take_along_axis(numbers, np.argsort(keys, axis=1)[:, :k], axis=1)
    values = scores[rows[:, None], np.maximum(picked, 0)]
    return picked, np.where(picked == EMPTY, np.nan, values).astype(np.float32)


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


def _order_keys(values: Floats, items: NDArray[Any], salt: NDArray[np.uint32] | np.uint32) -> NDArray[np.uint64]:
    """Keys that sort by falling value, and within equal values by a pseudo-random number of item and query."""
    bits = (values + np.float32(0)).view(np.uint32)  # adding zero makes -0.0 equal to 0.0
    falling = np.where(bits >> np.uint32(31), bits, bits ^ np.uint32(0x7FFFFFFF)).astype(np.uint64)
    return (falling << np.uint64(32)) | scrambled(items, salt)
