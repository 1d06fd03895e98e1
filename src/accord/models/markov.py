"""Markov: what tends to follow what, soon after."""

from __future__ import annotations

from copy import copy
from typing import Self, cast

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, diags_array

from accord.core.arrays import Doubles, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.models.item_knn import following
from accord.models.linear import HistoryConfig, LinearItems
from accord.models.live import changed_histories
from accord.models.placed import resized

ROUNDING = 1e-5
"""Counts below this are what rounding leaves of an exchanged count of zero."""


class MarkovConfig(HistoryConfig):
    """Decay of transitions and of the history."""

    tau: float = Field(default=0.7, gt=0)
    """Recency at scoring: an event that ``d`` newer ones followed counts ``exp(-d / tau)``."""
    near: float = Field(default=1.5, gt=0)
    """A transition over ``g - 1`` events between counts ``exp(-(g - 1) / near)``."""
    shrink: float = Field(default=5.0, ge=0)
    """Added to the count of what an item was followed by, so that a transition seen once counts little."""


class Markov(LinearItems):
    """``W[i, j] = c_ij / (c_i + shrink)`` with the decayed counts c_ij of i coming before j in the same history.

    A first-order Markov chain with skips (Shani, Heckerman and Brafman, "An MDP-based recommender system", JMLR 2005).
    Sparse: at most one entry for each pair of events within reach.
    """

    Config = MarkovConfig
    needs_order = True
    evidence = "what comes next"
    learned_lately = ("totals",)
    totals: Doubles | None = None
    """``float64[n]``: c_i."""

    def _fit(self, data: Dataset, run: Run) -> None:
        self._count(following(data.histories, data.n_items, self.config.near))

    def _count(self, counts: Sparse) -> None:
        counts.setdiag(0)
        counts.eliminate_zeros()
        self.totals = np.asarray(counts.sum(axis=1), np.float64).ravel()
        left = self.totals + self.config.shrink
        self.weights = csr_array(diags_array((1 / np.maximum(left, 1e-9)).astype(np.float32)) @ counts)

    def update(self, data: Dataset, fresh: int) -> Self:
        """A copy that has learned from the newest events too.

        Counts are got back from the weights, and those of the histories that have changed are exchanged: exact.
        Raises ``CannotFit`` for a source that was saved by an earlier version, without its counts.
        """
        if self.totals is None:
            raise CannotFit("the counts were not saved", remedy="Train again.")
        n, updated = data.n_items, copy(self)
        left = np.pad(self.totals, (0, n - len(self.totals))) + self.config.shrink
        counts = diags_array(left.astype(np.float32)) @ resized(cast("Sparse", self.weights), n, n)
        before, after = changed_histories(data, fresh)
        old, new = (following(some, n, self.config.near, events=data.n_events) for some in (before, after))
        total = csr_array(counts + (new - old))
        total.data[np.abs(total.data) < ROUNDING] = 0
        updated._count(total)
        updated.placed = None
        return updated
