"""Gram matrices of items: what every dense closed form starts from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from accord.core.arrays import Floats, Matrix, Sparse
from accord.core.dataset import Dataset
from accord.models.linear import block_rows


def side_gram(data: Dataset, weights: Mapping[str, float]) -> Floats:
    """``float32[n, n]`` in Fortran order: ``sum_s w_s^2 F_s F_s'`` over the item columns that the data has."""
    gram = np.zeros((data.n_items, data.n_items), np.float32, order="F")
    for column, weight in side_columns(data, weights):
        add_product(gram, column, column, weight)
    return gram


def side_columns(data: Dataset, weights: Mapping[str, float]) -> list[tuple[Matrix, float]]:
    """The item columns that the data has and that count, with ``w_s^2``."""
    return [(data.vectors[name], weight**2) for name, weight in weights.items() if name in data.vectors and weight]


def add_product(gram: Floats, left: Matrix, right: Matrix, weight: float = 1.0) -> None:
    """Add ``weight * left @ right.T`` to ``gram`` in place, a bounded block of columns at a time."""
    n_rows, n_columns = gram.shape
    for start in range(0, n_columns, block_rows(n_rows)):
        block = slice(start, min(start + block_rows(n_rows), n_columns))
        product: Any = left @ right[block].T
        dense = product.toarray() if isinstance(product, csr_array) else product
        gram[:, block] += np.float32(weight) * dense


def by_item(matrix: Sparse) -> Sparse:
    """The transpose of a sparse matrix, again by rows."""
    return csr_array(matrix.T)


def transposed_in_place(square: Floats, block: int = 1024) -> Floats:
    """The same array with its rows and columns exchanged, without a second one beside it."""
    n = square.shape[0]
    for top in range(0, n, block):
        rows = slice(top, top + block)
        for left in range(top, n, block):
            columns = slice(left, left + block)
            corner = square[rows, columns].copy()
            square[rows, columns] = square[columns, rows].T
            square[columns, rows] = corner.T
    return square
