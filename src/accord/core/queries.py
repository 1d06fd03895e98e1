"""A batch of questions: who asks, what they did, and what may be shown to them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.core.arrays import Bools, Doubles, Floats, Ints, Longs, Names, Ragged, scrambled
from accord.core.errors import InputError
from accord.core.history import History

CELLS = 1 << 23
"""The most scores (queries x items) that one chunk may hold: 32 MiB in float32."""
MANY = 32
"""Where more than one item in so many is shut, hiding them one by one takes longer than reading the mask."""


@dataclass(frozen=True, slots=True)
class Queries:
    """A batch of queries; one request is a batch of one. A user *is* the history that travels here."""

    users: Names
    """``object[B]``: user ids. A source may look up what it knows of a person beside the
    history (whom they know, say), and must answer as well where it knows nothing."""
    history: History
    now: Doubles
    """``float64[B]``: seconds since 1970 at which each list is asked for; NaN where unknown."""
    exclude: Ragged | None = None
    """Item numbers that must not be shown, beside those in the history."""
    include_seen: bool = False
    """Whether items of the history may be shown again."""
    candidates: Ints | None = None
    """The only items that may be shown, the same for the whole batch; None: all items."""
    open: Bools | None = None
    """``bool[n_items]``: items that may be shown to anybody of the batch, beside ``candidates``; None: all items. It is
    what rules compile to: a mask costs microseconds where a long list of ids costs milliseconds."""
    context: dict[str, Names] = field(default_factory=dict[str, Names])
    """``object[B]`` by name: in which circumstances each list is asked for (a place, a device); None where unknown.
    The names are those of the event columns that say the same of past events."""
    seed: int = 0
    """Draws ties anew: another seed orders items whose scores tie in another way, and changes nothing else."""

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], **settings: object) -> Queries:
        """Anonymous queries from plain lists of item numbers, oldest first."""
        history = History.of(rows)
        names = np.array([f"(nobody {row})" for row in range(len(rows))], dtype=object)
        return replace(cls(names, history, np.full(len(rows), np.nan)), **settings)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: NDArray[np.integer]) -> Queries:
        """The given rows, in the given order."""
        exclude = None if self.exclude is None else self.exclude.take(rows)
        return replace(
            self,
            users=self.users[rows],
            history=self.history.take(rows),
            now=self.now[rows],
            exclude=exclude,
            context={name: values[rows] for name, values in self.context.items()},
        )

    def chunks(self, n_items: int, cells: int = CELLS) -> Iterator[Queries]:
        """Consecutive parts, each of at most ``cells`` scores over ``n_items`` items (at least one row)."""
        size = max(1, cells // max(1, n_items))
        if 0 < len(self) <= size:
            yield self
            return
        for start in range(0, len(self), size):
            yield self.take(np.arange(start, min(start + size, len(self))))

    def tie_keys(self) -> Longs:
        """``int64[B]``: drawn from each history and the seed, to break ties the same way wherever it is asked."""
        drawn = scrambled(self.history.items, np.uint32(1)).astype(np.int64)
        if len(self) == 1:
            sums: Longs = drawn.sum(keepdims=True)
        else:
            sums = np.zeros(len(self), dtype=np.int64)
            np.add.at(sums, self.history.rows, drawn)
        return sums ^ self.salt

    @property
    def salt(self) -> int:
        """A number of 31 bits that the seed draws; 0 for the seed 0."""
        return zlib.crc32(str(self.seed).encode()) & 0x7FFFFFFF if self.seed else 0

    def mask(self, n_items: int) -> Bools:
        """``bool[n_items]``, fresh: what ``open`` and ``candidates`` leave; another size is an error."""
        if self.open is not None and self.open.shape != (n_items,):
            raise InputError(f"one flag an item is needed, {n_items}", place="open", value=self.open.shape)
        mask = np.ones(n_items, dtype=bool) if self.open is None else self.open.astype(bool)
        if self.candidates is not None:
            _check(self.candidates, n_items, "candidates")
            among = np.zeros(n_items, dtype=bool)
            among[self.candidates] = True
            mask &= among
        return mask

    def eligible(self, n_items: int) -> Eligibility:
        """Compile the rules of this batch against a catalogue of ``n_items`` items."""
        return Eligibility.of(self, n_items)


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The rules of one batch, compiled: one mask shared by all rows, and single cells closed on top of it."""

    open: Bools
    """``bool[n_items]``: items that may be shown to anybody of the batch."""
    rows: Longs
    items: Longs
    """Closed cells: query ``rows[i]`` must not see ``items[i]`` (unique, sorted, and open in the mask)."""
    count: Longs
    """``int64[B]``: how many items each query may be shown."""
    tie_keys: Longs
    """``int64[B]``: see ``Queries.tie_keys``."""
    memo: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
    """What sources have worked out of these rules, so that each need not do so anew."""

    @classmethod
    def of(cls, queries: Queries, n_items: int) -> Eligibility:
        """Compile candidates, seen items and exclusions; an unknown candidate number is an error."""
        mask = queries.mask(n_items)
        closed = _closed_cells(queries, n_items)
        closed = closed[mask[closed % n_items]] if n_items else closed
        rows, items = np.divmod(closed, max(1, n_items))
        count = int(mask.sum()) - np.bincount(rows, minlength=len(queries))
        return cls(mask, rows, items, count, queries.tie_keys())

    def fill(self, scores: Floats | Doubles, value: float) -> None:
        """Write ``value`` into every cell of ``scores[B, n_items]`` that must not be shown, in place."""
        if self.many_shut:
            np.copyto(scores, value, where=~self.open)
        elif len(self.shut):
            scores[:, self.shut] = value
        scores[self.rows, self.items] = value

    @property
    def many_shut(self) -> bool:
        """Whether so many items are shut that a mask is faster than their numbers."""
        return len(self.shut) * MANY > len(self.open)

    def among(self, shown: Longs) -> Eligibility:
        """The same rules over the open items alone, by their place in ``shown`` (ascending)."""
        everything = np.ones(len(shown), dtype=bool)
        return replace(self, open=everything, items=np.searchsorted(shown, self.items), memo={})

    @property
    def shut(self) -> Longs:
        """``int64[m]``: the items that nobody of the batch may be shown, ascending."""
        if "shut" not in self.memo:
            self.memo["shut"] = np.flatnonzero(~self.open)
        return self.memo["shut"]

    def part(self, start: int, stop: int) -> Eligibility:
        """The rules of the queries ``start:stop``."""
        low, high = np.searchsorted(self.rows, (start, stop))
        count, tie_keys = self.count[start:stop], self.tie_keys[start:stop]
        shared = {"shut": self.shut}
        return Eligibility(self.open, self.rows[low:high] - start, self.items[low:high], count, tie_keys, shared)


def _closed_cells(queries: Queries, n_items: int) -> Longs:
    """``row * n_items + item`` of every seen or excluded cell, unique."""
    parts: list[Longs] = []
    history = queries.history
    _check(history.items, n_items, "history")  # also where seen items may be shown: sources index by them
    if not queries.include_seen:
        parts.append(history.rows * n_items + history.items)
    if queries.exclude is not None:
        _check(queries.exclude.values, n_items, "exclude")
        if len(queries.exclude) != len(queries):
            raise InputError(f"one row a query is needed, {len(queries)}", place="exclude", value=len(queries.exclude))
        parts.append(queries.exclude.rows * n_items + queries.exclude.values)
    return _distinct(np.concatenate([np.empty(0, np.int64), *parts]))


def _distinct(numbers: Longs) -> Longs:
    """Ascending and without repeats; by sorting, which is many times faster than ``np.unique`` here."""
    ascending = np.sort(numbers)
    first = np.ones(len(ascending), dtype=bool)
    first[1:] = ascending[1:] != ascending[:-1]
    return ascending[first]


def _check(items: NDArray[np.integer], n_items: int, place: str) -> None:
    if len(items) and (items.min() < 0 or items.max() >= n_items):
        wrong = items[(items < 0) | (items >= n_items)][0]
        raise InputError("not an item number", place=place, value=int(wrong), remedy=f"Known: 0 to {n_items - 1}.")
