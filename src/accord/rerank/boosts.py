"""Boosts: more or less score for some items, in units that mean the same for every source and every query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from accord.core.arrays import Doubles, Floats
from accord.core.columns import SCORE
from accord.core.queries import Queries
from accord.core.slate import Slate

BOOST = "boost"
"""The column of what was added to the score."""
OVER = 100
"""The standard deviation is that of so many best items of the query: it does not depend on how deep one asks."""


@dataclass(frozen=True)
class Boosts:
    """A stage: ``score + amount * standard deviation`` of the scores of the query's 100 best items, best first again.

    One unit lifts an item by one standard deviation: in a list whose scores fall evenly that is about three tenths of
    the first 100 places. Where all scores are equal the unit is 1. Items that no source offered are not lifted into the
    list.
    """

    amounts: Floats
    """``float32[n_items]``: units for each item; 0: as it is, below 0: buried."""

    def __call__(self, queries: Queries, slate: Slate) -> Slate:
        """A slate ranked best first in, the same with the column ``boost`` and in the new order out."""
        scores = slate.column(SCORE)
        unit = spread(scores[:, :OVER])
        added = self.amounts[np.maximum(slate.items, 0)] * unit[:, None]
        added = np.where(slate.filled, added, np.nan).astype(np.float32)
        return slate.with_column(BOOST, added).with_column(SCORE, scores + added).ranked(salt=queries.salt)


def spread(scores: Floats) -> Doubles:
    """``float64[B]``: standard deviation of each row over what is not NaN; 1 where there is none."""
    known = ~np.isnan(scores)
    count = np.maximum(known.sum(axis=1), 1)
    values = np.where(known, scores, 0).astype(np.float64)
    centred = np.where(known, values - (values.sum(axis=1) / count)[:, None], 0)
    deviation = np.sqrt((centred**2).sum(axis=1) / count)
    return np.where(deviation > 0, deviation, 1.0)
