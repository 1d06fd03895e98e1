"""Where the right answers landed in a slate, found once and read by every metric."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from accord.core.arrays import Bools, Doubles, Floats, Longs, Ragged
from accord.core.columns import SCORE
from accord.core.errors import InputError
from accord.core.slate import Slate

CELLS = 1 << 22
"""The most (truth item, place) comparisons that one chunk may hold."""


@dataclass(frozen=True)
class TiedGroup:
    """Runs of places with one score that hold at least one hit, one entry a run, ordered by query and place."""

    rows: Longs
    start: Longs
    """Places before the run."""
    size: Longs
    hits: Longs
    before: Longs
    """Hits of the same query in earlier runs."""


@dataclass(frozen=True)
class Judged:
    """The hits of a slate. Items of equal score stand in random order, so a hit owns a run of places, not one.

    Metrics are expected values over that random order. A slate without a ``score`` column has no ties.
    """

    truth: Ragged
    """Distinct item numbers that should come up, one row a query."""
    rows: Longs
    """``int64[H]``: the query of each hit."""
    items: Longs
    start: Longs
    """``int64[H]``: places before the run of equal scores in which the hit stands."""
    size: Longs
    """``int64[H]``: length of that run; 1 where the score is unique."""
    filled: Longs
    """``int64[B]``: places of each query that hold an item."""
    eligible: Doubles | None
    """``float64[B]``: how many items could have been shown; None where the slate does not say."""

    @classmethod
    def of(cls, slate: Slate, truth: Ragged) -> Judged:
        """Look every truth item up in its query's list; memory is bounded by ``CELLS``."""
        if len(slate) != len(truth):
            raise InputError("one row of truth a query is needed", place="truth", value=(len(truth), len(slate)))
        rows, chunk = truth.rows, max(1, CELLS // max(1, slate.width))
        found = [
            _find(slate, rows[at : at + chunk], truth.values[at : at + chunk]) for at in range(0, len(rows), chunk)
        ]
        hits = np.concatenate([np.empty((4, 0), np.int64), *found], axis=1)
        return cls(truth, *hits, filled=slate.filled.sum(axis=1), eligible=slate.facts.get("eligible"))

    @property
    def n_queries(self) -> int:
        """How many queries were judged."""
        return len(self.truth)

    @property
    def n_truth(self) -> Longs:
        """``int64[B]``: how many items should come up."""
        return self.truth.lengths

    def among(self, items: Bools) -> Judged:
        """The same lists, judged by the truth items of ``items[n_items]`` alone."""
        hit = items[self.items]
        truth = self.truth.keep(items[self.truth.values])
        kept = {name: getattr(self, name)[hit] for name in ("rows", "items", "start", "size")}
        return replace(self, truth=truth, **kept)

    def total(self, weights: Doubles, rows: Longs | None = None) -> Doubles:
        """``float64[B]``: the sum of the weights of each query's hits."""
        return np.bincount(self.rows if rows is None else rows, weights, self.n_queries).astype(np.float64)

    def inside(self, k: int) -> Doubles:
        """``float64[H]``: the probability that a hit stands among the first ``k`` places."""
        return np.clip(k - self.start, 0, self.size) / self.size

    def answered(self, values: Doubles) -> Floats:
        """``float32[B]``: the values, NaN for queries that nothing should come up for."""
        return np.where(self.n_truth > 0, values, np.nan).astype(np.float32)

    @cached_property
    def groups(self) -> TiedGroup:
        """The hits gathered by run of equal scores."""
        order = np.lexsort((self.start, self.rows))
        rows, start, size = self.rows[order], self.start[order], self.size[order]
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (rows[1:] != rows[:-1]) | (start[1:] != start[:-1])
        first = np.flatnonzero(new)
        hits = np.diff(np.append(first, len(rows)))
        before = first - np.searchsorted(rows, rows[first])
        return TiedGroup(rows[first], start[first], size[first], hits, before)


def _find(slate: Slate, rows: Longs, items: Longs) -> Longs:
    """``int64[4, H]``: query, item, start and size of the run, for those of the pairs that are in the slate."""
    if not slate.width:
        return np.empty((4, 0), np.int64)
    match = slate.items[rows] == items[:, None]
    place = match.argmax(axis=1)
    found = np.take_along_axis(match, place[:, None], axis=1)[:, 0]
    rows, items, place = rows[found], items[found], place[found]
    start, size = place, np.ones(len(place), np.int64)
    if SCORE in slate.columns:
        start, size = _runs(slate.columns[SCORE][rows], place)
    return np.stack([rows, items, start, size]).astype(np.int64)


def _runs(scores: Floats, place: Longs) -> tuple[Longs, Longs]:
    """Start and length of the run of equal scores around ``place`` in each row; NaN equals nothing."""
    run = np.zeros(scores.shape, np.int32)
    np.cumsum(scores[:, 1:] != scores[:, :-1], axis=1, out=run[:, 1:])
    same = run == np.take_along_axis(run, place[:, None], axis=1)
    return same.argmax(axis=1), same.sum(axis=1)
