"""The graph of users and items: edges, degrees, and products that are cut to their largest entries."""

from __future__ import annotations

from typing import cast

import numpy as np
from scipy.sparse import csr_array, vstack

from accord.core.arrays import Floats, Sparse
from accord.models.linear import block_rows, keep_largest


def positive_part(matrix: Sparse) -> Sparse:
    """A copy without the cells that are negative or zero."""
    kept = csr_array((np.maximum(matrix.data, 0), matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)
    kept.eliminate_zeros()
    return kept


def inverse_power(degrees: Floats, power: float) -> Floats:
    """``degrees ** -power``, zero where the degree is zero."""
    return np.where(degrees > 0, np.maximum(degrees, 1e-9) ** -power, 0).astype(np.float32)


def largest_products(left: Sparse, right: Sparse, k: int) -> Sparse:
    """``left @ right`` without its diagonal, the ``k`` largest positive entries of each row, in bounded blocks."""
    n = cast("tuple[int, int]", right.shape)[1]
    blocks: list[Sparse] = []
    for start in range(0, n, block_rows(n)):
        block = csr_array(left[start : start + block_rows(n)] @ right)
        at = np.repeat(np.arange(start, start + block.shape[0]), np.diff(block.indptr))
        block.data[at == block.indices] = 0
        blocks.append(keep_largest(block, k, start))
    stacked = vstack(blocks, format="csr") if blocks else csr_array((n, n), dtype=np.float32)
    return cast("Sparse", stacked)
