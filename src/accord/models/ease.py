"""EASE, with side rows: a ridge regression of every item on all others, in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field
from scipy.linalg import lapack
from scipy.sparse import csr_array

from accord.core.arrays import Floats, Matrix
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.models.linear import HistoryConfig, LinearItems, block_rows


class EaseConfig(HistoryConfig):
    """Regularisation and side information."""

    reg: float = Field(default=100.0, gt=0)
    """Added to the diagonal of the Gram matrix."""
    side: dict[str, float] = Field(default_factory=dict[str, float])
    """Weights of item columns (attributes, text vectors) stacked as further rows under the users; a column that the
    data lacks is left out."""
    max_items: int = Field(default=25_000, ge=1)
    """Above this the dense inverse (4 n^2 bytes, n^3 operations) is refused."""


class Ease(LinearItems):
    """``P = (X'X + sum_s w_s^2 F_s F_s' + reg I)^-1``, ``B = I - P / diag(P)``.

    X holds users x items, each F_s an encoded item column ``[n, dim]``. Steck, "Embarrassingly Shallow Autoencoders
    for Sparse Data", WWW 2019; with side rows: Jeunen, Van Balen and Goethals, "Closed-Form Models for Collaborative
    Filtering with Side-Information", RecSys 2020. One ``float32[n, n]`` array is filled,
    factored and inverted in place.
    """

    Config = EaseConfig

    def _fit(self, data: Dataset, run: Run) -> None:
        if data.n_items > self.config.max_items:
            raise CannotFit(
                f"a dense inverse over {data.n_items:,} items would need {4e-9 * data.n_items**2:.1f} GB",
                value=data.n_items,
                remedy="Raise max_items if the memory is there.",
            )
        gram = np.zeros((data.n_items, data.n_items), np.float32, order="F")
        by_item = csr_array(data.matrix.T)
        _add_gram(gram, by_item, 1.0)
        for name, weight in self.config.side.items():
            if name in data.vectors and weight:
                _add_gram(gram, data.vectors[name], weight**2)
        gram[np.diag_indices_from(gram)] += self.config.reg
        self.weights = _regression_weights(gram)


def _add_gram(gram: Floats, rows: Matrix, weight: float) -> None:
    """Add ``weight * rows @ rows.T`` to ``gram`` in place, a bounded block of columns at a time."""
    n = gram.shape[0]
    for start in range(0, n, block_rows(n)):
        block = slice(start, min(start + block_rows(n), n))
        product: Any = rows @ rows[block].T
        dense = product.toarray() if isinstance(product, csr_array) else product
        gram[:, block] += np.float32(weight) * dense


def _regression_weights(gram: Floats) -> Floats:
    """``B`` with a zero diagonal from the Gram matrix, which is overwritten (Fortran order, symmetric)."""
    factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
    if failed:
        raise CannotFit("the Gram matrix is not positive definite", remedy="Raise reg.")
    inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
    _mirror(inverse)
    diagonal = inverse.diagonal().copy()
    weights = inverse.T  # symmetric: the same numbers, with rows contiguous
    weights /= -diagonal[None, :]
    np.fill_diagonal(weights, 0.0)
    return weights


def _mirror(lower: Floats, block: int = 1024) -> None:
    """Copy the lower triangle onto the upper one, in place."""
    n = lower.shape[0]
    for start in range(0, n, block):
        stop = min(start + block, n)
        lower[start:stop, stop:] = lower[stop:, start:stop].T
        corner = lower[start:stop, start:stop]
        corner[np.triu_indices(stop - start, 1)] = corner.T[np.triu_indices(stop - start, 1)]
