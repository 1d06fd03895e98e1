"""What a source says of the whole catalogue for a few queries: to be asked for its best items and for single scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from accord.core.arrays import Bools, Doubles, Floats, Ints, Longs
from accord.core.columns import SCORE
from accord.core.queries import Eligibility
from accord.core.slate import Slate
from accord.core.topk import top_k

FACTS = ("eligible", "mean", "spread", "low", "high")
"""What a source tells about the scores of a query, beside the scores themselves."""
BLOCK = 1 << 17
"""Scores that are summed up at a time: few enough to stay in a core's own cache."""

RUN = 1_024
"""Squares that are added up in one go."""


@dataclass(frozen=True, slots=True)
class Scored(ABC):
    """One source's scores for one chunk of queries, over the whole catalogue."""

    tie_keys: Longs
    facts: dict[str, Doubles]
    """``float64[B]`` each of ``FACTS``; mean, spread and range are over the items that may be shown."""

    @staticmethod
    def of(scores: Floats, rules: Eligibility, tie_keys: Longs) -> Scored:
        """Of ``float32[B, n_items]``: what must not be shown is hidden, in place."""
        return EveryScore.under(scores, rules, tie_keys)

    @property
    @abstractmethod
    def scores(self) -> Floats:
        """``float32[B, n_items]``, ``-inf`` where an item must not be shown."""

    @abstractmethod
    def best(self, m: int, rows: Bools | None = None) -> tuple[Ints, Floats]:
        """The best ``m`` items of each query, or of those that ``rows`` marks, and their scores; see ``top_k``."""

    @abstractmethod
    def _values(self, items: Ints) -> Floats:
        """``float32[B, K]``: scores of the given items, ``-inf`` where one must not be shown."""

    def offer(self, m: int) -> Slate:
        """The best ``m`` items; nothing where the source has no opinion (all its scores are equal)."""
        items, values = self.best(m)
        silent = self.facts["spread"] == 0
        items[silent], values[silent] = -1, np.nan
        return Slate(items, {SCORE: values}, self.facts)

    def at(self, items: Ints) -> Floats:
        """Scores of the given items; NaN for empty places, hidden items and queries without an opinion."""
        values = self._values(np.maximum(items, 0))
        silent = (items < 0) | np.isneginf(values) | (self.facts["spread"] == 0)[:, None]
        return np.where(silent, np.float32(np.nan), values)


@dataclass(frozen=True, slots=True)
class EveryScore(Scored):
    """Scores one by one."""

    every: Floats
    """``float32[B, n_items]``, ``-inf`` where an item must not be shown."""

    @classmethod
    def under(cls, scores: Floats, rules: Eligibility, tie_keys: Longs) -> EveryScore:
        """Hide what must not be shown (in place) and note mean, spread and range over what may."""
        facts = {name: np.empty(len(scores)) for name in FACTS}
        step = max(1, BLOCK // max(1, scores.shape[1]))
        for start in range(0, len(scores), step):
            rows = slice(start, start + step)
            part = rules if step >= len(scores) else rules.part(start, start + step)
            for name, values in zip(FACTS, _hidden_among(scores[rows], part), strict=True):
                facts[name][rows] = values
        return cls(tie_keys, facts, scores)

    @property
    def scores(self) -> Floats:
        """``float32[B, n_items]``, ``-inf`` where an item must not be shown."""
        return self.every

    def best(self, m: int, rows: Bools | None = None) -> tuple[Ints, Floats]:
        """The best ``m`` items of each query, or of those that ``rows`` marks, and their scores; see ``top_k``."""
        if rows is None:
            return top_k(self.every, m, self.tie_keys)
        return top_k(self.every[rows], m, self.tie_keys[rows])

    def _values(self, items: Ints) -> Floats:
        return self.every[np.arange(len(items))[:, None], items]


def _hidden_among(scores: Floats, rules: Eligibility) -> tuple[Longs, Doubles, Doubles, Floats, Floats]:
    """As ``_hidden``; where many items are shut the others are taken out first, which is faster than filling them."""
    if not rules.many_shut:
        return _hidden(scores, rules)
    shown = np.flatnonzero(rules.open)
    facts = _hidden(np.take(scores, shown, axis=1), rules.among(shown))
    rules.fill(scores, -np.inf)
    return facts


def _hidden(scores: Floats, rules: Eligibility) -> tuple[Longs, Doubles, Doubles, Floats, Floats]:
    """Hide what must not be shown, in place, and return ``FACTS``."""
    count = np.maximum(rules.count, 1)
    rules.fill(scores, np.inf)
    low = scores.min(axis=1, initial=np.inf)
    rules.fill(scores, -np.inf)
    high = scores.max(axis=1, initial=-np.inf)
    rules.fill(scores, 0.0)
    plain = _plain(low, high)
    wide = scores if plain else scores.astype(np.float64)  # squares of tiny or huge scores leave the range of float32
    mean = wide.sum(axis=1) / count
    centred = wide - mean.astype(wide.dtype)[:, None]
    rules.fill(centred, 0.0)
    spread = np.sqrt(_squared(centred) / count)
    rules.fill(scores, -np.inf)
    return rules.count, mean, np.where((rules.count > 0) & (high > low), spread, 0.0), low, high


def _squared(rows: Floats | Doubles) -> Doubles:
    """``float64[B]``: the sum of the squares of each row, added up run by run: a long sum would lose digits."""
    whole = rows.shape[1] // RUN * RUN
    runs, rest = rows[:, :whole].reshape(len(rows), -1, RUN), rows[:, whole:]
    sums = np.einsum("ijk,ijk->ij", runs, runs).sum(axis=1, dtype=np.float64)
    return sums + np.einsum("ij,ij->i", rest, rest)


def _plain(low: Floats, high: Floats) -> bool:
    """Whether float32 holds the squares of these scores' deviations."""
    width = high - low
    return bool(np.all((np.abs(low) < 1e12) & (np.abs(high) < 1e12) & ((width <= 0) | (width > 1e-12))))
