"""EASE, with side rows: a ridge regression of every item on all others, in closed form."""

from __future__ import annotations

from typing import cast

import numpy as np
from pydantic import Field
from scipy.linalg import lapack

from accord.core.arrays import Floats
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.models.gram import add_product, by_item, side_gram
from accord.models.linear import HistoryConfig
from accord.models.memory import MOST_ITEMS, check_dense
from accord.models.regressed import Regressed


class EaseConfig(HistoryConfig):
    """Regularisation and side information."""

    reg: float = Field(default=100.0, gt=0)
    """Added to the diagonal of the Gram matrix."""
    side: dict[str, float] = Field(default_factory=dict[str, float])
    """Weights of item columns (attributes, text vectors) stacked as further rows under the users; a column that the
    data lacks is left out."""
    max_items: int = Field(default=MOST_ITEMS, ge=1)
    """Above this the dense inverse (n^3 operations) is refused; and where its 8 n^2 bytes do not fit the memory."""


class Ease(Regressed):
    """``P = (X'X + sum_s w_s^2 F_s F_s' + reg I)^-1``, ``B = I - P / diag(P)``.

    X holds users x items, each F_s an encoded item column ``[n, dim]``. Steck, "Embarrassingly Shallow Autoencoders
    for Sparse Data", WWW 2019; with side rows: Jeunen, Van Balen and Goethals, "Closed-Form Models for Collaborative
    Filtering with Side-Information", RecSys 2020. One ``float32[n, n]`` array is filled,
    factored and inverted in place.
    """

    Config = EaseConfig
    learned_lately = ("precisions",)
    precisions: Floats | None = None
    """``float32[n]``: the diagonal of P."""

    def _fit(self, data: Dataset, run: Run) -> None:
        remedy = "Use local_ease or low_rank; or raise max_items if there is time and memory."
        check_dense(data.n_items, copies=2, remedy=remedy, most=self.config.max_items)
        gram = side_gram(data, self.config.side)
        users = by_item(data.matrix)
        add_product(gram, users, users)
        gram[np.diag_indices_from(gram)] += self.config.reg
        self.weights, self.precisions = regression(gram)

    def _inverse_diagonal(self) -> Floats | None:
        return self.precisions

    def _solved(self, targets: Floats, features: Floats) -> Floats:
        scaled = targets * cast("Floats", self.precisions)[:, None]
        return (scaled - cast("Floats", self.weights) @ scaled).astype(np.float32)  # P = (I - B) diag(P)


def inverse(gram: Floats) -> Floats:
    """The inverse of a Gram matrix (Fortran order, symmetric), which is overwritten."""
    factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
    if failed:
        raise CannotFit("the Gram matrix is not positive definite", remedy="Raise reg.")
    inverted, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    _mirror(inverted)
    return inverted.T  # symmetric: the same numbers, with rows contiguous


def regression(gram: Floats) -> tuple[Floats, Floats]:
    """``B`` with a zero diagonal, and diag(P), from the Gram matrix, which is overwritten (Fortran order)."""
    weights = inverse(gram)
    precisions = weights.diagonal().copy()
    weights /= -precisions[None, :]
    np.fill_diagonal(weights, 0.0)
    return weights, precisions


def regression_weights(gram: Floats) -> Floats:
    """``B`` alone."""
    return regression(gram)[0]


def _mirror(lower: Floats, block: int = 1024) -> None:
    """Copy the lower triangle onto the upper one, in place."""
    n = lower.shape[0]
    for start in range(0, n, block):
        stop = min(start + block, n)
        lower[start:stop, stop:] = lower[stop:, start:stop].T
        corner = lower[start:stop, start:stop]
        corner[np.triu_indices(stop - start, 1)] = corner.T[np.triu_indices(stop - start, 1)]
