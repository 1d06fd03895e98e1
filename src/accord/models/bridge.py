"""Bridge: an item that nobody has touched borrows what is known of its neighbours by content."""

from __future__ import annotations

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, diags_array, vstack

from accord.core.arrays import Floats, Longs, Matrix, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.models.content import nearest, unit_rows, without_self
from accord.models.item_knn import Neighbourhood, similarities
from accord.models.linear import LinearItems, keep_largest
from accord.models.shared import shared

BLOCK_ENTRIES = 4_000_000
"""The most borrowed entries that are worked out at a time."""


class BridgeConfig(Neighbourhood):
    """Content neighbours, and the collaborative rows they lend."""

    column: str = "tfidf"
    """The encoded item column."""
    centre: bool = False
    """Take the mean content vector away first (dense columns only)."""
    neighbours: int = Field(default=10, ge=1)
    """How many touched items each item borrows from."""
    power: float = Field(default=1.0, gt=0)
    """Cosines are raised to this power: the higher, the more the nearest neighbours count."""
    own: float = Field(default=5.0, gt=0)
    """An item with k events keeps ``k / (k + own)`` of its own rows and borrows the rest."""
    entries: int = Field(default=1_000, ge=1)
    """How many items may speak for each item at most: the largest entries of each column are kept."""


class Bridge(LinearItems):
    """Item-kNN whose column j is mixed from item j's own similarities and those of its content neighbours.

    ``W[:, j] = a_j S[:, j] + (1 - a_j) c sum_n T[j, n] S[:, n]`` with ``a_j = k_j / (k_j + own)``; T holds the
    row-normalised cosines with touched items. The scale c makes the borrowed columns of items with about five events as
    long as their own (median), so that a new item is neither drowned nor lifted by its length.
    """

    Config = BridgeConfig
    evidence = "behaviour around like content"

    def _fit(self, data: Dataset, run: Run) -> None:
        column = data.vector(self.config.column)
        fields = self.config.model_dump(exclude=set(self.read_late))
        settings = ("bridge", data.order, *fields.values())
        self.weights = shared([data.events, column], settings, lambda: _mixed(data, column, self.config))


def _mixed(data: Dataset, column: Matrix, config: BridgeConfig) -> Sparse:
    """``float32[n, n]``: own and borrowed columns mixed, worked out as rows of the transpose in bounded blocks."""
    counts = data.item_counts
    if not counts.any():
        raise CannotFit("there is no event to borrow from")
    vectors = unit_rows(column, centre=config.centre)
    own = csr_array(similarities(data, config).T)
    touched = np.flatnonzero(counts).astype(np.int32)
    found = nearest(vectors, vectors, config.neighbours, exclude_self=True, eligible=touched)
    lenders = _row_normalised(found, config.power)
    share = (counts / (counts + config.own)).astype(np.float32)
    lent = ((1 - share) * _calibration(own, lenders, counts)).astype(np.float32)
    step, blocks = max(1, BLOCK_ENTRIES // (config.neighbours * config.k)), list[Sparse]()
    for start in range(0, len(counts), step):
        rows = slice(start, start + step)
        mixed = csr_array(diags_array(share[rows]) @ own[rows] + diags_array(lent[rows]) @ (lenders[rows] @ own))
        blocks.append(keep_largest(without_self(mixed, start), config.entries, start))
    stacked = csr_array(vstack(blocks, format="csr"))
    blocks.clear()  # large catalogues: the blocks, their stack and its transpose need not lie in memory together
    return csr_array(stacked.T)


def _row_normalised(cosines: Sparse, power: float) -> Sparse:
    powered = csr_array((cosines.data**power, cosines.indices, cosines.indptr), shape=cosines.shape)
    sums = np.asarray(powered.sum(axis=1))
    return csr_array(diags_array(1 / np.maximum(sums, 1e-9)) @ powered)


def _calibration(own: Sparse, lenders: Sparse, counts: Longs) -> np.float32:
    """What borrowed rows must be multiplied with to be as long as the own ones, on items with about 5 events."""
    known = np.flatnonzero((counts >= 3) & (counts <= 8))
    parts = [_row_norms(csr_array(lenders[rows] @ own)) for rows in np.array_split(known, 1 + len(known) // 1_000)]
    mine, theirs = _row_norms(own[known]), np.concatenate(parts)
    both = (mine > 0) & (theirs > 0)
    return np.float32(np.median(mine[both] / theirs[both])) if both.any() else np.float32(1.0)


def _row_norms(matrix: Sparse) -> Floats:
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1))).astype(np.float32)
