"""Markov: what tends to follow what, soon after."""

from __future__ import annotations

from typing import cast

import numpy as np
from pydantic import Field
from scipy.sparse import diags_array

from accord.core.arrays import Sparse
from accord.core.dataset import Dataset
from accord.core.run import Run
from accord.models.item_knn import following
from accord.models.linear import HistoryConfig, LinearItems


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

    def _fit(self, data: Dataset, run: Run) -> None:
        counts = following(data.histories, data.n_items, self.config.near)
        counts.setdiag(0)
        counts.eliminate_zeros()
        left = np.asarray(counts.sum(axis=1)).ravel() + self.config.shrink
        scaled = diags_array((1 / np.maximum(left, 1e-9)).astype(np.float32)) @ counts
        self.weights = cast("Sparse", scaled)
