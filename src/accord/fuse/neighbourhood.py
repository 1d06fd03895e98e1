"""What the user thought of similar items: a neighbourhood model on the rests that biases leave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
from scipy.sparse import csr_array, vstack

from accord.core.arrays import Doubles, Floats, Ints, Sparse
from accord.core.history import History

CELLS = 1 << 22
"""The most cells of items x items, and of queries x items, that are held dense at a time (four such arrays)."""


def similarities(rests: Sparse, neighbours: int, shrink: float) -> Sparse:
    """``float32[n_items, n_items]``, sparse: how alike users find two items, the best ``neighbours`` of each row.

    ``rests``: ``[U, n_items]``, marks less biases. The correlation over the users who marked both items counts
    ``(n - 1) / (n - 1 + shrink)`` with ``n`` such users (the "Pearson baseline" of Koren, "Factor in the neighbors",
    2010); only positive ones are kept. Ties at the cut all stay out.
    """
    n_items = rests.shape[1]
    marked = csr_array((np.ones_like(rests.data), rests.indices, rests.indptr), shape=rests.shape)
    squares = rests.multiply(rests).tocsr()
    blocks = [_block(rests, marked, squares, part, neighbours, shrink) for part in _parts(n_items, n_items)]
    return cast("Sparse", csr_array(vstack(blocks)) if blocks else csr_array((0, 0), dtype=np.float32))


def _block(rests: Sparse, marked: Sparse, squares: Sparse, part: slice, neighbours: int, shrink: float) -> csr_array:
    """The rows ``part`` of the similarities."""
    own = rests[:, part].T.tocsr(), marked[:, part].T.tocsr(), squares[:, part].T.tocsr()
    both = (own[1] @ marked).toarray()
    spread = np.sqrt((own[2] @ marked).toarray() * (own[1] @ squares).toarray())
    alike = np.divide((own[0] @ rests).toarray(), spread, out=np.zeros_like(both), where=spread > 0)
    alike *= np.maximum(both - 1, 0) / (np.maximum(both - 1, 0) + max(shrink, 1e-9))
    alike[np.arange(len(alike)), np.arange(part.start, part.start + len(alike))] = 0
    if neighbours < alike.shape[1]:
        bound = np.partition(alike, -neighbours - 1, axis=1)[:, -neighbours - 1]
        alike[alike <= bound[:, None]] = 0
    return csr_array(np.maximum(alike, 0).astype(np.float32))


def deviations(rated: History, rests: Floats, alike: Sparse, items: Ints, hold: float) -> tuple[Doubles, Doubles]:
    """``float64[B, K]`` twice: the mean rest of the user's items, weighed by likeness to the asked one, and the weight.

    ``rests``: ``float32[N]``, of each event of the history. ``hold`` is the weight of a rest of zero that is always
    among them, so that little evidence moves little. Empty places (item -1) give some item's figures.
    """
    n_items = alike.shape[0]
    values, weights = np.zeros(items.shape), np.zeros(items.shape)
    asked = np.maximum(items, 0).astype(np.int64)
    across = alike.T.tocsr()
    theirs = rated.matrix(n_items)  # the newest event of each item, in the order of its own arrays
    moved = History(rated.offsets, rated.items, rated.times, rests).matrix(n_items)
    for part in _parts(len(items), n_items):
        marked = csr_array(theirs[part])
        marked.data = np.ones_like(marked.data)
        total = np.take_along_axis((marked @ across).toarray(), asked[part], axis=1)
        sums = np.take_along_axis((moved[part] @ across).toarray(), asked[part], axis=1)
        values[part], weights[part] = sums / np.maximum(total + hold, 1e-12), total
    return values, weights


def _parts(n: int, width: int) -> Iterator[slice]:
    step = max(1, CELLS // max(1, width))
    return (slice(start, min(start + step, n)) for start in range(0, n, step))
