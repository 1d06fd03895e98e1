"""Content: items that say the same things as those in the history."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, diags_array, vstack

from accord.core.arrays import Floats, Ints, Longs, Matrix, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.queries import Queries
from accord.core.run import Run
from accord.models.linear import HistoryConfig, LinearItems, block_rows, keep_largest
from accord.models.shared import shared


class ContentConfig(HistoryConfig):
    """Which vectors, and how they are compared."""

    column: str = "tfidf"
    """The encoded item column."""
    mode: Literal["profile", "knn"] = "knn"
    """``profile``: cosine with the weighted sum of the history's vectors. ``knn``: sum of the cosines with those
    history items that are among the item's k nearest neighbours."""
    k: int = Field(default=100, ge=1)
    """Neighbours of each item (mode ``knn``)."""
    centre: bool = False
    """Take the mean vector away first: sentence vectors share a direction that says nothing (dense columns only)."""


class Content(LinearItems):
    """A linear item model whose matrix comes from content alone, so it places an item that nobody has touched.

    In mode ``profile`` ``W = V V'`` is never formed: the history's vectors are summed first.
    """

    Config = ContentConfig
    evidence = "content"
    vectors: Matrix

    @property
    def learned(self) -> tuple[str, ...]:  # type: ignore[override]
        """Vectors for profiles, the neighbour matrix for kNN."""
        return ("vectors" if self.config.mode == "profile" else "weights", "ordered")

    def _fit(self, data: Dataset, run: Run) -> None:
        column, k, centre = data.vector(self.config.column), self.config.k, self.config.centre
        if self.config.mode == "profile":
            self.vectors = unit_rows(column, centre=centre)
        else:
            self.weights = shared([column], ("content", k, centre), lambda: _neighbours(column, k, centre=centre))

    def _scores(self, queries: Queries) -> Floats:
        if self.config.mode == "knn":
            return super()._scores(queries)
        profile = self._read(queries.history)[1] @ self.vectors
        scores = profile @ self.vectors.T
        dense = scores.toarray() if isinstance(scores, csr_array) else np.asarray(scores)
        return (dense / np.maximum(_norms(profile), 1e-9)[:, None]).astype(np.float32)

    def _block(self, rows: Longs, columns: Longs | Ints) -> Floats:
        if self.config.mode == "knn":
            return super()._block(rows, columns)
        block = self.vectors[rows] @ self.vectors[columns].T
        dense = block.toarray() if isinstance(block, csr_array) else np.asarray(block)
        return np.where(rows[:, None] == columns, dense > 0, dense).astype(np.float32)

    def parts(self, queries: Queries, items: Ints) -> Floats:
        """``float32[B, K, H]``: what each history event adds to each item's score."""
        parts = super().parts(queries, items)
        if self.config.mode == "knn":
            return parts
        profile = self._read(queries.history)[1] @ self.vectors
        return (parts / np.maximum(_norms(profile), 1e-9)[:, None, None]).astype(np.float32)


def _norms(rows: Matrix) -> Floats:
    if isinstance(rows, csr_array):
        return np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1))).astype(np.float32)
    return np.linalg.norm(rows, axis=1)


def unit_rows(vectors: Matrix, *, centre: bool = False) -> Matrix:
    """Rows of length 1; a zero row (no content) stays zero, also when the mean of the others is taken away.

    Raises ``CannotFit`` where no item has content, or where sparse vectors would have to be centred.
    """
    lengths = _norms(vectors)
    some = lengths > 0
    if not some.any():
        raise CannotFit("no item has content")
    if isinstance(vectors, csr_array):
        if centre:
            raise CannotFit("sparse vectors cannot be centred", remedy="Set centre = false or read a dense column.")
        scaled = csr_array(vectors.multiply(1.0 / np.maximum(lengths, 1e-9)[:, None]))
        return csr_array((scaled.data.astype(np.float32), scaled.indices, scaled.indptr), shape=vectors.shape)
    moved = vectors - vectors[some].mean(axis=0) if centre else vectors
    unit = moved / np.maximum(_norms(moved), 1e-9)[:, None]
    return np.where(some[:, None], unit, 0).astype(np.float32)


def _neighbours(column: Matrix, k: int, *, centre: bool) -> Sparse:
    """Column j holds the cosines with item j's k nearest items."""
    vectors = unit_rows(column, centre=centre)
    return csr_array(nearest(vectors, vectors, k, exclude_self=True).T)


def nearest(queries: Matrix, items: Matrix, k: int, *, exclude_self: bool, eligible: Ints | None = None) -> Sparse:
    """Sparse ``[len(queries), len(items)]``: cosines with the k nearest items of each row, in bounded blocks.

    ``eligible`` limits the neighbours to some item numbers; ``exclude_self`` says that row i of both is the same item.
    """
    n, blocks = items.shape[0], list[Sparse]()
    wanted: Any = items if eligible is None else diags_array(_marked(eligible, n)) @ items
    columns = csr_array(wanted.T) if isinstance(wanted, csr_array) else wanted.T
    for start in range(0, queries.shape[0], block_rows(n)):
        block: Any = queries[start : start + block_rows(n)] @ columns
        if exclude_self:
            block = without_self(block, start)
        blocks.append(keep_largest(block, k, start))
    return csr_array(vstack(blocks, format="csr"))


def _marked(numbers: Ints, n: int) -> Floats:
    """``float32[n]``: 1 at the given numbers, 0 elsewhere."""
    marks = np.zeros(n, np.float32)
    marks[numbers] = 1
    return marks


def without_self(block: Matrix, first: int) -> Matrix:
    """A block of cosines, its rows numbered from ``first``, with 0 where row and column are the same item."""
    if isinstance(block, csr_array):
        rows = np.repeat(np.arange(first, first + block.shape[0]), np.diff(block.indptr))
        block.data[rows == block.indices] = 0
    else:
        rows = np.arange(len(block))
        block[rows, first + rows] = 0
    return block
