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
_LOTS = 1 << 32
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
        best, values_of_best = best_of(scores[row, items], items, k, tie_keys[row])
        picked[row, : len(best)] = best
        values[row, : len(best)] = values_of_best
    return picked, values


def best_of(values: Floats, items: NDArray[Any], k: int, tie_key: np.integer | int) -> tuple[Ints, Floats]:
    """The ``k`` best of some scored items of one query, or all where there are fewer, ordered as by ``top_k``."""
    best = _best(_order_keys(values, items, _salt(tie_key)), k)
    return items[best].astype(np.int32), values[best]


class Drawn:
    """All items of a catalogue in the order in which ``top_k`` draws them for one query where their scores tie."""

    def __init__(self, n_items: int, tie_key: int) -> None:
        self.n_items = n_items
        self._lots = scrambled(np.arange(n_items), _salt(tie_key))
        self._known = np.empty(0, np.int32)

    def first(self, k: int) -> Ints:
        """``int32[k']``: at least the first ``k``; memory and time grow with k, beside one pass over the catalogue."""
        if len(self._known) < min(k, self.n_items):
            self._known = self._sorted(k)
        return self._known

    def _sorted(self, k: int) -> Ints:
        """The lots are spread evenly, so that those under a bound are found in one pass; seldom too few."""
        bound = int(1.2 * (k + 16) / self.n_items * _LOTS)
        items = np.flatnonzero(self._lots < bound) if bound < _LOTS else np.arange(self.n_items)
        if len(items) < min(k, self.n_items):
            items = np.arange(self.n_items)
        return items[np.argsort(self._lots[items])].astype(np.int32)


def _salt(tie_key: np.integer | int) -> np.uint32:
    return np.uint32(int(tie_key) & 0xFFFFFFFF)


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
