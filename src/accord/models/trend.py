"""Trend: what is touched more often lately than it was just before."""

from __future__ import annotations

from copy import copy
from typing import Self

import numpy as np
from pydantic import Field

from accord.core.arrays import Doubles, Floats, Longs
from accord.core.config import Config
from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.core.roles import Recommender
from accord.core.run import Run
from accord.models.popular import DAY


class TrendConfig(Config):
    """Two windows of equal length, the later one ending with the newest event."""

    window: float = Field(default=14.0, gt=0)
    """Days in each window."""
    shrink: float = Field(default=10.0, gt=0)
    """Added to both counts, so that a rise from one event to three is no trend."""


class Trend(Recommender):
    """``log(1 + a + b) log((a + s) / (b' + s))`` with an item's events a in the last window and b in the one before.

    ``b' = b A / B`` with the sums A and B over all items, so that a log that grows or dies away as a whole has no
    trend; s is ``shrink``. Above zero: rising, and many people see it. The same for everybody.
    """

    Config = TrendConfig
    needs_clock = True
    evidence = "rising popularity"
    learned = ("trend",)
    trend: Floats
    """``float32[n]``: the score of each item."""

    def _fit(self, data: Dataset, run: Run) -> None:
        newest = data.event_times.max(initial=-np.inf)
        window = np.floor((newest - data.event_times) / (self.config.window * DAY))
        late, early = (self._counts(data, window == number) for number in (0, 1))
        expected = early * (late.sum() / max(early.sum(), 1e-9))
        ratio = np.log((late + self.config.shrink) / (expected + self.config.shrink))
        self.trend = (np.log1p(late + early) * ratio).astype(np.float32)

    def _grow(self, data: Dataset, added: Longs, edited: Longs) -> None:
        self.trend = np.pad(self.trend, (0, len(added)))

    def update(self, data: Dataset, fresh: int) -> Self:
        """A copy that has learned from the newest events too: counted anew, which is exact."""
        updated = copy(self)
        updated._fit(data, Run())
        return updated

    def _counts(self, data: Dataset, chosen: np.ndarray) -> Doubles:
        weights = np.where(chosen, np.maximum(data.event_weights, 0), 0)
        return np.bincount(data.event_items, weights=weights, minlength=data.n_items).astype(np.float64)

    def _scores(self, queries: Queries) -> Floats:
        return np.tile(self.trend, (len(queries), 1))
