"""What a source with an index says: its best items and its scores, without an array of all of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from accord.core.arrays import Bools, Doubles, Floats, Ints, Longs
from accord.core.queries import Eligibility
from accord.core.scored import FACTS, Scored
from accord.core.slate import EMPTY
from accord.core.topk import best_of, top_k
from accord.models.index import Index
from accord.models.vectors import products

DEPTH = 256
"""So many items are looked for at first; more where more are asked for."""
SHARE = 2
"""At least one item in so many must be open, or all of those that are open are looked at."""
SAMPLE = 1 << 14
"""Items from which mean, spread and lowest score are estimated where no sums tell them."""
ROWS = 1 << 16
"""Vectors that are summed up at a time."""


@dataclass(frozen=True)
class Sums:
    """What mean and spread of all products follow from."""

    count: int
    total: Doubles
    """``float64[dim]``: the sum of the vectors."""
    squares: Doubles
    """``float64[dim, dim]``: the sum of their outer products."""

    @classmethod
    def of(cls, vectors: Floats, rows: Longs) -> Sums:
        """Over some rows."""
        dim = vectors.shape[1]
        total, squares = np.zeros(dim), np.zeros((dim, dim))
        for start in range(0, len(rows), ROWS):
            part = vectors[rows[start : start + ROWS]].astype(np.float64)
            total += part.sum(axis=0)
            squares += part.T @ part
        return cls(len(rows), total, squares)

    def without(self, other: Sums) -> Sums:
        """The rest."""
        return Sums(self.count - other.count, self.total - other.total, self.squares - other.squares)


@dataclass
class Searchable:
    """Vectors of a catalogue with an index of those that are known."""

    vectors: Floats
    """``float32[n_items, dim]``."""
    placed: Bools
    """``bool[n_items]``: items that have a vector; others get the lowest score."""
    index: Index
    everything: Sums
    """Over all items with a vector."""
    last: tuple[Bools, Sums] | None = field(default=None, repr=False)
    """The open items of the last question, and their sums: most questions have the same."""

    @classmethod
    def of(cls, vectors: Floats, placed: Bools, index: Index) -> Searchable:
        """Sum up."""
        return cls(vectors, placed, index, Sums.of(vectors, np.flatnonzero(placed)))

    def sums(self, rules: Eligibility) -> Sums:
        """Over the items with a vector that are open to a batch."""
        if not len(rules.shut):
            return self.everything
        last = self.last
        if last is None or not np.array_equal(last[0], rules.open):
            shut = rules.shut[self.placed[rules.shut]]
            last = self.last = (rules.open.copy(), self.everything.without(Sums.of(self.vectors, shut)))
        return last[1]

    def applies(self, rules: Eligibility) -> bool:
        """Whether most of the catalogue is open to all of a batch."""
        return bool(len(rules.count) and np.all(rules.count * SHARE >= len(self.placed)))


@dataclass(frozen=True, slots=True)
class SearchedScores(Scored):
    """Scores ``max_k x_k . y_j`` of which the best are looked for in an index.

    What is found is scored exactly; an item that the index misses (its recall is measured when it is built) is not
    offered. Facts: for one vector a query the mean and spread are exact, from the sums of the vectors and of their
    outer products less what is hidden; ``high`` is the best that is found, ``low`` the lowest that the index finds for
    ``-x``, exact up to its recall. For several vectors mean, spread and ``low`` are those of a fixed sample of 16,384
    items. All are the same whoever asks beside, so that served and evaluated lists agree.
    """

    rules: Eligibility
    states: Floats
    """``float32[B, K, dim]``."""
    shelf: Searchable
    floor: Floats
    """``float32[B]``: the score of items without a vector."""
    found: list[tuple[Ints, Floats]]
    """Items that may be shown and their scores, of each query."""

    @classmethod
    def under(cls, states: Floats, shelf: Searchable, rules: Eligibility, tie_keys: Longs) -> SearchedScores:
        """Look for the best of each query, and sum up the rest."""
        empty = {name: np.zeros(len(states)) for name in FACTS}
        floor = np.zeros(len(states), np.float32)
        scored = cls(tie_keys, empty, rules, states, shelf, floor, [])
        lowest = scored._lowest() if states.shape[1] == 1 else scored._lowest_of_sample()
        floor[:] = lowest
        scored.found.extend(scored._search(np.arange(len(states)), DEPTH))
        scored._tell()
        return scored

    @property
    def scores(self) -> Floats:
        """``float32[B, n_items]``, ``-inf`` where an item must not be shown."""
        every = products(self.states, self.shelf.vectors)
        missing = ~self.shelf.placed
        every[:, missing] = self.floor[:, None]
        self.rules.fill(every, -np.inf)
        return every

    def best(self, m: int, rows: Bools | None = None) -> tuple[Ints, Floats]:
        """The best ``m`` items of each query, or of those that ``rows`` marks, and their scores; see ``top_k``."""
        chosen = np.arange(len(self.states)) if rows is None else np.flatnonzero(rows)
        shape = (len(chosen), min(m, len(self.shelf.placed)))
        items, values = np.full(shape, EMPTY, np.int32), np.full(shape, np.nan, np.float32)
        for place, row in enumerate(chosen):
            some, scores = self._best(int(row), shape[1])
            items[place, : len(some)], values[place, : len(some)] = some, scores
        return items, values

    def _best(self, row: int, k: int) -> tuple[Ints, Floats]:
        """The best k of one query; all of its scores are looked at where too few were found."""
        wanted = min(k, int(self.rules.count[row]))
        items, values = self.found[row]
        if DEPTH < wanted <= len(self.shelf.placed) // SHARE:
            items, values = self._search(np.array([row]), wanted)[0]
        if len(items) < wanted or wanted > len(self.shelf.placed) // SHARE:
            picked, scores = top_k(self._alone(row).scores, k, self.tie_keys[row : row + 1])
            return picked[0], scores[0]
        return best_of(values, items, k, self.tie_keys[row])

    def _alone(self, row: int) -> SearchedScores:
        """One query of these."""
        rows = slice(row, row + 1)
        rules, facts = self.rules.part(row, row + 1), {name: values[rows] for name, values in self.facts.items()}
        return SearchedScores(
            self.tie_keys[rows], facts, rules, self.states[rows], self.shelf, self.floor[rows], self.found[rows]
        )

    def _values(self, items: Ints) -> Floats:
        values = np.einsum("bkd,bmd->bkm", self.states, self.shelf.vectors[items]).max(axis=1)
        values = np.where(self.shelf.placed[items], values, self.floor[:, None])
        return np.where(self._shown(items), values, np.float32(-np.inf)).astype(np.float32)

    def _shown(self, items: Ints | Longs) -> Bools:
        """``bool[B, m]``: which items may be shown to each query."""
        n, rules = len(self.shelf.placed), self.rules
        cells = np.arange(len(items))[:, None] * n + items
        if not len(rules.items):
            return rules.open[items]
        closed = rules.rows * n + rules.items
        places = np.minimum(np.searchsorted(closed, cells), len(closed) - 1)
        return rules.open[items] & (closed[places] != cells)

    def _search(self, rows: Longs, depth: int, sign: float = 1.0) -> list[tuple[Ints, Floats]]:
        """What may be shown and is found for some queries, each item once, with its score."""
        index, states = self.shelf.index, self.states[rows]
        hidden = int(np.bincount(self.rules.rows, minlength=1).max(initial=0))
        asked = np.float32(sign) * states.reshape(-1, states.shape[2])
        items = index.search(asked, depth + hidden, self.rules.open if len(self.rules.shut) else None)
        items = np.sort(items.reshape(len(rows), -1), axis=1)
        several = self if len(rows) == len(self.states) else self._alone(int(rows[0]))
        values = several._values(np.maximum(items, 0))
        kept = (items != EMPTY) & np.isfinite(values)
        kept[:, 1:] &= items[:, 1:] != items[:, :-1]
        return [(some[ok], told[ok]) for some, told, ok in zip(items, values, kept, strict=True)]

    def _lowest(self) -> Floats:
        """``float32[B]``: the lowest score of all items with a vector, as far as the index finds it."""
        items = self.shelf.index.search(-self.states[:, 0], 1)
        values = np.einsum("bd,bmd->bm", self.states[:, 0], self.shelf.vectors[np.maximum(items, 0)])
        return np.where(items == EMPTY, np.inf, values).min(axis=1)

    def _lowest_of_sample(self) -> Floats:
        some = self._sampled()
        return products(self.states, self.shelf.vectors[some[self.shelf.placed[some]]]).min(axis=1)

    def _sampled(self) -> Longs:
        """Items of all catalogue, the same for everybody."""
        n = len(self.shelf.placed)
        return np.arange(n) if n <= SAMPLE else np.sort(np.random.default_rng(n).choice(n, SAMPLE, replace=False))

    def _tell(self) -> None:
        """Work out the facts."""
        facts = self.facts
        facts["eligible"][:] = self.rules.count
        facts["high"][:] = [values.max(initial=-np.inf) for _, values in self.found]
        if self.states.shape[1] == 1:
            self._tell_sums()
        else:
            self._tell_sample()
        some_missing = self._missing() > 0
        for name, bound in (("low", np.minimum), ("high", np.maximum)):
            facts[name][some_missing] = bound(facts[name], self.floor)[some_missing]
        facts["low"][:] = np.minimum(facts["low"], facts["high"])
        facts["spread"][facts["high"] <= facts["low"]] = 0.0

    def _missing(self) -> Longs:
        """``int64[B]``: items without a vector that may be shown."""
        placed, rules = self.shelf.placed, self.rules
        if placed.all():
            return np.zeros(len(self.states), np.int64)
        closed = np.bincount(rules.rows[~placed[rules.items]], minlength=len(self.states))
        return int((rules.open & ~placed).sum()) - closed

    def _tell_sums(self) -> None:
        """Mean and spread from sums, less what is closed to each query alone; the lowest from the index."""
        rules, vectors, sums = self.rules, self.shelf.vectors, self.shelf.sums(self.rules)
        wide = self.states[:, 0].astype(np.float64)
        told = self.shelf.placed[rules.items]
        rows, items = rules.rows[told], rules.items[told]
        hidden = np.einsum("md,md->m", wide[rows], vectors[items])
        missing, floor, count = self._missing(), self.floor.astype(np.float64), np.maximum(rules.count, 1)
        total = wide @ sums.total - np.bincount(rows, hidden, len(wide)) + missing * floor
        squares = np.einsum("bd,de,be->b", wide, sums.squares, wide, optimize=True)
        squares += missing * floor**2 - np.bincount(rows, hidden**2, len(wide))
        mean = total / count
        self.facts["mean"][:] = mean
        self.facts["spread"][:] = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
        lowest = self._search(np.arange(len(wide)), 1, sign=-1.0)
        self.facts["low"][:] = [values.min(initial=np.inf) for _, values in lowest]

    def _tell_sample(self) -> None:
        """Mean, spread and the lowest of a sample of the items."""
        some = self._sampled()
        values = products(self.states, self.shelf.vectors[some]).astype(np.float64)
        values = np.where(self.shelf.placed[some], values, self.floor[:, None])
        shown = self._shown(np.tile(some, (len(values), 1)))
        count = np.maximum(shown.sum(axis=1), 1)
        mean = np.where(shown, values, 0.0).sum(axis=1) / count
        centred = np.where(shown, values - mean[:, None], 0.0)
        self.facts["mean"][:] = mean
        self.facts["spread"][:] = np.sqrt((centred**2).sum(axis=1) / count)
        self.facts["low"][:] = np.where(shown, values, np.inf).min(axis=1)
