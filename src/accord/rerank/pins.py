"""Pinned places: slots that an editor or an advertiser has, outside the ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from accord.core.arrays import Ints
from accord.core.queries import Queries
from accord.core.slate import EMPTY, Slate
from accord.rerank.caps import picked

PIN = "pin"
"""The column that says which pin a place is reserved by: its position in the list of pins; NaN: it was ranked."""


@dataclass(frozen=True)
class Pins:
    """A stage: puts items into their places; the ranked ones keep their order and fill the places between.

    An item that is pinned is not shown a second time. A pinned place has no scores: all its columns are NaN but
    ``pin``. Where a list is too short to reach a place, the item comes right after the last one.
    """

    items: Ints
    """``int32[B, P]``: what is pinned for each query; ``EMPTY`` where the item must not be shown to it."""
    places: Sequence[int]
    """The place of each pin, from 1, all different; those beyond the list are left out."""
    n: int
    """Places of the list."""

    def __call__(self, queries: Queries, slate: Slate) -> Slate:
        """A slate in its final order in, ``n`` places with the column ``pin`` out."""
        both = _beside(slate, self.items)
        rows = [self._row(slate.items[row], self.items[row], slate.width) for row in range(len(slate))]
        return picked(both, rows, self.n)

    def _row(self, ranked: Ints, pinned: Ints, width: int) -> list[int]:
        """Where each place of the new list comes from: below ``width`` from the ranking, above from the pins."""
        used = {int(item) for item in pinned if item != EMPTY}
        rest = [place for place, item in enumerate(ranked.tolist()) if item != EMPTY and item not in used]
        due = {place: pin for pin, place in enumerate(self.places) if pinned[pin] != EMPTY and place <= self.n}
        out, waiting = list[int](), iter(rest)
        for place in range(1, self.n + 1):
            source = width + due.pop(place) if place in due else next(waiting, None)
            if source is None:
                break
            out.append(source)
        return out + [width + due[place] for place in sorted(due)]


def _beside(slate: Slate, pinned: Ints) -> Slate:
    """The slate with the pinned items as further places at its end, and the column ``pin``."""
    shape = pinned.shape
    nothing = np.full(shape, np.nan, np.float32)
    numbers = np.broadcast_to(np.arange(shape[1], dtype=np.float32), shape)
    columns = {name: np.concatenate([values, nothing], axis=1) for name, values in slate.columns.items()}
    columns[PIN] = np.concatenate([np.full(slate.items.shape, np.nan, np.float32), numbers], axis=1)
    return Slate(np.concatenate([slate.items, pinned.astype(np.int32)], axis=1), columns, slate.facts)
