"""Rank fusion: only the order of each source counts."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from accord.core.arrays import Floats
from accord.core.slate import Slate
from accord.fuse.base import Fuser, FuserConfig


class RankConfig(FuserConfig):
    """Which rule turns ranks into points."""

    method: Literal["rrf", "borda"] = "rrf"
    """``rrf``: ``1 / (k0 + rank)``; ``borda``: the share of the source's items that rank no higher."""
    k0: float = Field(default=60.0, ge=0)
    """The higher, the less the very first places count (method ``rrf``)."""


class Rank(Fuser):
    """Reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009) or Borda's count.

    Ranks are those among the items that any source offered; equal scores share their mean rank. Nothing is learned, so
    it serves where there is no validation data, and as the yardstick of learned weights.
    """

    Config = RankConfig

    @property
    def tells_parts(self) -> bool:
        """The points of a source do not depend on the others."""
        return True

    def contributions(self, slate: Slate) -> Floats:
        """``float32[B, K, S]``: the points each source gives, divided by the number of sources."""
        parts = [self._points(mean_ranks(slate.column(name))) for name in self.config.sources]
        return (np.stack(parts, axis=2) / len(parts)).astype(np.float32)

    def _points(self, ranks: Floats) -> Floats:
        if self.config.method == "rrf":
            points = 1 / (self.config.k0 + ranks)
        else:
            known = np.maximum((~np.isnan(ranks)).sum(axis=1, keepdims=True), 1)
            points = 1 - (ranks - 1) / known
        return np.nan_to_num(points).astype(np.float32)


def mean_ranks(scores: Floats) -> Floats:
    """``float32[B, K]``: ranks from 1 within each row, ties at their mean; NaN stays NaN."""
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), axis=1, kind="stable")
    ordered = np.take_along_axis(scores, order, axis=1)
    new = np.ones(ordered.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    group = np.cumsum(new, axis=1) - 1 + np.arange(len(scores))[:, None] * scores.shape[1]
    place = np.broadcast_to(np.arange(1, scores.shape[1] + 1), scores.shape)
    sums = np.bincount(group.ravel(), weights=place.ravel(), minlength=scores.size)
    sizes = np.bincount(group.ravel(), minlength=scores.size)
    ranks = np.empty(scores.shape, np.float32)
    np.put_along_axis(ranks, order, (sums / np.maximum(sizes, 1))[group].astype(np.float32), axis=1)
    ranks[np.isnan(scores)] = np.nan
    return ranks
