"""Caps: at most so many items of one brand, category or creator in a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from accord.core.arrays import Ints, Ragged
from accord.core.errors import InputError
from accord.core.queries import Queries
from accord.core.slate import EMPTY, Slate

Values = list[list[int]]
"""The codes of the values of each place of a list."""


@dataclass(frozen=True)
class Cap:
    """One cap: at most ``most`` items of each value."""

    groups: Ragged
    """The codes of the values of each item; an item without any is not capped."""
    most: int

    def __post_init__(self) -> None:
        if self.most < 1:
            raise InputError("a cap allows at least one item", place="caps", value=self.most)

    def values(self, items: Ints) -> Values:
        """The codes of the values of each place; none for an empty one."""
        return [self.groups[item].tolist() if item != EMPTY else [] for item in items.tolist()]


@dataclass(frozen=True)
class Caps:
    """A stage: walks each list from its best item and takes whatever no cap forbids, until ``n`` items are taken.

    An item of a list field counts for each of its values. Nothing is left out that would still fit: a list comes out
    short only where every item of the slate that was not taken is forbidden; ask for a deeper slate then.
    """

    caps: Sequence[Cap]
    n: int
    """The most items that are taken."""
    reserved: Ints | None = field(default=None)
    """``int32[B, P]``: items that stand in the list already (``EMPTY`` pads): they count, and are not taken again."""

    def __call__(self, queries: Queries, slate: Slate) -> Slate:
        """A slate in its final order in, at most ``n`` places of it out, in the same order."""
        kept = [self._walk(items, self._held(row)) for row, items in enumerate(slate.items)]
        return picked(slate, kept, self.n)

    def _held(self, row: int) -> Ints:
        return np.empty(0, np.int32) if self.reserved is None else self.reserved[row]

    def _walk(self, items: Ints, held: Ints) -> list[int]:
        """The places of one list that are taken."""
        counts = [Counter(code for codes in cap.values(held) for code in codes) for cap in self.caps]
        taken, gone = list[int](), {EMPTY, *held.tolist()}
        for place, item in enumerate(items.tolist()):
            if len(taken) == self.n:
                break
            if item not in gone and self._takes(item, counts):
                taken.append(place)
        return taken

    def _takes(self, item: int, counts: list[Counter[int]]) -> bool:
        """Whether the item fits under every cap; then it is counted."""
        values = [cap.groups[item].tolist() for cap in self.caps]
        for cap, count, codes in zip(self.caps, counts, values, strict=True):
            if any(count[code] >= cap.most for code in codes):
                return False
        for count, codes in zip(counts, values, strict=True):
            count.update(codes)
        return True


def picked(slate: Slate, places: Sequence[Sequence[int]], n: int) -> Slate:
    """The given places of each list, at most ``n``, in the given order, padded to ``n``."""
    chosen = Ragged.of(places, np.int64)
    rows = chosen.rows
    cells = rows, np.arange(len(rows)) - chosen.offsets[rows]
    old = rows, chosen.values
    items = np.full((len(slate), n), EMPTY, np.int32)
    items[cells] = slate.items[old]
    columns = {name: np.full((len(slate), n), np.nan, np.float32) for name in slate.columns}
    for name, values in columns.items():
        values[cells] = slate.columns[name][old]
    return Slate(items, columns, slate.facts)
