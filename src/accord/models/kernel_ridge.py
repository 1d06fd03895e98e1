"""Kernel ridge regression of the columns of an item matrix on content, each item predicted by the others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

from accord.core.arrays import Floats, Longs, Sparse
from accord.models.ease import inverse
from accord.models.kernel import Kernel
from accord.models.linear import block_rows


class Predictor(ABC):
    """Columns ``T (K + reg I)^-1 K[:, j]`` of any items j, learned from those of the touched items.

    T, ``taught``: ``float32[n, n]``, of which the columns of ``touched`` are read. A touched item is predicted without
    its own column, as if the regression had been solved again: with ``h = 1 - reg P[j, j]``, ``P = (K + reg I)^-1``,
    that is ``(prediction - h own) / (1 - h)`` (Allen, "The Relationship between Variable Selection and Data
    Augmentation and a Method for Prediction", Technometrics 1974).
    """

    def __init__(self, kernel: Kernel, taught: Sparse, touched: Longs, reg: float) -> None:
        self.kernel, self.touched, self.reg = kernel, touched, np.float32(reg)
        self.n = taught.shape[0]
        self.place = np.full(self.n, -1)
        self.place[touched] = np.arange(len(touched))
        self.lenders = csr_array(taught[:, touched])
        self.rows = csr_array(self.lenders.T)

    coefficients: Floats = np.empty((0, 0), np.float32)
    """``float32[dim, n]``: what makes columns of features; of a regression that was solved by dimension alone."""

    def blocks(self, items: Longs) -> Iterator[tuple[int, Floats]]:
        """Where each block of ``items`` starts, and its predicted columns as rows: ``float32[b, n]``."""
        step = block_rows(self.n)
        for start in range(0, len(items), step):
            yield start, self._left_out(items[start : start + step])

    def _left_out(self, items: Longs) -> Floats:
        out, leverage = self._predicted(items)
        places = self.place[items]
        warm = np.flatnonzero(places >= 0)
        own = self.rows[places[warm]].toarray()
        h = leverage[warm][:, None]
        out[warm] = (out[warm] - h * own) / np.maximum(1 - h, 1e-6)
        return out

    @abstractmethod
    def _predicted(self, items: Longs) -> tuple[Floats, Floats]:
        """``float32[b, n]``, the items' own columns being among what was learned, and leverages h ``float32[b]``."""


class Primal(Predictor):
    """Solved by dimension, for vectors of few: ``(F'F + reg I)^-1``; ``4 n dim`` bytes."""

    def __init__(self, kernel: Kernel, taught: Sparse, touched: Longs, reg: float) -> None:
        super().__init__(kernel, taught, touched, reg)
        self.features = kernel.features()
        known = self.features[touched]
        gram = np.asfortranarray(known.T @ known)
        gram[np.diag_indices_from(gram)] += self.reg
        self.inverted = inverse(gram)
        self.coefficients = self.inverted @ (self.lenders @ known).T

    def _predicted(self, items: Longs) -> tuple[Floats, Floats]:
        rows = self.features[items]
        return rows @ self.coefficients, np.einsum("ij,ij->i", rows @ self.inverted, rows)


class Dual(Predictor):
    """Solved by item, for vectors of any width: one inverse over the touched items, ``8 n^2`` bytes at its peak."""

    def __init__(self, kernel: Kernel, taught: Sparse, touched: Longs, reg: float) -> None:
        super().__init__(kernel, taught, touched, reg)
        gram = np.asfortranarray(kernel.between(touched, touched))
        gram[np.diag_indices_from(gram)] += self.reg
        self.inverted = inverse(gram)

    def _predicted(self, items: Longs) -> tuple[Floats, Floats]:
        places = self.place[items]
        warm = np.flatnonzero(places >= 0)
        at = places[warm]
        mixing = np.empty((len(self.touched), len(items)), np.float32)  # P K = I - reg P needs no further product
        mixing[:, warm] = -self.reg * self.inverted[:, at]
        mixing[at, warm] += 1
        strange = places < 0
        mixing[:, strange] = self.inverted @ self.kernel.between(self.touched, items[strange])
        leverage = np.zeros(len(items), np.float32)
        leverage[warm] = 1 - self.reg * self.inverted[at, at]
        return np.ascontiguousarray((self.lenders @ mixing).T), leverage


STEPS = 300
"""The most steps of conjugate gradients."""
PRECISE = 1e-6
"""The residual, as a share of the target's length, at which they stop."""


def mixing(kernel: Kernel, touched: Longs, items: Longs, reg: float) -> Floats:
    """``float32[len(touched), len(items)]``: ``(K + reg I)^-1 K[touched, items]`` by conjugate gradients.

    For a few items that come after the fit: nothing of items by items is formed (Hestenes and Stiefel, "Methods of
    Conjugate Gradients for Solving Linear Systems", 1952).
    """
    rest = np.ascontiguousarray(kernel.between(touched, items))
    found, step = np.zeros_like(rest), rest.copy()
    squares = np.einsum("ij,ij->j", rest, rest)
    enough = PRECISE**2 * np.maximum(squares, 1e-30)
    for _ in range(STEPS):
        if np.all(squares <= enough):
            break
        moved = kernel.products(touched, step) + np.float32(reg) * step
        length = squares / np.maximum(np.einsum("ij,ij->j", step, moved), 1e-30)
        found += length * step
        rest -= length * moved
        before, squares = squares, np.einsum("ij,ij->j", rest, rest)
        step = rest + (squares / np.maximum(before, 1e-30)) * step
    return found
