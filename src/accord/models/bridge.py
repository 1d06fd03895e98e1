"""Bridge: an item that nobody has touched borrows what is known of its neighbours by content."""

from __future__ import annotations

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, diags_array

from accord.core.arrays import Floats, Longs, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.models.content import nearest, unit_rows
from accord.models.item_knn import Neighbourhood, similarities
from accord.models.linear import LinearItems


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


class Bridge(LinearItems):
    """Item-kNN whose column j is mixed from item j's own similarities and those of its content neighbours.

    ``W[:, j] = a_j S[:, j] + (1 - a_j) c sum_n T[j, n] S[:, n]`` with ``a_j = k_j / (k_j + own)``; T holds the
    row-normalised cosines with touched items. The scale c makes the borrowed columns of items with about five events as
    long as their own (median), so that a new item is neither drowned nor lifted by its length.
    """

    Config = BridgeConfig
    evidence = "behaviour around like content"

    def _fit(self, data: Dataset, run: Run) -> None:
        counts = data.item_counts
        if not counts.any():
            raise CannotFit("there is no event to borrow from")
        vectors = unit_rows(data.vector(self.config.column), centre=self.config.centre)
        own = similarities(data, self.config)
        lenders = nearest(
            vectors,
            vectors,
            self.config.neighbours,
            exclude_self=True,
            eligible=np.flatnonzero(counts).astype(np.int32),
        )
        borrowed = own @ csr_array(_row_normalised(lenders, self.config.power).T)
        share = (counts / (counts + self.config.own)).astype(np.float32)
        scale = _calibration(own, borrowed, counts)
        mixed = csr_array(own @ diags_array(share) + borrowed @ diags_array((1 - share) * scale))
        mixed.setdiag(0)
        mixed.eliminate_zeros()
        self.weights = mixed


def _row_normalised(cosines: Sparse, power: float) -> Sparse:
    powered = csr_array((cosines.data**power, cosines.indices, cosines.indptr), shape=cosines.shape)
    sums = np.asarray(powered.sum(axis=1))
    return csr_array(diags_array(1 / np.maximum(sums, 1e-9)) @ powered)


def _calibration(own: Sparse, borrowed: Sparse, counts: Longs) -> np.float32:
    """What borrowed columns must be multiplied with to be as long as the own ones, on items with about 5 events."""
    known = (counts >= 3) & (counts <= 8)
    mine, theirs = _column_norms(own)[known], _column_norms(borrowed)[known]
    both = (mine > 0) & (theirs > 0)
    return np.float32(np.median(mine[both] / theirs[both])) if both.any() else np.float32(1.0)


def _column_norms(matrix: Sparse) -> Floats:
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0))).astype(np.float32)
