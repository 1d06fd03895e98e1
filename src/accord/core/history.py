"""What users did, oldest first: parallel flat arrays with one offsets array."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from accord.core.arrays import Bools, Doubles, Floats, Ints, Longs, Ragged, offsets_of, take_index

UNKNOWN = 0
"""The code of an event whose kind is not known."""


@lru_cache(maxsize=1024)  # logs have few kinds, and a stranger's requests must not fill the memory
def kind_code(name: str | None) -> int:
    """A number of 31 bits for a kind of event, the same everywhere: data and requests need no vocabulary in common."""
    return zlib.crc32(name.encode()) & 0x7FFFFFFF or 1 if name else UNKNOWN


@dataclass(frozen=True, slots=True)
class History:
    """A batch of histories: row ``i`` holds the events ``offsets[i]:offsets[i + 1]``, oldest first."""

    offsets: Longs
    items: Ints
    times: Doubles
    """Seconds since 1970, NaN where unknown."""
    weights: Floats
    kinds: Ints | None = None
    """``int32[N]``: what was done, as ``kind_code`` says; None where nobody told."""
    values: Floats | None = None
    """``float32[N]``: a rating, a price, a duration, as the log has it; NaN where an event has none."""

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> History:
        """Histories from plain lists of item numbers, without times, every weight 1."""
        ragged = Ragged.of(rows)
        n = len(ragged.values)
        return cls(ragged.offsets, ragged.values, np.full(n, np.nan), np.ones(n, np.float32))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Longs:
        """``int64[B]``: events in each history."""
        return self.offsets[1:] - self.offsets[:-1]

    @property
    def rows(self) -> Longs:
        """``int64[N]``: the row number of each event."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def ragged(self) -> Ragged:
        """The item numbers alone."""
        return Ragged(self.items, self.offsets)

    @property
    def age(self) -> Longs:
        """``int64[N]``: how many events of the same row came after each event; the newest has 0."""
        return np.repeat(self.offsets[1:], self.lengths) - 1 - np.arange(len(self.items))

    def take(self, rows: NDArray[np.integer]) -> History:
        """The given rows, in the given order."""
        return self.picked(*take_index(self.offsets, rows))

    def keep(self, mask: Bools) -> History:
        """Only the events where ``mask`` is true; every row stays, perhaps empty."""
        return self.picked(mask, offsets_of(np.bincount(self.rows[mask], minlength=len(self))))

    def picked(self, index: NDArray[Any], offsets: Longs) -> History:
        """The events at an index (numbers or a mask), as the rows that ``offsets`` says."""
        kinds = None if self.kinds is None else self.kinds[index]
        values = None if self.values is None else self.values[index]
        return History(offsets, self.items[index], self.times[index], self.weights[index], kinds, values)

    def followed_by(self, later: History) -> History:
        """Row by row the events of both, those of ``later`` as the newer ones."""
        order = np.argsort(np.concatenate([self.rows, later.rows]), kind="stable")
        offsets = self.offsets + later.offsets
        plain = [
            np.concatenate([getattr(self, name), getattr(later, name)])[order] for name in ("items", "times", "weights")
        ]
        return History(offsets, *plain, *(_joined(self, later, name, order) for name in ("kinds", "values")))

    def last(self, n: int) -> History:
        """The newest ``n`` events of each row."""
        return self if self.lengths.max(initial=0) <= n else self.keep(self.age < n)

    def recency(self, tau: float | None) -> Floats:
        """``float32[N]``: ``weight * exp(-age / tau)``; the bare weights where ``tau`` is None or infinite."""
        if tau is None or math.isinf(tau):
            return self.weights
        return (self.weights * np.exp(-self.age / tau)).astype(np.float32)

    def newest(self, n_items: int, tau: float | None = None) -> tuple[Ints, Floats, Longs]:
        """Items, recency weights and offsets of what each row holds, by ascending item number.

        An item met twice counts with its newest weight.
        """
        cells = self.items.astype(np.int64) if len(self) == 1 else self.rows * n_items + self.items
        by_cell = np.argsort(cells, kind="stable")  # within a cell oldest first
        ascending = cells[by_cell]
        newest = np.ones(len(cells), dtype=bool)
        np.greater(ascending[1:], ascending[:-1], out=newest[:-1])
        kept = by_cell[newest]
        lengths = [len(kept)] if len(self) == 1 else np.bincount(self.rows[kept], minlength=len(self))
        return self.items[kept], self.recency(tau)[kept], offsets_of(lengths)

    def matrix(self, n_items: int, tau: float | None = None) -> csr_array:
        """``float32[B, n_items]``, sparse: recency weights; an item met twice counts with its newest weight."""
        items, weights, offsets = self.newest(n_items, tau)
        # of the same width as the numbers of learned matrices, or a product would copy these to make them alike
        small = np.int32 if max(n_items, len(items)) < np.iinfo(np.int32).max else np.int64
        return csr_array((weights, items.astype(small), offsets.astype(small)), shape=(len(self), n_items))


_NOT_TOLD = {"kinds": np.int32(UNKNOWN), "values": np.float32(np.nan)}


def _joined(first: History, second: History, name: str, order: Longs) -> Any:
    """The kinds or values of both; None where neither has any."""
    parts = [getattr(history, name) for history in (first, second)]
    if parts[0] is None and parts[1] is None:
        return None
    told = [
        np.full(len(history.items), _NOT_TOLD[name]) if part is None else part
        for history, part in zip((first, second), parts, strict=True)
    ]
    return np.concatenate(told)[order]
