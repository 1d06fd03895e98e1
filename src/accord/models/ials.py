"""iALS: factors of implicit feedback, with every history folded in when it asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits

from accord.core.arrays import Doubles, Floats, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.part import State
from accord.core.queries import CELLS, Queries
from accord.core.run import Run
from accord.models.linear import HistoryConfig, HistoryReader
from accord.models.vectors import VectorSource


class IalsConfig(HistoryConfig):
    """Size and strength of the factorisation."""

    dim: int = Field(default=64, ge=1)
    """How many numbers describe an item."""
    alpha: float = Field(default=1.0, gt=0)
    """An event of weight w is believed ``1 + alpha w`` times as much as an item left alone."""
    reg: float = Field(default=10.0, gt=0)
    """Added to the diagonal of every least-squares problem."""
    epochs: int = Field(default=15, ge=1)
    """How often the factors of users and items are solved in turn."""


class Ials(VectorSource, HistoryReader):
    """``score(u, j) = x_u . y_j`` with ``x_u`` solved from the history against fixed item factors Y.

    ``x_u = (Y'Y + sum_i f_i (c_i - 1) y_i y_i' + reg I)^-1 sum_i f_i c_i y_i`` with the confidence ``c_i = 1 + alpha
    w_i`` and the recency ``f_i`` of each event: one that has faded away counts as if it had never been (Hu, Koren and
    Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008). An event of negative weight says
    no with confidence ``1 + alpha |w_i|``. Y is learned by the package ``implicit``; to score, NumPy is enough. Items
    without events get the lowest score of the others: a zero would place them above what the user does not like.
    """

    Config = IalsConfig
    learned = ("factors", "placed", "ordered")
    factors: Floats
    """``float32[n, dim]``: Y."""

    def _fit(self, data: Dataset, run: Run) -> None:
        believed = _confidences(data.matrix, self.config.alpha)
        if not believed.nnz:
            raise CannotFit("there is no event to learn from")
        self.placed = np.bincount(believed.indices, minlength=data.n_items) > 0
        self._keep(_factors(believed, self.config, int(run.rng("ials").integers(1 << 31))))

    def _keep(self, factors: Floats) -> None:
        self.factors = factors
        self._wide = factors.astype(np.float64)
        self._gram = self._wide.T @ self._wide + self.config.reg * np.eye(self._wide.shape[1])
        self._inverse = np.linalg.inv(self._gram)

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave. Raises ``ArtefactError`` where an array is missing."""
        older = {"placed": arrays["touched"]} if "touched" in arrays else {}  # its name in the first versions
        super().load_state(arrays | older)
        self._keep(self.factors)
        return self

    @property
    def _shown(self) -> Floats:
        return self.factors

    def _states(self, queries: Queries) -> Floats:
        return self.fold_in(queries)

    def fold_in(self, queries: Queries) -> Floats:
        """``float32[B, dim]``: the factor of each history; zero for an empty one."""
        kept, weights = self._read(queries.history)
        _, fading = self._read(replace(kept, weights=np.ones_like(kept.weights)))  # the same cells in the same order
        extra = self.config.alpha * np.abs(weights.data)
        wanted = (fading.data * np.sign(weights.data) + self.config.alpha * weights.data) * (weights.data > 0)
        dim, lengths = self.factors.shape[1], np.diff(weights.indptr)
        out = np.zeros((len(queries), dim), np.float32)
        for length in np.unique(lengths[lengths > 0]).tolist():
            alike = np.flatnonzero(lengths == length)
            step = max(1, CELLS // (2 * max(length, dim) * dim))
            for start in range(0, len(alike), step):
                rows = alike[start : start + step]
                cells = weights.indptr[rows][:, None] + np.arange(length)
                out[rows] = self._solved(self._wide[weights.indices[cells]], extra[cells], wanted[cells])
        return out

    def _solved(self, rows: Doubles, extra: Doubles, wanted: Doubles) -> Doubles:
        """``float64[B, dim]``: ``(G + Y_u' E Y_u)^-1 Y_u' w`` for histories of one length h, E = diag(extra).

        ``rows``: ``float64[B, h, dim]``, the factors Y_u of each history. Where h < dim it is a problem of h unknowns
        (Woodbury): with ``Z = Y_u G^-1`` the answer is ``Z' (w - (I + E Z Y_u')^-1 E Z Y_u' w)``.
        """
        turned = rows.transpose(0, 2, 1)
        if rows.shape[1] >= rows.shape[2]:
            left = self._gram + (turned * extra[:, None, :]) @ rows
            return np.linalg.solve(left, turned @ wanted[:, :, None])[:, :, 0]
        placed = rows @ self._inverse
        inner = extra[:, :, None] * (placed @ turned)
        taken = np.linalg.solve(inner + np.eye(rows.shape[1]), inner @ wanted[:, :, None])
        return ((wanted[:, None, :] - taken.transpose(0, 2, 1)) @ placed)[:, 0]


def _factors(believed: Sparse, config: IalsConfig, seed: int) -> Floats:
    """``float32[n, dim]``: item factors learned by ``implicit``, which only learning needs."""
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ModuleNotFoundError:
        raise CannotFit(
            "ials learns with the package implicit, which is not installed", remedy="pip install '.[als]'."
        ) from None
    with threadpool_limits(1, "blas"):  # implicit has threads of its own, one problem each, and warns of others
        model = AlternatingLeastSquares(
            factors=config.dim, regularization=config.reg, iterations=config.epochs, random_state=seed
        )
        model.fit(csr_matrix(believed), show_progress=False)
    return np.asarray(model.item_factors, np.float32)


def _confidences(matrix: Sparse, alpha: float) -> Sparse:
    """What ``implicit`` reads: ``1 + alpha |w|`` with the sign of w; a weight of zero says nothing."""
    data = np.sign(matrix.data) + np.float32(alpha) * matrix.data
    out = csr_array((data, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)
    out.eliminate_zeros()
    return out
