"""Popularity: of all time, or fading."""

from __future__ import annotations

from copy import copy
from typing import Self

import numpy as np
from pydantic import Field

from accord.core.alone import Standing, StandingScores
from accord.core.arrays import Floats, Longs
from accord.core.config import Config
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.queries import Eligibility, Queries
from accord.core.roles import Recommender
from accord.core.run import Run
from accord.core.scored import Scored

DAY = 86_400.0


class PopularConfig(Config):
    """Popularity."""

    half_life: float | None = Field(default=None, gt=0)
    """Days after which an event counts half, measured back from the newest event; None: all count alike."""


class Popular(Recommender):
    """``log(1 + events of the item)``, each event faded by its age; the same for everybody.

    The logarithm leaves the order as it is and keeps a few bestsellers from drowning the other sources in a sum.
    """

    Config = PopularConfig
    evidence = "popularity"
    learned = ("popularity",)
    popularity: Floats
    _standing: Standing | None = None

    def _fit(self, data: Dataset, run: Run) -> None:
        fading = self._fading(data)
        counts = np.bincount(data.event_items, weights=data.event_weights * fading, minlength=data.n_items)
        self.popularity = np.log1p(np.maximum(counts, 0)).astype(np.float32)

    def _fading(self, data: Dataset) -> Floats:
        if self.config.half_life is None:
            return np.ones(data.n_events, np.float32)
        if data.order != "time":
            raise CannotFit("fading popularity needs clock times", value=data.order)
        age = (data.event_times.max(initial=-np.inf) - data.event_times) / DAY
        return np.exp2(-age / self.config.half_life).astype(np.float32)

    def _grow(self, data: Dataset, added: Longs, edited: Longs) -> None:
        self.popularity = np.pad(self.popularity, (0, len(added)))

    def update(self, data: Dataset, fresh: int) -> Self:
        """A copy that has learned from the newest events too: counted anew, which is exact."""
        updated = copy(self)
        updated._fit(data, Run())
        return updated

    def _alone(self, queries: Queries, rules: Eligibility) -> Scored:
        if self._standing is None or self._standing.values is not self.popularity:
            self._standing = Standing.of(self.popularity)
        return StandingScores.under(self._standing, rules, rules.tie_keys)

    def _scores(self, queries: Queries) -> Floats:
        return np.tile(self.popularity, (len(queries), 1))
