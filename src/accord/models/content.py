"""Content: items that say the same things as those in the history."""

from __future__ import annotations

from typing import Any, Literal, cast

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, diags_array, vstack

from accord.core.arrays import Floats, Ints, Longs, Matrix, Sparse, stacked
from accord.core.dataset import Dataset
from accord.core.parallel import cores, mapped
from accord.core.queries import Eligibility, Queries
from accord.core.run import Run
from accord.core.scored import Scored
from accord.models.content_rows import row_lengths, unit_rows
from accord.models.cosines import Lengths
from accord.models.linear import HistoryConfig, LinearItems, block_rows, keep_largest
from accord.models.placed import Block, Placed, with_rows
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
    edits = "all"
    learned_lately = ("more",)
    vectors: Matrix
    """``[n, dim]``: of the items that were there at the fit; mode ``profile`` alone."""
    more: Matrix | None = None
    """``[m, dim]``: of the items that came later."""
    _lengths: Lengths | None = None
    _bounds: Floats | None = None
    """What growing works out once, for the items that come next."""

    @property
    def learned(self) -> tuple[str, ...]:  # type: ignore[override]
        """Vectors for profiles, the neighbour matrix for kNN."""
        return ("vectors" if self.config.mode == "profile" else "weights", "ordered")

    @property
    def reads(self) -> tuple[str, ...]:
        """The encoded item column."""
        return (self.config.column,)

    def _fit(self, data: Dataset, run: Run) -> None:
        self.more = self._lengths = self._bounds = None
        column, k, centre = data.vector(self.config.column), self.config.k, self.config.centre
        if self.config.mode == "profile":
            self.vectors = unit_rows(column, centre=centre)
        else:
            self.weights = shared([column], ("content", k, centre), lambda: _neighbours(column, k, centre=centre))

    def _grow(self, data: Dataset, added: Longs, edited: Longs) -> None:
        if self.config.mode == "knn":
            super()._grow(data, added, edited)
            return
        n, items = self.vectors.shape[0], np.concatenate([edited, added])
        rows = unit_rows(data.vector(self.config.column), centre=self.config.centre, over=n, rows=items)
        early, late = items < n, items >= n
        self.vectors = with_rows(self.vectors, items[early], rows[early])
        more = self.vectors[:0] if self.more is None else self.more
        known = items[late] < n + more.shape[0]
        more = with_rows(more, items[late][known] - n, rows[late][known])
        self.more = stacked(more, rows[late][~known])

    def _placing(self, data: Dataset, items: Longs, placed: Placed) -> Block:
        column = data.vector(self.config.column)
        self._lengths = Lengths.kept(self._lengths, column, items, centre=self.config.centre, over=placed.fitted)
        self._bounds = self._bounds_of_columns() if self._bounds is None else self._bounds
        bounds = np.pad(self._bounds, (0, data.n_items - placed.fitted))
        cosines = without_self(self._lengths.cosines(column, items), int(items[0]))
        return Block.of(keep_largest(cosines, self.config.k, int(items[0])).T, _above(cosines, bounds))

    def _edited(self, data: Dataset, items: Longs, placed: Placed) -> Placed:
        edited = super()._edited(data, items, placed)
        self._bounds = None
        return edited

    def _bounds_of_columns(self) -> Floats:
        """``float32[n]``: the cosine that an item must exceed to be among the k nearest of each fitted item."""
        found = csr_array(cast("Sparse", self.weights).T)
        bounds = np.zeros(found.shape[0], np.float32)
        full = np.flatnonzero(np.diff(found.indptr) >= self.config.k)
        if len(full):
            cells = found.indptr[full][:, None] + np.arange(self.config.k)
            bounds[full] = found.data[cells].min(axis=1)
        return bounds

    def _trimmed(self, placed: Placed) -> Placed:
        return placed.with_columns(csr_array(keep_largest(csr_array(placed.columns.T), self.config.k, placed.fitted).T))

    def _alone(self, queries: Queries, rules: Eligibility) -> Scored | None:
        return super()._alone(queries, rules) if self.config.mode == "knn" else None

    def _scores(self, queries: Queries) -> Floats:
        if self.config.mode == "knn":
            return super()._scores(queries)
        profile = self._profile(queries)
        parts = [self.vectors] if self.more is None else [self.vectors, self.more]
        scores = np.concatenate([_dense(profile @ part.T) for part in parts], axis=1)
        return (scores / np.maximum(row_lengths(profile), 1e-9)[:, None]).astype(np.float32)

    def _profile(self, queries: Queries) -> Matrix:
        """``[B, dim]``: the weighted sum of the vectors of each history."""
        read, n = self._read(queries.history)[1], self.vectors.shape[0]
        if self.more is None:
            return cast("Matrix", read @ self.vectors)
        return cast("Matrix", read[:, :n] @ self.vectors + read[:, n:] @ self.more)

    def _block(self, rows: Longs, columns: Longs | Ints) -> Floats:
        if self.config.mode == "knn":
            return super()._block(rows, columns)
        vectors = self.vectors if self.more is None else stacked(self.vectors, self.more)
        block = _dense(vectors[rows] @ vectors[columns].T)
        return np.where(rows[:, None] == columns, block > 0, block).astype(np.float32)

    def parts(self, queries: Queries, items: Ints) -> Floats:
        """``float32[B, K, H]``: what each history event adds to each item's score."""
        parts = super().parts(queries, items)
        if self.config.mode == "knn":
            return parts
        profile = self._profile(queries)
        return (parts / np.maximum(row_lengths(profile), 1e-9)[:, None, None]).astype(np.float32)


def _dense(matrix: Any) -> Floats:
    return matrix.toarray() if isinstance(matrix, csr_array) else np.asarray(matrix)


def _above(cosines: Matrix, bounds: Floats) -> Sparse:
    """The entries that are above zero and above the bound of their column."""
    if isinstance(cosines, csr_array):
        at = np.repeat(np.arange(cosines.shape[0]), np.diff(cosines.indptr))
        keep = (cosines.data > 0) & (cosines.data > bounds[cosines.indices])
        return csr_array((cosines.data[keep], (at[keep], cosines.indices[keep])), shape=cosines.shape)
    rows, columns = np.nonzero((cosines > 0) & (cosines > bounds))
    return csr_array((cosines[rows, columns], (rows, columns)), shape=cosines.shape)


def _neighbours(column: Matrix, k: int, *, centre: bool) -> Sparse:
    """Column j holds the cosines with item j's k nearest items."""
    vectors = unit_rows(column, centre=centre)
    return csr_array(nearest(vectors, vectors, k, exclude_self=True).T)


def nearest(queries: Matrix, items: Matrix, k: int, *, exclude_self: bool, eligible: Ints | None = None) -> Sparse:
    """Sparse ``[len(queries), len(items)]``: cosines with the k nearest items of each row, in bounded blocks.

    ``eligible`` limits the neighbours to some item numbers; ``exclude_self`` says that row i of both is the same item.
    """
    n = items.shape[0]
    wanted: Any = items if eligible is None else diags_array(_marked(eligible, n)) @ items
    columns = csr_array(wanted.T) if isinstance(wanted, csr_array) else wanted.T
    step = block_rows(n * cores())

    def found(start: int) -> Sparse:
        block: Any = queries[start : start + step] @ columns
        return keep_largest(without_self(block, start) if exclude_self else block, k, start)

    return csr_array(vstack(list(mapped(found, range(0, queries.shape[0], step))), format="csr"))


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
