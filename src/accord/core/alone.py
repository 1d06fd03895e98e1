"""What a source says of one query, where few scores differ from what is known beforehand.

A large catalogue is not walked through for a source that has something to say of a few hundred items: mean, spread,
range and best items come from those, and are what all scores one by one would give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from accord.core.arrays import Bools, Doubles, Floats, Ints, Longs
from accord.core.queries import Eligibility
from accord.core.scored import Scored
from accord.core.slate import EMPTY
from accord.core.topk import Drawn, best_of, top_k

LEAST = 4_096
"""Smaller catalogues are walked through as fast."""
SHARE = 2
"""At least one item in so many must be open to a query, or more is looked at that is hidden than shown."""
Best: TypeAlias = "tuple[Ints, Floats]"


def is_alone(rules: Eligibility) -> bool:
    """Whether these are the rules of one query, who may be shown most of a large catalogue."""
    n = len(rules.open)
    return len(rules.count) == 1 and n >= LEAST and int(rules.count[0]) * SHARE >= n


@dataclass(frozen=True, slots=True)
class FewScores(Scored):
    """One query whose scores are zero but for a few items."""

    rules: Eligibility
    items: Longs
    """``int[m]``, ascending: items that may be shown and whose score is not zero."""
    values: Floats
    """``float32[m]``: their scores."""

    @classmethod
    def under(cls, items: Longs, values: Floats, rules: Eligibility, tie_keys: Longs) -> FewScores:
        """Of the scores that are not zero, by ascending item number."""
        kept = rules.open[items] & (values != 0)
        kept &= ~_among(items, rules.items)
        items, values = items[kept], values[kept]
        facts = _facts(values.astype(np.float64), int(rules.count[0]))
        return cls(tie_keys, facts, rules, items, values)

    @property
    def scores(self) -> Floats:
        """``float32[1, n_items]``, ``-inf`` where an item must not be shown."""
        every = np.zeros((1, len(self.rules.open)), np.float32)
        every[0, self.items] = self.values
        self.rules.fill(every, -np.inf)
        return every

    def best(self, m: int, rows: Bools | None = None) -> Best:
        """The best ``m`` items, and their scores; items without a score of their own are drawn after the positive."""
        if rows is not None and not rows[0]:
            return _none(m, len(self.rules.open))
        above = self.values > 0
        items, values = best_of(self.values[above], self.items[above], m, self.tie_keys[0])
        missing = min(m, len(self.rules.open)) - len(items)
        if not missing:
            return items[None], values[None]
        zeros = int(self.rules.count[0]) - len(self.items)
        if missing * SHARE > zeros:  # nearly everything is asked for
            return top_k(self.scores, m, self.tie_keys)
        drawn = self._zeros(missing)
        return np.concatenate([items, drawn])[None], np.pad(values, (0, missing))[None]

    def _zeros(self, k: int) -> Ints:
        """``int32[k]``: items that may be shown and have no score of their own, as they are drawn."""
        drawn, n = drawn_of(self.rules, self.tie_keys), len(self.rules.open)
        depth = 2 * k
        while True:
            items = drawn.first(min(depth, n))
            free = self.rules.open[items] & ~_among(items, self.rules.items) & ~_among(items, self.items)
            if free.sum() >= k or depth >= n:
                return items[free][:k]
            depth *= 4

    def _values(self, items: Ints) -> Floats:
        if not len(self.items):
            return _unless_hidden(np.zeros(len(items[0]), np.float32), items[0], self.rules)[None]
        at = _places(self.items, items[0])
        found = self.items.take(at, mode="clip") == items[0]
        values = np.where(found, self.values.take(at, mode="clip"), np.float32(0))
        return _unless_hidden(values, items[0], self.rules)[None]


@dataclass(frozen=True, slots=True)
class Standing:
    """Scores that are the same for everybody, with what need be worked out only once."""

    values: Floats
    """``float32[n_items]``."""
    order: Ints
    """``int32[n_items]``: the items by falling score."""
    falling: Floats
    """``float32[n_items]``: the scores in that order, negated, so that they ascend."""
    middle: float
    """Their mean."""
    squares: float
    """The sum of the squares of what is above or below it."""

    @classmethod
    def of(cls, values: Floats) -> Standing:
        """Sort and sum up."""
        order = np.argsort(-values, kind="stable").astype(np.int32)
        wide = values.astype(np.float64)
        middle = float(wide.mean()) if len(wide) else 0.0
        return cls(values, order, -values[order], middle, float(((wide - middle) ** 2).sum()))


@dataclass(frozen=True, slots=True)
class StandingScores(Scored):
    """One query who is told what everybody is told."""

    rules: Eligibility
    standing: Standing

    @classmethod
    def under(cls, standing: Standing, rules: Eligibility, tie_keys: Longs) -> StandingScores:
        """Facts over what may be shown: those over everything less what must not."""
        closed = closed_of(rules)
        hidden = standing.values[closed] - standing.middle
        count = int(rules.count[0])
        total, squares = -float(hidden.sum()), standing.squares - float(hidden @ hidden)
        ends = _first_open(standing.order, rules), _first_open(standing.order[::-1], rules)
        high, low = (float(standing.values[item]) for item in ends)
        facts = _told(count, total, squares, low, high)
        facts["mean"] += standing.middle
        return cls(tie_keys, facts, rules, standing)

    @property
    def scores(self) -> Floats:
        """``float32[1, n_items]``, ``-inf`` where an item must not be shown."""
        every = self.standing.values[None].copy()
        self.rules.fill(every, -np.inf)
        return every

    def best(self, m: int, rows: Bools | None = None) -> Best:
        """The best ``m`` items, and their scores: among the first of all, as many more as may be hidden or tie."""
        standing, n = self.standing, len(self.rules.open)
        if rows is not None and not rows[0]:
            return _none(m, n)
        reach = m + len(closed_of(self.rules))
        if reach * SHARE > n:
            return top_k(self.scores, m, self.tie_keys)
        end = int(_places(standing.falling, standing.falling[[reach - 1]], "right")[0]) if reach else 0
        items = standing.order[:end]
        items = items[self.rules.open[items] & ~_among(items, self.rules.items)]
        picked, values = best_of(standing.values[items], items, m, self.tie_keys[0])
        return picked[None], values[None]

    def _values(self, items: Ints) -> Floats:
        return _unless_hidden(self.standing.values[items[0]], items[0], self.rules)[None]


def closed_of(rules: Eligibility) -> Longs:
    """``int64[c]``: everything that the one query must not be shown."""
    if "closed" not in rules.memo:
        rules.memo["closed"] = np.concatenate([rules.shut, rules.items])
    return rules.memo["closed"]


def drawn_of(rules: Eligibility, tie_keys: Longs) -> Drawn:
    """The order in which items that tie are drawn for the one query; the same for all sources."""
    if "drawn" not in rules.memo:
        rules.memo["drawn"] = Drawn(len(rules.open), int(tie_keys[0]))
    return rules.memo["drawn"]


def _facts(values: Doubles, count: int) -> dict[str, Doubles]:
    """Facts of ``count`` scores that are zero but for some."""
    some = len(values) < count  # that are zero
    low = float(values.min(initial=0.0 if some else np.inf))
    high = float(values.max(initial=0.0 if some else -np.inf))
    return _told(count, float(values.sum()), float(values @ values), low, high)


def _told(count: int, total: float, squares: float, low: float, high: float) -> dict[str, Doubles]:
    mean = total / count
    spread = np.sqrt(max(squares / count - mean * mean, 0.0)) if high > low else 0.0
    told = {"eligible": count, "mean": mean, "spread": spread, "low": low, "high": high}
    return {name: np.array([value], np.float64) for name, value in told.items()}


def _first_open(order: Ints, rules: Eligibility) -> int:
    """The first item in an order that may be shown."""
    for start in range(0, len(order), 256):
        items = order[start : start + 256]
        shown = np.flatnonzero(rules.open[items] & ~_among(items, rules.items))
        if len(shown):
            return int(items[shown[0]])
    return int(order[0])


def _places(ascending: NDArray[Any], values: NDArray[Any], side: Literal["left", "right"] = "left") -> Longs:
    return cast("Any", ascending).searchsorted(values, side=side)


def _among(items: NDArray[Any], numbers: Longs) -> Bools:
    """Which of some items are among ascending numbers."""
    if not len(numbers):
        return np.zeros(len(items), dtype=bool)
    return numbers.take(_places(numbers, items), mode="clip") == items


def _unless_hidden(values: Floats, items: Ints, rules: Eligibility) -> Floats:
    return np.where(rules.open[items] & ~_among(items, rules.items), values, np.float32(-np.inf))


def _none(m: int, n: int) -> Best:
    """Lists of no query."""
    return np.full((0, min(m, n)), EMPTY, np.int32), np.empty((0, min(m, n)), np.float32)
