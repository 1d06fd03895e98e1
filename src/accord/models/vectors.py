"""What sources share whose score is the product of a vector of the query and one of the item."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import replace

import numpy as np

from accord.core.arrays import Bools, Floats
from accord.core.queries import Queries
from accord.core.roles import Recommender


class VectorSource(Recommender, ABC):
    """``score(u, j) = x_u . y_j``; an item without a vector gets the lowest score of the others.

    A zero would place it above all that the query speaks against. A subclass writes ``_shown`` and ``_states``.
    """

    placed: Bools
    """``bool[n]``: items that have a vector."""

    @property
    @abstractmethod
    def _shown(self) -> Floats:
        """``float32[n, dim]``: ``y``, of the items that were there at the fit or have been placed since."""

    @abstractmethod
    def _states(self, queries: Queries) -> Floats:
        """``float32[B, dim]``: ``x``; zero where nothing is known of somebody."""

    @property
    def item_vectors(self) -> Floats:
        """``float32[n_items, dim]``: ``y``; zero for items of which nothing is known."""
        return np.pad(self._shown, ((0, self.n_items - len(self._shown)), (0, 0)))

    def user_vectors(self, queries: Queries) -> Floats:
        """``float32[B, dim]``: ``x``; zero where nothing is known of somebody."""
        fitted, history = copy(self), queries.history
        fitted.n_items = len(self._shown)
        return fitted._states(replace(queries, history=history.keep(history.items < fitted.n_items)))

    def _scores(self, queries: Queries) -> Floats:
        return lowest_unless(self.placed, self._states(queries) @ self._shown.T)


def lowest_unless(placed: Bools, scores: Floats) -> Floats:
    """Scores ``float32[B, n]``, where items that are not placed get the lowest of the others of the row, in place."""
    missing = np.flatnonzero(~placed)
    if len(missing):
        scores[:, missing] = np.inf  # so that the lowest is found without a copy of all other columns
        lowest = scores.min(axis=1, keepdims=True)
        scores[:, missing] = np.where(np.isinf(lowest), 0.0, lowest)  # where nothing has a vector
    return scores


def products(states: Floats, vectors: Floats) -> Floats:
    """``float32[B, n]``: of ``max_k x_k . y_j`` with ``x``: ``float32[B, K, dim]`` and ``y``: ``float32[n, dim]``."""
    best = states[:, 0] @ vectors.T
    for place in range(1, states.shape[1]):
        np.maximum(best, states[:, place] @ vectors.T, out=best)
    return best
