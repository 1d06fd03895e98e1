"""Low-rank EASE: the Gram matrix as a few directions and a diagonal, so that its inverse is one small matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field
from scipy.linalg import solve_triangular
from scipy.sparse import csr_array, hstack
from sklearn.utils.extmath import randomized_svd

from accord.core.arrays import Doubles, Floats, Ints, Longs, Matrix, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.models.linear import HistoryConfig
from accord.models.memory import dense_fits
from accord.models.regressed import Regressed

OVERSAMPLED, POWERS = 20, 3
"""Extra directions and power iterations of the randomised decomposition."""


class LowRankConfig(HistoryConfig):
    """Rank, regularisation and side information."""

    dim: int = Field(default=256, ge=1)
    """How many directions of the Gram matrix are kept; all of them make this EASE."""
    reg: float = Field(default=100.0, gt=0)
    """Added to the diagonal of the Gram matrix."""
    side: dict[str, float] = Field(default_factory=dict[str, float])
    """Weights of item columns (attributes, text vectors) stacked as further rows under the users; a column that the
    data lacks is left out."""
    min_items: int = Field(default=0, ge=0)
    """Refused up to so many items where dense matrices fit the memory: there ``ease`` is exact. 0: never refused."""


class LowRank(Regressed):
    """EASE with ``G = V S V' + D``: the best ``dim`` directions, and what they leave of each item's own count.

    By Woodbury's identity ``P = (V S V' + L)^-1 = 1/L - F F'`` with ``L = D + reg`` and
    ``F F' = L^-1 V (S^-1 + V' L^-1 V)^-1 V' L^-1``, so ``B = F F' / diag(P)`` off the diagonal. Only F and diag(P) are
    kept: ``4 n (dim + 2)`` bytes. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019; directions by
    Halko, Martinsson and Tropp, "Finding Structure with Randomness", SIAM Review 2011. In place of the gradient
    descent of ELSA (Vancura et al., RecSys 2022), which has the same shape, nothing is iterated on.
    """

    Config = LowRankConfig
    learned = ("factors", "gains", "own", "ordered")
    factors: Floats
    """``float32[n, dim]``: F."""
    gains: Floats
    """``float32[n]``: ``1 / diag(P)``."""
    own: Floats
    """``float32[n]``: the diagonal of ``F F' / diag(P)``, which is taken away."""

    def _fit(self, data: Dataset, run: Run) -> None:
        if data.n_items <= self.config.min_items and dense_fits(data.n_items, copies=2):
            raise CannotFit(f"{data.n_items:,} items fit a dense inverse, which is exact", remedy="Use ease.")
        stacked = self._stacked(data)
        counts = np.asarray(stacked.multiply(stacked).sum(axis=1), np.float64)
        dim = min(self.config.dim, min(stacked.shape))
        vectors, values = _directions(stacked, dim, int(run.rng("directions").integers(2**31)))
        rest = np.maximum(counts - (vectors * vectors) @ values, 0) + self.config.reg
        factors = _factors(vectors, values, rest)
        squares = np.einsum("ij,ij->i", factors, factors)
        gains = 1 / np.maximum(1 / rest - squares, 1e-12)
        self.factors, self.gains = factors.astype(np.float32), gains.astype(np.float32)
        self.own = (squares * gains).astype(np.float32)

    def _stacked(self, data: Dataset) -> Any:
        """``float32[n, rows]``, sparse: users and weighted side rows, items down."""
        columns = [csr_array(data.matrix.T)]
        columns += [
            csr_array(weight * data.vectors[name]) for name, weight in self.config.side.items() if name in data.vectors
        ]
        return csr_array(hstack(columns, format="csr"))

    def _inverse_diagonal(self) -> Floats:
        return (1 / self.gains).astype(np.float32)

    def _solved(self, targets: Floats, features: Floats) -> Floats:
        alone = targets * ((1 + self.own) / self.gains)[:, None]
        return (alone - self.factors @ (self.factors.T @ targets)).astype(np.float32)

    def _fitted(self, read: Sparse) -> Floats:
        scores = ((read @ self.factors) @ self.factors.T) * self.gains
        at = np.repeat(np.arange(read.shape[0]), np.diff(read.indptr))
        scores[at, read.indices] -= read.data * self.own[read.indices]
        return scores

    def _block(self, rows: Longs, columns: Longs | Ints) -> Floats:
        block = (self.factors[rows] @ self.factors[columns].T) * self.gains[columns]
        return np.where(rows[:, None] == columns, np.float32(0), block).astype(np.float32)


def _directions(matrix: Matrix, dim: int, seed: int) -> tuple[Doubles, Doubles]:
    """The best ``dim`` left singular vectors ``[n, dim]`` and the squares of their singular values."""
    settings: dict[str, Any] = {"n_oversamples": OVERSAMPLED, "n_iter": POWERS, "random_state": seed}
    vectors, values, _ = randomized_svd(matrix, dim, **settings)
    some = values > 1e-4 * values.max(initial=1e-30)
    return vectors[:, some].astype(np.float64), values[some].astype(np.float64) ** 2


def _factors(vectors: Doubles, values: Doubles, rest: Doubles) -> Doubles:
    """F of the class's docstring."""
    scaled = vectors / rest[:, None]
    inner = np.diag(1 / values) + vectors.T @ scaled
    return solve_triangular(np.linalg.cholesky(inner), scaled.T, lower=True).T
