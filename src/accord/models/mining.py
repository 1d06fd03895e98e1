"""Hard negatives: wrong items that a model scores highest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from accord.core.arrays import Bools, Floats, Ints, Longs, Sparse
from accord.core.queries import CELLS
from accord.core.slate import EMPTY
from accord.models.index import Index, Kind, exact_best, wanted

SPARE = 256
"""So many more items are looked at, for those that are met already."""
ASKED = 100
"""Queries by which an index is tuned."""


@dataclass(frozen=True)
class Met:
    """What each user has met."""

    cells: Longs
    """``int64[...]``, ascending: ``user * n_items + item``."""
    n_items: int

    @classmethod
    def of(cls, matrix: Sparse) -> Self:
        """From ``[users, items]``."""
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        n_items = int(matrix.shape[1])
        return cls(np.sort(rows * n_items + matrix.indices), n_items)

    def among(self, users: Longs, items: Ints) -> Bools:
        """``bool[R, k]``: which items each user has met; ``users``: ``int64[R]``, ``items``: ``int32[R, k]``."""
        cells = users[:, None] * self.n_items + items
        if not len(self.cells):
            return np.zeros(cells.shape, dtype=bool)
        return self.cells[np.minimum(np.searchsorted(self.cells, cells), len(self.cells) - 1)] == cells


class Miner:
    """Looks for the wrong items with the highest scores, in an index where the catalogue is large."""

    def __init__(self, vectors: Floats, items: Ints, met: Met, kind: Kind, asked: Floats) -> None:
        """``vectors``: ``float32[n, dim]`` of ``items`` ``int32[n]``; ``asked``: ``float32[q, dim]``, to tune it by."""
        self.vectors, self.items, self.met = vectors, items, met
        self.index = None
        if wanted(kind, len(vectors)):
            self.index = Index.of(vectors, np.arange(len(vectors), dtype=np.int32), asked[:ASKED])

    def hardest(self, states: Floats, users: Longs, m: int) -> Longs:
        """``int64[R, m]``: rows of ``vectors`` with the highest scores whose item the user has not met; ``EMPTY`` where
        there are too few. ``states``: ``float32[R, K, dim]``, ``users``: ``int64[R]``."""
        step = max(1, CELLS // (states.shape[1] * (m + SPARE) * states.shape[2]))
        parts = [slice(start, start + step) for start in range(0, max(1, len(states)), step)]
        return np.concatenate([self._hardest(states[part], users[part], m) for part in parts])

    def _hardest(self, states: Floats, users: Longs, m: int) -> Longs:
        found = np.sort(self._best(states.reshape(-1, states.shape[2]), m + SPARE).reshape(len(states), -1), axis=1)
        scores = np.einsum("rkd,rmd->rkm", states, self.vectors[np.maximum(found, 0)]).max(axis=1)
        wrong = (found != EMPTY) & ~self.met.among(users, self.items[np.maximum(found, 0)])
        wrong[:, 1:] &= found[:, 1:] != found[:, :-1]
        scores = np.where(wrong, scores, -np.inf)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :m]
        best = np.where(np.take_along_axis(wrong, order, axis=1), np.take_along_axis(found, order, axis=1), EMPTY)
        return np.pad(best, ((0, 0), (0, m - best.shape[1])), constant_values=EMPTY).astype(np.int64)

    def _best(self, asked: Floats, k: int) -> Ints:
        if self.index is not None:
            return self.index.search(asked, k)
        return np.concatenate(list(exact_best(self.vectors, asked, k)))
