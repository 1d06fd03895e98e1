"""What all item-to-item models share: the score of an item is a weighted sum over the history."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from accord.core.arrays import Floats, Ints
from accord.core.config import Config
from accord.core.history import History
from accord.core.queries import CELLS, Queries
from accord.core.roles import Recommender


class HistoryConfig(Config):
    """How the history is read when a list is asked for; changing it needs no new fit."""

    tau: float = Field(default=math.inf, gt=0)
    """Recency: an event that ``d`` newer ones followed counts ``exp(-d / tau)``; inf: all count alike."""
    last: int = Field(default=200, ge=1)
    """Only the newest so many events are read."""


class LinearItems(Recommender):
    """``score(u, j) = sum over history items i of w_i W[i, j]`` with a learned item-to-item matrix W.

    A subclass learns ``weights``: ``float32[n, n]``, dense or sparse; row i is what having item i says of each other.
    """

    learned = ("weights",)
    read_late = frozenset({"tau", "last"})
    weights: Floats | csr_array

    def _read(self, queries: Queries) -> History:
        return queries.history.last(self.config.last)

    def _scores(self, queries: Queries) -> Floats:
        history = self._read(queries).matrix(self.n_items, self.config.tau)
        product = history @ self.weights
        return product.toarray() if isinstance(product, csr_array) else np.asarray(product)

    def parts(self, queries: Queries, items: Ints) -> Floats:
        """``float32[B, K, H]``: what each history event adds to each item's score (an older repeat adds nothing)."""
        out = np.zeros((*items.shape, int(queries.history.lengths.max(initial=0))), np.float32)
        for row, places in enumerate(items):
            history = queries.take(np.array([row])).history
            kept = history.last(self.config.last)
            weights = kept.matrix(self.n_items, self.config.tau).toarray()[0]
            older = len(history.items) - len(kept.items)
            newest = {int(item): place for place, item in enumerate(kept.items)}
            for item, place in newest.items():
                row_of_weights = self._row(item)
                out[row, :, older + place] = weights[item] * row_of_weights[np.maximum(places, 0)]
        return out

    def _row(self, item: int) -> Floats:
        row = self.weights[[item]]
        return row.toarray()[0] if isinstance(row, csr_array) else np.asarray(row)[0]


def block_rows(n_columns: int) -> int:
    """How many rows of ``n_columns`` fit one block of bounded size."""
    return max(1, CELLS // max(1, n_columns))


def keep_largest(block: Floats, k: int) -> csr_array:
    """The ``k`` largest positive entries of each row of a dense block, as a sparse matrix."""
    n = block.shape[1]
    k = min(k, n)
    picked = np.argpartition(block, n - k, axis=1)[:, n - k :]
    values = np.take_along_axis(block, picked, axis=1)
    rows, places = np.nonzero(values > 0)
    return csr_array((values[rows, places], (rows, picked[rows, places])), shape=block.shape, dtype=np.float32)
