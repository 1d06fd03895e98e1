"""Ranking metrics: ``metric(slate, truth, k) -> float32[B]``, NaN for queries that nothing should come up for.

Items of equal score stand in random order, and every value is the exact expected value over that order, so the
place of an item among its equals is never a signal. Judge a slate once and hand the result to ``metric.of``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Final

import numpy as np

from accord.core.arrays import Doubles, Floats, Ragged
from accord.core.errors import InputError
from accord.core.slate import Slate
from accord.evaluate.judged import Judged


class Metric:
    """A metric over judged slates that can be called on a slate and its truth as well."""

    def __init__(self, compute: Callable[[Judged, int], Doubles]) -> None:
        self.compute = compute
        self.name = compute.__name__
        update_wrapper(self, compute)

    def __call__(self, slate: Slate, truth: Ragged, k: int) -> Floats:
        """``float32[B]``: the metric at ``k`` of each query."""
        return self.of(Judged.of(slate, truth), k)

    def of(self, judged: Judged, k: int) -> Floats:
        """The same, for a slate that is judged already."""
        if k < 1:
            raise InputError("a list has at least one place", place="k", value=k)
        return judged.answered(self.compute(judged, k))


@Metric
def recall(judged: Judged, k: int) -> Doubles:
    """Hits in the first ``k`` places / items that should come up; below 1 where these are more than ``k``."""
    return judged.total(judged.inside(k)) / np.maximum(judged.n_truth, 1)


@Metric
def precision(judged: Judged, k: int) -> Doubles:
    """Hits in the first ``k`` places / ``k``, however short the list is."""
    return judged.total(judged.inside(k)) / k


@Metric
def f1(judged: Judged, k: int) -> Doubles:
    """Harmonic mean of precision and recall: ``2 hits / (k + truth)``."""
    return 2 * judged.total(judged.inside(k)) / (k + judged.n_truth)


@Metric
def hit_rate(judged: Judged, k: int) -> Doubles:
    """Whether anything that should come up is in the first ``k`` places."""
    return _first_hit(judged, k, np.ones(k + 1))


@Metric
def mrr(judged: Judged, k: int) -> Doubles:
    """1 / place of the first hit; 0 where it is beyond ``k``."""
    return _first_hit(judged, k, 1 / np.maximum(np.arange(k + 1), 1))


@Metric
def ndcg(judged: Judged, k: int) -> Doubles:
    """Sum of ``1 / log2(1 + place)`` over the hits / the same of the ideal list of ``min(truth, k)`` hits.

    Järvelin and Kekäläinen, ACM TOIS 2002, with binary gain.
    """
    dcg = np.append(0.0, np.cumsum(1 / np.log2(np.arange(2, k + 2))))
    gain = dcg[np.minimum(judged.start + judged.size, k)] - dcg[np.minimum(judged.start, k)]
    return judged.total(gain / judged.size) / dcg[np.clip(judged.n_truth, 1, k)]


@Metric
def map(judged: Judged, k: int) -> Doubles:  # noqa: A001 - the field's name
    """Mean, over the ``min(truth, k)`` best places, of the precision at each hit (average precision at ``k``).

    In a tied run of ``g`` places with ``r`` hits, a hit at a place has ``(r - 1) / (g - 1)`` expected hits at each
    earlier place of the run, which makes the expected value exact.
    """
    group = judged.groups
    harmonic = np.append(0.0, np.cumsum(1 / np.arange(1, k + 1)))
    low, high = np.minimum(group.start, k), np.minimum(group.start + group.size, k)
    inverse = harmonic[high] - harmonic[low]
    earlier = (high - low) - (group.start + 1) * inverse
    beside = (group.hits - 1) / np.maximum(group.size - 1, 1)
    value = group.hits / group.size * ((1 + group.before) * inverse + beside * earlier)
    return judged.total(value, group.rows) / np.clip(judged.n_truth, 1, k)


@Metric
def auc(judged: Judged, k: int) -> Doubles:
    """How often an item that should come up stands above one that should not, over all eligible items.

    Only the first ``k`` places are known; all other items are taken to follow in random order, as MyMediaLite does
    for items that a list leaves out. Needs the fact ``eligible`` of the slate.
    """
    if judged.eligible is None:
        raise InputError("the slate does not say how many items were eligible", place="auc")
    group = judged.groups
    share = group.hits / group.size
    places = np.clip(k - group.start, 0, group.size)
    misses = (group.size - group.hits) / np.maximum(group.size - 1, 1)
    above = share * places * (group.start - group.before + (places - 1) / 2 * misses)
    spread = places * share * misses * (1 - places / group.size)  # variance of the hits before a cut run
    hits, listed = judged.total(share * places, group.rows), np.minimum(judged.filled, k)
    squared = judged.total(spread, group.rows) + hits**2
    seen = judged.eligible + listed
    unlisted = (judged.n_truth * (seen - judged.n_truth) - seen * hits + squared) / 2
    pairs = judged.n_truth * (judged.eligible - judged.n_truth)
    wrong = judged.total(above, group.rows) + unlisted
    return 1 - np.divide(wrong, pairs, out=np.full(judged.n_queries, np.nan), where=pairs > 0)


def _first_hit(judged: Judged, k: int, value: Doubles) -> Doubles:
    """Expected ``value[place]`` of the first hit, 0 where it is beyond ``k``; it stands in the first run with hits."""
    group = judged.groups
    first = np.flatnonzero(np.append(True, group.rows[1:] != group.rows[:-1])[: len(group.rows)])
    start, size, hits = group.start[first], group.size[first], group.hits[first]
    none_before, expected = np.ones(len(first)), np.zeros(len(first))
    for step in range(min(k, int(size.max(initial=0)))):
        left = np.maximum(size - step, 1)
        here = (step < size) & (start + step < k)
        expected += np.where(here, none_before * hits / left, 0.0) * value[np.minimum(start + step + 1, k)]
        none_before *= np.maximum(left - hits, 0) / left
    return judged.total(expected, group.rows[first])


AT_K: Final = (recall, precision, f1, hit_rate, ndcg, mrr, map)
"""Metrics that are reported at every ``k``; ``auc`` is reported once, over the whole list."""
