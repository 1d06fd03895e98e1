"""New items in ridge regressions with side rows: each is regressed on the fitted ones by its content."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, cast

import numpy as np

from accord.core.arrays import Floats, Longs
from accord.core.dataset import Dataset
from accord.models.gram import add_product, side_columns
from accord.models.linear import LinearItems
from accord.models.placed import Block, Placed, largest


class Regressed(LinearItems, ABC):
    """A regression with the Gram matrix ``A = (events and side rows of the fitted items) + reg I``.

    A new item j has no events, so its row of the Gram matrix is that of its content: c with the fitted items and d with
    itself. By block inversion its column of EASE is ``u = A^-1 c``, its entry of the inverse ``1 / (d + reg - c'u)``,
    and its row the column times the quotient of both items' entries. What new items would change in the weights of
    fitted ones waits for the next fit. Between two new items counts the content that the fitted ones do not explain.
    Memory: ``16 MOST`` bytes an item, and ``queries.CELLS`` products at a time.
    """

    ridge: ClassVar[str] = "reg"
    """The field of the configuration that holds reg."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The side columns that count."""
        return tuple(name for name, weight in self.config.side.items() if weight)

    @abstractmethod
    def _inverse_diagonal(self) -> Floats | None:
        """``float32[n]``: the diagonal of ``A^-1``; None where an earlier version did not keep it."""

    @abstractmethod
    def _solved(self, targets: Floats, features: Floats) -> Floats:
        """``float32[n, b]``: u for the columns c of ``targets``; ``features``: what ``_features`` gave."""

    def _features(self, data: Dataset, items: Longs) -> Floats:
        """What a subclass wants of the content of new items; nothing by default."""
        return np.empty((len(items), 0), np.float32)

    def _columns(self, solved: Floats, features: Floats, own: Floats, precisions: Floats) -> Floats:
        """``float32[n, b]``: what the fitted items say of new ones; ``own`` holds d, ``precisions`` their entries."""
        return solved

    def _rows(self, targets: Floats, solved: Floats, precisions: Floats) -> Floats:
        """``float32[b, n]``: what new items say of the fitted ones."""
        fitted = np.maximum(cast("Floats", self._inverse_diagonal()), np.float32(1e-30))
        return ((solved * precisions).T / fitted).astype(np.float32)

    def _pairs(self, rest: Floats, speaking: Floats, own: Floats, precisions: Floats) -> Floats:
        """``float32[a, b]``: what new items say of new items; ``rest`` is their content less what is explained.

        ``speaking``: ``float32[a]``, the entries of those that speak; ``own``, ``precisions``: of those spoken of.
        """
        return rest * speaking[:, None]

    def _explaining(self, placed: Placed, own: Floats) -> Floats:
        """``float32[m]``: u of the items placed before is their column times this."""
        return np.ones(len(own), np.float32)

    def _placing(self, data: Dataset, items: Longs, placed: Placed) -> Block | None:
        side = side_columns(data, self.config.side)
        if not side or self._inverse_diagonal() is None:
            return None
        n, places = placed.fitted, items - placed.fitted
        products = np.zeros((data.n_items, len(items)), np.float32, order="F")
        lengths = np.zeros(data.n_items - n, np.float32)
        for column, weight in side:
            add_product(products, column, column[items], weight)
            lengths += weight * np.asarray((column[n:] * column[n:]).sum(axis=1), np.float32)
        targets, own = products[:n], lengths[places]
        features = self._features(data, items)
        solved = self._solved(targets, features)
        reg = np.float32(getattr(self.config, self.ridge))
        precisions = 1 / np.maximum(own + reg - np.einsum("ij,ij->j", targets, solved), reg)
        entries = placed.precisions.copy()
        entries[places] = precisions
        explained = (placed.columns[:n].T @ targets) * self._explaining(placed, lengths)[:, None]
        explained[places] = solved.T @ targets
        rest = np.where(entries[:, None] > 0, products[n:] - explained, 0)
        below = self._pairs(rest, entries, own, precisions)
        beside = self._pairs(rest.T, precisions, lengths, entries)
        columns = np.concatenate([self._columns(solved, features, own, precisions), below])
        rows = np.concatenate([self._rows(targets, solved, precisions), beside], axis=1)
        return Block.of(largest(columns.T, items).T, largest(rows, items), precisions.astype(np.float32))
