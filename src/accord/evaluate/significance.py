"""Is a difference more than noise: standard errors, paired bootstrap, Holm's correction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.core.arrays import Doubles, numbered
from accord.core.errors import InputError

CELLS = 1 << 22
"""The most resampled weights held at a time."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean difference, its 95 % interval, and the two-sided p of no difference."""

    difference: float
    low: float
    high: float
    p: float


def mean_and_error(values: NDArray[np.floating], people: NDArray[Any] | None = None) -> tuple[float, float]:
    """Mean and standard error of the values that are not NaN; NaN where there are too few.

    ``people``: who was asked each query, where some were asked several times: what one of them says errs together
    (cluster-robust: Liang and Zeger, 1986). Where one person alone was asked, the error is that of his queries.
    """
    there = ~np.isnan(values)
    known = values[there].astype(np.float64)
    if len(known) < 2:
        return (float(known[0]) if len(known) else float("nan")), float("nan")
    mean = float(known.mean())
    errors = _by_person((known - mean)[:, None], None if people is None else people[there])[:, 0]
    n = len(errors)
    return mean, float(np.sqrt((errors**2).sum() * n / (n - 1)) / len(known))


def paired_bootstrap(
    differences: NDArray[np.floating], resamples: int = 10_000, seed: int = 0, people: NDArray[Any] | None = None
) -> list[Interval]:
    """One interval a column of ``differences[B, m]``: metric of one system less another's, query by query.

    Queries are drawn with replacement, the same draws for all columns; where ``people[B]`` tells who was asked, people
    are, with all that they were asked (not where it was one person alone). A query with a NaN is left out. The interval
    is the middle 95 % of the resampled means, p twice the smaller share of them on one side of zero (Efron and
    Tibshirani, An Introduction to the Bootstrap, 1993). Raises ``InputError`` where no query is left.
    """
    there = ~np.isnan(differences).any(axis=1)
    known = differences[there].astype(np.float64)
    if not len(known):
        raise InputError("no query has a value in both systems", place="paired bootstrap", value=differences.shape)
    counted = np.concatenate([known, np.ones((len(known), 1))], axis=1)
    sums = _by_person(counted, None if people is None else people[there])
    drawn = resampled_means(sums, resamples, np.random.default_rng(seed))
    means = drawn[:, :-1] / drawn[:, -1:]
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    side = np.minimum((means <= 0).sum(axis=0), (means >= 0).sum(axis=0))
    p = np.minimum(1.0, 2 * (side + 1) / (resamples + 1))
    columns = zip(known.mean(axis=0), low, high, p, strict=True)
    return [Interval(*(float(value) for value in column)) for column in columns]


def _by_person(values: Doubles, people: NDArray[Any] | None) -> Doubles:
    """``float64[P, m]``: sums of the queries of each person, ``values[B, m]``; None: everybody was asked once.

    Of one person alone the queries as they are: of other people they tell nothing.
    """
    of = None if people is None else numbered(people)
    if of is None or not of.any():
        return values
    sums = np.zeros((int(of.max()) + 1, values.shape[1]))
    np.add.at(sums, of, values)
    return sums


def holm(p: NDArray[np.floating]) -> Doubles:
    """p values of one family, adjusted so that the chance of any false finding stays below the level (Holm, 1979)."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def resampled_means(values: Doubles, resamples: int, rng: np.random.Generator) -> Doubles:
    """``float64[resamples, m]``: each resample is a row of weights, so all columns share one matrix product."""
    n = len(values)
    chunk = max(1, CELLS // n)
    means = np.empty((resamples, values.shape[1]))
    for at in range(0, resamples, chunk):
        size = min(chunk, resamples - at)
        draws = rng.integers(0, n, (size, n)) + np.arange(size)[:, None] * n
        weights = np.bincount(draws.ravel(), minlength=size * n).reshape(size, n)
        means[at : at + size] = weights.astype(np.float64) @ values / n
    return means
