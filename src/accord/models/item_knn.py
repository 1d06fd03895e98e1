"""Item-kNN: items that the same people touched."""

from __future__ import annotations

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, vstack

from accord.core.dataset import Dataset
from accord.core.run import Run
from accord.models.linear import HistoryConfig, LinearItems, block_rows, keep_largest


class ItemKNNConfig(HistoryConfig):
    """Neighbourhood."""

    k: int = Field(default=100, ge=1)
    """How many neighbours each item keeps."""
    shrink: float = Field(default=5.0, ge=0)
    """Added to the denominator, so that a similarity seen once or twice counts little."""


class ItemKNN(LinearItems):
    """Shrunk cosine between the columns of the users x items matrix, the best k neighbours of each item kept.

    ``sim(i, j) = x_i . x_j / (|x_i| |x_j| + shrink)`` (Sarwar et al., WWW 2001; shrinkage as in Bell and Koren, 2007).
    """

    Config = ItemKNNConfig

    def _fit(self, data: Dataset, run: Run) -> None:
        self.weights = co_occurrence(data.matrix, self.config.k, self.config.shrink)


def co_occurrence(matrix: csr_array, k: int, shrink: float) -> csr_array:
    """Sparse ``[n, n]``: column j holds the similarities of item j's best k neighbours. Works in bounded blocks."""
    n = matrix.shape[1]
    by_item = csr_array(matrix.T)
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0))).astype(np.float32)
    blocks: list[csr_array] = []
    for start in range(0, n, block_rows(n)):
        rows = np.arange(start, min(start + block_rows(n), n))
        block = (by_item[rows] @ matrix).toarray()
        block /= norms[rows, None] * norms[None, :] + shrink + 1e-9
        block[rows - start, rows] = 0
        blocks.append(keep_largest(block, k))
    return csr_array(vstack(blocks, format="csr").T) if blocks else csr_array((n, n), dtype=np.float32)
