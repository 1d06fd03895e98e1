"""Item-kNN: items that the same people touched, and, where there is an order, soon after one another."""

from __future__ import annotations

import math
from copy import copy
from typing import Self, cast

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, vstack

from accord.core.arrays import Bools, Floats, Sparse
from accord.core.dataset import Dataset
from accord.core.history import History
from accord.core.run import Run
from accord.models.linear import HistoryConfig, LinearItems, block_rows, keep_largest
from accord.models.live import touched_items
from accord.models.placed import moved, resized, without
from accord.models.shared import shared

NEGLIGIBLE = 0.01
"""Pairs that count less than this are not counted."""
MOST_PAIRS = 60_000_000
"""The most pairs that are counted (about 1 GB); a longer log gets a shorter reach."""


class Neighbourhood(HistoryConfig):
    """How alike two items are by behaviour."""

    k: int = Field(default=100, ge=1)
    """How many neighbours each item keeps."""
    shrink: float = Field(default=5.0, ge=0)
    """Added to the denominator, so that a similarity seen once or twice counts little."""
    near: float = Field(default=math.inf, gt=0)
    """A pair with ``g - 1`` events between counts ``exp(-(g - 1) / near)``; inf: all pairs of a history count alike.
    Read only where the log has an order."""
    back: float = Field(default=1.0, ge=0, le=1)
    """What a pair counts against its order in time (with a finite ``near``): 1 = as much as along it."""


class ItemKNN(LinearItems):
    """Shrunk cosine between the columns of the users x items matrix, the best k neighbours of each item kept.

    ``sim(i, j) = c_ij / (|x_i| |x_j| + shrink)`` with ``c_ij = x_i . x_j`` (Sarwar et al., WWW 2001; shrinkage as in
    Bell and Koren, 2007), or, with ``near``, the decayed count of i coming before j plus ``back`` times the reverse.
    """

    Config = Neighbourhood

    def _fit(self, data: Dataset, run: Run) -> None:
        self.weights = similarities(data, self.config)

    def update(self, data: Dataset, fresh: int) -> Self:
        """A copy that has learned from the newest events too.

        The items of these events get their neighbours anew, and a place in those of the others. Only this is not
        exact: where an item falls behind among the neighbours of another, one that was cut off before stays out.
        """
        updated, n = copy(self), data.n_items
        touched = np.zeros(n, dtype=bool)
        touched[touched_items(data, fresh)] = True
        known = csr_array(resized(cast("Sparse", self.weights), n, n).T)
        mixed = cast("Sparse", without(known, touched, touched) + _of_touched(data, self.config, touched))
        updated.weights, updated.placed = csr_array(keep_largest(mixed, self.config.k).T), None
        return updated


def similarities(data: Dataset, config: Neighbourhood) -> Sparse:
    """``float32[n, n]``: column j holds the similarities of item j's best k neighbours."""
    settings = (config.k, config.shrink, config.near, config.back, data.order, data.n_items)
    return shared([data.events], ("similarities", *settings), lambda: _similarities(data, config))


def _similarities(data: Dataset, config: Neighbourhood) -> Sparse:
    n = data.n_items
    matrix = data.matrix
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0))).astype(np.float32)
    if math.isinf(config.near) or data.order == "none":
        return _best(csr_array(matrix.T), matrix, norms, config)
    ahead = following(data.histories, n, config.near)
    both = cast("Sparse", csr_array(ahead.T) + config.back * ahead)
    return _best(both, None, norms, config)


def following(
    history: History, n_items: int, near: float, *, events: int | None = None, only: Bools | None = None
) -> Sparse:
    """``[n, n]``: decayed counts of item i coming before item j in the same history.

    ``events``: how many the whole log has, where these histories are some of it. ``only``: ``bool[n]``, count just the
    pairs with one of these items.
    """
    length = len(history.items) if events is None else events
    reach = max(1, min(math.ceil(1 - near * math.log(NEGLIGIBLE)), MOST_PAIRS // max(1, length)))
    rows = history.rows
    total = csr_array((n_items, n_items), dtype=np.float32)
    for gap in range(1, reach + 1):
        same = rows[gap:] == rows[:-gap]
        if not same.any():
            break
        if only is not None:
            same &= only[history.items[gap:]] | only[history.items[:-gap]]
        counts = (history.weights[:-gap] * history.weights[gap:])[same] * np.float32(math.exp(-(gap - 1) / near))
        pairs = (history.items[:-gap][same], history.items[gap:][same])
        total = total + csr_array((counts, pairs), shape=(n_items, n_items))
    return cast("Sparse", total)


def _of_touched(data: Dataset, config: Neighbourhood, touched: Bools) -> Sparse:
    """``float32[n, n]``: the similarities of which one item or both are among the touched ones."""
    n, matrix = data.n_items, data.matrix
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0))).astype(np.float32)
    if math.isinf(config.near) or data.order == "none":
        numbers = np.flatnonzero(touched)
        rows = moved(csr_array(matrix[:, numbers].T) @ matrix, numbers, None, (n, n))
        counts = csr_array(rows + without(rows.T, touched, np.zeros(n, dtype=bool)))
    else:
        ahead = following(data.histories, n, config.near, only=touched)
        counts = csr_array(csr_array(ahead.T) + config.back * ahead)
    return _cosines(counts, 0, norms, config)


def _best(left: Sparse, right: Sparse | None, norms: Floats, config: Neighbourhood) -> Sparse:
    """The best k normalised entries of each row of ``left @ right`` (or of ``left``), transposed; in bounded blocks."""
    n = len(norms)
    blocks: list[Sparse] = []
    for start in range(0, n, block_rows(n)):
        rows = left[start : start + block_rows(n)]
        block = csr_array(rows if right is None else rows @ right)
        blocks.append(keep_largest(_cosines(block, start, norms, config), config.k, start))
    stacked = cast("Sparse", vstack(blocks, format="csr")) if blocks else csr_array((n, n), dtype=np.float32)
    return cast("Sparse", csr_array(stacked.T))


def _cosines(counts: Sparse, first: int, norms: Floats, config: Neighbourhood) -> Sparse:
    """Shrunk cosines from counts whose rows are numbered from ``first``; 0 where both items are the same."""
    at = np.repeat(np.arange(first, first + counts.shape[0]), np.diff(counts.indptr))
    data = counts.data / (norms[at] * norms[counts.indices] + config.shrink + 1e-9)
    data[at == counts.indices] = 0
    return csr_array((data.astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)
