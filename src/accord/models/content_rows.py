"""Vectors of content, brought to length one."""

from __future__ import annotations

from typing import cast

import numpy as np
from scipy.sparse import csr_array

from accord.core.arrays import Floats, Longs, Matrix
from accord.core.errors import CannotFit


def row_lengths(rows: Matrix) -> Floats:
    """``float32[n]``: Euclidean lengths."""
    if isinstance(rows, csr_array):
        return np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1))).astype(np.float32)
    return np.linalg.norm(rows, axis=1)


def unit_rows(
    vectors: Matrix,
    *,
    centre: bool = False,
    over: int | None = None,
    rows: Longs | None = None,
    mean: Floats | None = None,
) -> Matrix:
    """Rows of length 1; a zero row (no content) stays zero, also when the mean of the others is taken away.

    ``over``: only the first so many rows make the mean. ``rows``: only these are returned. ``mean``:
    what is taken away, where it is known. Raises ``CannotFit`` where
    no item has content, or where sparse vectors would have to be centred.
    """
    if centre and isinstance(vectors, csr_array):
        raise CannotFit("sparse vectors cannot be centred", remedy="Set centre = false or read a dense column.")
    if centre and mean is None:
        mean = mean_row(vectors if over is None else cast("Matrix", vectors[:over]))
    wanted = vectors if rows is None else cast("Matrix", vectors[rows])
    lengths = row_lengths(wanted)
    if rows is None and not (lengths > 0).any():
        raise CannotFit("no item has content")
    if isinstance(wanted, csr_array):
        scaled = csr_array(wanted.multiply(1.0 / np.maximum(lengths, 1e-9)[:, None]))
        return csr_array((scaled.data.astype(np.float32), scaled.indices, scaled.indptr), shape=wanted.shape)
    moved = wanted if mean is None else wanted - mean
    unit = moved / np.maximum(row_lengths(moved), 1e-9)[:, None]
    return np.where((lengths > 0)[:, None], unit, 0).astype(np.float32)


def mean_row(vectors: Matrix) -> Floats:
    """Of the rows with content; dense vectors alone."""
    some = row_lengths(vectors) > 0
    if not some.any():
        raise CannotFit("no item has content")
    return np.asarray(vectors[some].mean(axis=0), np.float32)
