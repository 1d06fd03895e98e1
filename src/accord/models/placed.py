"""Items that came after the fit: what content says of them, beside a fitted matrix of items by items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self, cast

import numpy as np
from scipy.sparse import coo_array, csr_array

from accord.core.arrays import Bools, Floats, Longs, Matrix, Sparse, offsets_of, stacked
from accord.core.errors import ArtefactError
from accord.core.part import State, pack, under, unpack

MOST = 1_000
"""The most items that may speak for a placed item, and that it may speak for: those of the largest weights."""
PREFIX = "placed."


@dataclass(frozen=True, slots=True)
class Block:
    """What a source says of some items by their content alone."""

    columns: Sparse
    """``float32[n, b]``: what each item of a history says of them."""
    rows: Sparse
    """``float32[b, n]``: what they say of each item."""
    precisions: Floats
    """``float32[b]``: the diagonal of the inverse Gram matrix at these items, for regressions; else zero."""

    @classmethod
    def of(cls, columns: Any, rows: Any = None, precisions: Floats | None = None) -> Self:
        """From sparse matrices; without ``rows`` the items say nothing of others."""
        n, b = columns.shape
        told = _nothing(b, n) if rows is None else csr_array(rows)
        return cls(csr_array(columns), told, np.zeros(b, np.float32) if precisions is None else precisions)


@dataclass(frozen=True, slots=True)
class Placed:
    """The last m of n items, placed by content; a fitted matrix W holds the others.

    W itself is never copied: a score is ``[h W + h_new rows, h columns]`` for a history h.
    """

    columns: Sparse
    """``float32[n, m]``: what each item of a history says of the placed ones."""
    rows: Sparse
    """``float32[m, n - m]``: what each placed item of a history says of the fitted ones."""
    precisions: Floats
    """``float32[m]``; see ``Block``."""

    @classmethod
    def nothing(cls, n: int) -> Self:
        """No placed item beside ``n`` fitted ones."""
        return cls(_nothing(n, 0), _nothing(0, n), np.empty(0, np.float32))

    @property
    def fitted(self) -> int:
        """How many items the fitted matrix holds."""
        return self.rows.shape[1]

    def with_room(self, n: int) -> Placed:
        """For a catalogue of ``n`` items; nothing is known of the new ones."""
        m = n - self.fitted
        precisions = np.pad(self.precisions, (0, m - len(self.precisions)))
        return Placed(resized(self.columns, n, m), resized(self.rows, m, self.fitted), precisions)

    def with_block(self, items: Longs, block: Block) -> Placed:
        """With what a block says of some placed items, in place of what was known of them."""
        n, m = self.columns.shape
        places = items - self.fitted
        mine, nothing = _marked(places, m), np.zeros(n, dtype=bool)
        cleared = replace(
            self,
            columns=without(self.columns, nothing, mine),
            rows=without(self.rows, mine, nothing[: self.fitted]),
            precisions=np.where(mine, 0, self.precisions).astype(np.float32),
        )
        return cleared.with_new(items, block)

    def with_new(self, items: Longs, block: Block) -> Placed:
        """With what a block says of placed items of which nothing but what others say was known.

        One pass over the entries, so that an item after thousands costs little.
        """
        shape = n, m = self.columns.shape
        places = items - self.fitted
        mine, nobody = _marked(places, m), np.zeros(len(items), dtype=bool)
        voices = moved(without(block.rows[:, self.fitted :], nobody, mine), items, None, shape)
        heard = moved(block.columns, None, places, shape)
        said = self.columns[items].nnz > 0  # by items of a later piece, or of an edit, which say it anew
        kept = without(self.columns, _marked(items, n), np.zeros(m, dtype=bool)) if said else self.columns
        rows = moved(block.rows[:, : self.fitted], places, None, (m, self.fitted))
        precisions = self.precisions.copy()
        precisions[places] = block.precisions
        return Placed(_together([kept, _together([voices, heard])]), _together([self.rows, rows]), precisions)

    def with_voices(self, items: Longs, block: Block) -> Placed:
        """With what fitted items say of the placed ones, in place of what they said."""
        shape = n, m = self.columns.shape
        kept = without(self.columns, _marked(items, n), np.zeros(m, dtype=bool))
        return replace(self, columns=_together([kept, moved(block.rows[:, self.fitted :], items, None, shape)]))

    def with_columns(self, columns: Sparse) -> Placed:
        """The same with other columns."""
        return replace(self, columns=columns)

    def state(self) -> State:
        """The arrays, named apart from those of the fit."""
        named = {"columns": self.columns, "rows": self.rows, "precisions": self.precisions}
        return {PREFIX + name: array for name, array in pack(named).items()}

    @classmethod
    def of_state(cls, arrays: State, n: int, owner: str) -> Self | None:
        """What ``state`` gave; None where nothing was placed. ``n``: the size of the catalogue."""
        own = under(arrays, PREFIX)
        if not own:
            return None
        placed = cls(*(unpack(own, name, owner) for name in ("columns", "rows", "precisions")))
        m = len(placed.precisions)
        if placed.columns.shape != (n, m) or placed.rows.shape != (m, n - m):
            raise ArtefactError(f"the placed items of {owner} do not fit its catalogue", value=placed.columns.shape)
        return placed


def resized(matrix: Sparse, n_rows: int, n_columns: int) -> Sparse:
    """The same entries in a larger shape; the arrays of the entries are shared."""
    offsets = np.pad(matrix.indptr, (0, n_rows - matrix.shape[0]), mode="edge")
    return csr_array((matrix.data, matrix.indices, offsets), shape=(n_rows, n_columns))


def largest(dense: Floats, items: Longs, most: int = MOST) -> Sparse:
    """``float32[b, n]``, sparse: the entries of each row that are largest in size, none at column ``items[row]``."""
    n = dense.shape[1]
    size = np.abs(dense, order="C")
    size[np.arange(len(items)), items] = 0
    bounds = np.zeros(len(items), np.float32)
    if n > most:
        bounds = np.partition(size, n - most, axis=1)[:, n - most]
    cells = np.flatnonzero((size >= bounds[:, None]) & (size > 0))  # of one flat array: several times faster
    rows, columns = np.divmod(cells, n)
    return csr_array(
        (dense[rows, columns], columns, offsets_of(np.bincount(rows, minlength=len(items)))), shape=dense.shape
    )


def with_items_replaced(matrix: Sparse, items: Longs, block: Block, *, rows: bool) -> Sparse:
    """A square matrix whose columns ``items`` (with ``rows``, the rows too) are those of a block."""
    n = matrix.shape[0]
    chosen, none = _marked(items, n), np.zeros(n, dtype=bool)
    parts = [without(matrix, chosen if rows else none, chosen), moved(block.columns[:n], None, items, (n, n))]
    if rows:
        told = without(block.rows[:, :n], np.zeros(len(items), dtype=bool), chosen)
        parts.append(moved(told, items, None, (n, n)))
    return _together(parts)


def runs(items: Longs, most: int) -> Iterator[Longs]:
    """Ascending numbers in pieces of at most ``most`` without a gap."""
    for piece in np.split(items, np.flatnonzero(np.diff(items) != 1) + 1):
        for start in range(0, len(piece), most):
            yield piece[start : start + most]


def with_rows(matrix: Matrix, rows: Longs, values: Matrix) -> Matrix:
    """A copy with some rows replaced; the matrix itself where there are none."""
    if not len(rows):
        return matrix
    order = np.arange(matrix.shape[0])
    order[rows] = matrix.shape[0] + np.arange(len(rows))
    return cast("Matrix", stacked(matrix, values)[order])


def _marked(numbers: Longs, n: int) -> Bools:
    marks = np.zeros(n, dtype=bool)
    marks[numbers] = True
    return marks


def without(matrix: Any, rows: Bools, columns: Bools) -> Sparse:
    """Without the entries of some rows and columns (masks)."""
    entries = matrix.tocoo()
    keep = ~(rows[entries.row] | columns[entries.col])
    return csr_array((entries.data[keep], (entries.row[keep], entries.col[keep])), shape=matrix.shape)


def moved(block: Any, rows: Longs | None, columns: Longs | None, shape: tuple[int, int]) -> Sparse:
    """``float32``: the entries of a block at the given rows and columns of a larger matrix; None: where they are."""
    entries = coo_array(block)
    at = entries.row if rows is None else rows[entries.row]
    across = entries.col if columns is None else columns[entries.col]
    return csr_array((entries.data.astype(np.float32), (at, across)), shape=shape)


def _nothing(n_rows: int, n_columns: int) -> Sparse:
    return cast("Sparse", csr_array((n_rows, n_columns), dtype=np.float32))


def _together(parts: list[Sparse]) -> Sparse:
    total: Any = parts[0]
    for part in parts[1:]:
        total = total + part
    return csr_array(total)
