"""Cosines of a few items with all others, without scaling all vectors each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy.sparse import csr_array

from accord.core.arrays import Floats, Longs, Matrix
from accord.models.content_rows import mean_row, row_lengths


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long the vectors of a column are, when the mean of the fitted ones is taken away."""

    mean: Floats | None
    """``float32[dim]``; None: nothing is taken away."""
    of: Floats
    """``float32[n]``; 0 for items without content."""

    @classmethod
    def kept(cls, known: Lengths | None, vectors: Matrix, items: Longs, *, centre: bool, over: int) -> Lengths:
        """What was known, with ``items`` measured; all, where nothing was."""
        return known.following(vectors, items) if known else cls.measured(vectors, centre=centre, over=over)

    @classmethod
    def measured(cls, vectors: Matrix, *, centre: bool, over: int) -> Lengths:
        """Of all rows; the first ``over`` make the mean."""
        mean = mean_row(cast("Matrix", vectors[:over])) if centre else None
        return cls(mean, _moved_lengths(vectors, mean))

    def following(self, vectors: Matrix, items: Longs) -> Lengths:
        """With the rows that have come since, and those of ``items`` measured anew."""
        late = np.arange(len(self.of), vectors.shape[0])
        lengths = np.append(self.of, _moved_lengths(cast("Matrix", vectors[late]), self.mean)).astype(np.float32)
        lengths[items] = _moved_lengths(cast("Matrix", vectors[items]), self.mean)
        return Lengths(self.mean, lengths)

    def cosines(self, vectors: Matrix, items: Longs) -> Matrix:
        """``float32[len(items), n]``, dense or sparse as the vectors are."""
        inverse = np.where(self.of > 0, 1 / np.maximum(self.of, 1e-9), 0).astype(np.float32)
        rows: Any = vectors[items]
        if isinstance(vectors, csr_array):
            found = csr_array(rows @ vectors.T)
            at = np.repeat(items, np.diff(found.indptr))
            values = (found.data * inverse[at] * inverse[found.indices]).astype(np.float32)
            return csr_array((values, found.indices, found.indptr), shape=found.shape)
        if self.mean is not None:
            rows = rows - self.mean
        found = rows @ vectors.T
        if self.mean is not None:
            found -= (rows @ self.mean)[:, None]
        found *= inverse[items][:, None]
        found *= inverse
        return found


def _moved_lengths(vectors: Matrix, mean: Floats | None) -> Floats:
    lengths = row_lengths(vectors)
    if mean is None or isinstance(vectors, csr_array):
        return lengths
    return np.where(lengths > 0, row_lengths(vectors - mean), 0).astype(np.float32)
