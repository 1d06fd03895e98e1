"""Spectral: two filters of the item graph, near neighbours and a smooth low-rank part (GF-CF)."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, diags_array
from sklearn.utils.extmath import randomized_svd

from accord.core.arrays import Floats, Ints, Longs, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.models.graph import inverse_power, largest_products, positive_part
from accord.models.linear import HistoryConfig, LinearItems

NOTHING = 1e-5
"""Singular values below this share of the largest are rounding errors of zero."""
SMALL = 300
"""Up to so many users or items the decomposition is exact."""
PASSES = 4
"""Power iterations of the randomised decomposition (Halko, Martinsson and Tropp, SIAM Review 2011)."""


class SpectralConfig(HistoryConfig):
    """The two filters and their sum."""

    dim: int | None = Field(default=None, ge=1)
    """How many singular vectors the low-pass filter lets through; None: one for every 32 users or items, whichever are
    fewer, but 16 at least and 512 at most."""
    alpha: float = Field(default=0.1, ge=0)
    """Weight of the low-pass filter beside the neighbours."""
    user_power: float = Field(default=0.35, ge=0)
    """How much a user with many events counts less in each of them (u); 1/2 in the paper."""
    item_power: float = Field(default=0.4, ge=0, le=1)
    """How much a neighbour with many events counts less (p); 1/2 in the paper, less for more popular neighbours."""
    k: int = Field(default=1000, ge=1)
    """How many neighbours each item keeps; they take ``8 k n`` bytes."""


class Spectral(LinearItems):
    """``W = D^(p-1/2) R~'R~ D^(1/2-p) / s^2 + alpha D^-1/2 V V' D^1/2`` with ``R~ = D_users^-u R D^-1/2``.

    R holds the events without negative weights, D and D_users the degrees of items and users, V the leading right
    singular vectors of R~; s is the largest singular value, so that both filters pass the smoothest signal in full.
    Shen et al., "How Powerful is Graph Convolution for Recommendation?" (GF-CF: u = p = 1/2, where s = 1), CIKM
    2021. Neither part is formed in full: of the first each item keeps its ``k`` largest neighbours, made in bounded
    blocks, and the second stays two thin factors.
    """

    Config = SpectralConfig
    learned = ("weights", "vectors", "degrees", "ordered")
    read_late = frozenset({"tau", "last", "alpha"})
    vectors: Floats
    """``float32[n, dim]``: V."""
    degrees: Floats
    """``float32[n]``: the diagonal of D."""

    def _fit(self, data: Dataset, run: Run) -> None:
        edges = positive_part(data.matrix)
        if not edges.nnz:
            raise CannotFit("there is no event to learn from")
        self.degrees = np.asarray(edges.sum(axis=0), np.float32)
        users = inverse_power(np.asarray(edges.sum(axis=1), np.float32), self.config.user_power)
        graph = csr_array(diags_array(users) @ edges @ diags_array(inverse_power(self.degrees, 0.5)))
        largest, self.vectors = _decomposed(graph, self.config.dim or _width(graph), run.rng("spectral"))
        shift = diags_array(inverse_power(self.degrees, self.config.item_power - 0.5))
        back = diags_array(inverse_power(self.degrees, 0.5 - self.config.item_power) / largest**2)
        self.weights = largest_products(csr_array(back @ graph.T), csr_array(graph @ shift), self.config.k)

    def _fitted(self, read: Sparse) -> Floats:
        smooth = (read @ diags_array(inverse_power(self.degrees, 0.5))) @ self.vectors @ self.vectors.T
        smooth *= np.float32(self.config.alpha) * np.sqrt(self.degrees)
        smooth += super()._fitted(read)
        return smooth

    def _block(self, rows: Longs, columns: Longs | Ints) -> Floats:
        scale = inverse_power(self.degrees[rows], 0.5)[:, None] * np.sqrt(self.degrees[columns])
        smooth = self.vectors[rows] @ self.vectors[columns].T * scale
        return (super()._block(rows, columns) + np.float32(self.config.alpha) * smooth).astype(np.float32)


def _width(graph: Sparse) -> int:
    return min(512, max(16, min(graph.shape) // 32))


def _decomposed(graph: Sparse, dim: int, rng: np.random.Generator) -> tuple[np.float32, Floats]:
    """The largest singular value, and the leading right vectors ``float32[n, dim']``; those of value zero left out."""
    if min(graph.shape) > max(SMALL, 2 * dim):
        settings: dict[str, Any] = {"n_iter": PASSES, "random_state": int(rng.integers(1 << 31))}
        _, values, rows = randomized_svd(graph, dim, n_oversamples=dim // 4, **settings)
    else:
        _, values, rows = np.linalg.svd(graph.toarray().astype(np.float64), full_matrices=False)
    kept = values[:dim] > NOTHING * values[0]
    return np.float32(values[0]), np.ascontiguousarray(rows[:dim][kept].T, np.float32)
