"""What any recommender must beat: chance, and the same popular items for everybody."""

from __future__ import annotations

import zlib

import numpy as np

from accord.core.arrays import Ints, Longs
from accord.core.columns import SCORE
from accord.core.queries import Eligibility, Queries
from accord.core.slate import EMPTY, Slate


class PopularityFloor:
    """Everybody gets the items with the most events; equals stand in an order of their own for each query."""

    def __init__(self, counts: Longs, seed: int = 0) -> None:
        """``counts``: training events of each item."""
        self.counts = counts.astype(np.float32)
        self.shuffled = np.random.default_rng(seed).permutation(len(counts))
        self.order = self.shuffled[np.argsort(-self.counts[self.shuffled], kind="stable")]

    def recommend(self, queries: Queries, n: int) -> Slate:
        """The ``n`` most popular eligible items of each query, with their counts as ``score``."""
        n_items = len(self.counts)
        parts = [self._chunk(chunk, n) for chunk in queries.chunks(n_items)]
        empty = np.empty((0, n))
        return Slate.stacked(parts) if parts else Slate(empty.astype(np.int32), {SCORE: empty.astype(np.float32)})

    def _chunk(self, queries: Queries, n: int) -> Slate:
        rules = queries.eligible(len(self.counts))
        order = self.order[rules.open[self.order]]
        items = _first_open(self._walk(order, self._keys(queries), n, rules), rules, n)
        scores = np.where(items == EMPTY, np.nan, self.counts[np.maximum(items, 0)]).astype(np.float32)
        return Slate(items, {SCORE: scores}, {"eligible": rules.count.astype(np.float64)})

    def _walk(self, order: Longs, keys: Longs, n: int, rules: Eligibility) -> Longs:
        """``[B, W]``: the order long enough to find ``n`` open items, each run of equals rotated by the key."""
        closed = np.bincount(rules.rows, minlength=len(keys)).max(initial=0)
        at = np.arange(min(n + closed, len(order)))
        _, first, of, size = np.unique(-self.counts[order], return_index=True, return_inverse=True, return_counts=True)
        start, size = first[of[at]], size[of[at]]
        return order[start + (at - start + keys[:, None]) % size]

    def _keys(self, queries: Queries) -> Longs:
        return queries.tie_keys()


class RandomFloor(PopularityFloor):
    """Everybody gets items by chance: all items are equals. The same user gets the same list in any batch."""

    def __init__(self, n_items: int, seed: int = 0) -> None:
        super().__init__(np.zeros(n_items, np.int64), seed)

    def _keys(self, queries: Queries) -> Longs:
        # Users without history would all share one draw, so the id counts here: chance is no source.
        names = np.array([zlib.crc32(str(user).encode()) for user in queries.users], dtype=np.int64)
        return queries.tie_keys() + names


def _first_open(walk: Longs, rules: Eligibility, n: int) -> Ints:
    """The first ``n`` items of each row that are not closed for its query; ``EMPTY`` where there are fewer."""
    closed = np.isin(walk + np.arange(len(walk))[:, None] * len(rules.open), rules.rows * len(rules.open) + rules.items)
    order = np.argsort(closed, axis=1, kind="stable")[:, :n]
    items = np.where(np.take_along_axis(closed, order, axis=1), EMPTY, np.take_along_axis(walk, order, axis=1))
    short = n - items.shape[1]
    return np.pad(items, ((0, 0), (0, short)), constant_values=EMPTY).astype(np.int32)
