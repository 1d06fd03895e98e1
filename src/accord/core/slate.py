"""Lists of items with named scores: what sources offer, stages reorder and users receive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from accord.core.arrays import Bools, Floats, Ints, scrambled
from accord.core.columns import SCORE
from accord.core.errors import InputError
from accord.core.space import Space, joined

EMPTY = -1
"""The item number of an empty place."""


@dataclass(frozen=True, slots=True)
class Slate:
    """A batch of lists: ``items[B, K]`` and float columns of the same shape."""

    items: Ints
    """``int32[B, K]``: item numbers; ``EMPTY`` pads short lists."""
    columns: dict[str, Floats] = field(default_factory=dict[str, Floats])
    """Named ``float32[B, K]``: one a source, then ``score``; NaN where there is no value."""
    facts: dict[str, NDArray[np.float64]] = field(default_factory=dict[str, NDArray[np.float64]])
    """Named ``float64[B]``: facts of a whole query, such as ``eligible`` (how many items could have been shown)."""
    spaces: dict[str, Space] = field(default_factory=dict[str, Space])
    """Named vectors of the items and of those who ask, where a fuser reads any."""

    def __len__(self) -> int:
        return len(self.items)

    @property
    def width(self) -> int:
        """K, the number of places."""
        return self.items.shape[1]

    @property
    def filled(self) -> Bools:
        """``bool[B, K]``: places that hold an item."""
        return self.items != EMPTY

    def column(self, name: str) -> Floats:
        """One column. Raises ``InputError`` naming the columns there are."""
        if name not in self.columns:
            raise InputError("no such column of the slate", value=name, remedy=f"There are: {', '.join(self.columns)}.")
        return self.columns[name]

    def with_column(self, name: str, values: Floats) -> Slate:
        """A copy with a column added or replaced."""
        if values.shape != self.items.shape:
            raise InputError(f"column {name!r} must have shape {self.items.shape}", value=values.shape)
        return replace(self, columns={**self.columns, name: values.astype(np.float32, copy=False)})

    def take(self, order: NDArray[np.integer]) -> Slate:
        """Reorder (and cut) the places: ``order[B, K']`` holds the old place of each new place."""
        columns = {name: np.take_along_axis(values, order, axis=1) for name, values in self.columns.items()}
        return replace(self, items=np.take_along_axis(self.items, order, axis=1), columns=columns)

    def rows(self, rows: NDArray[np.integer]) -> Slate:
        """Some of the queries, in the given order."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        facts = {name: values[rows] for name, values in self.facts.items()}
        return Slate(self.items[rows], columns, facts, {name: space.rows(rows) for name, space in self.spaces.items()})

    def ranked(self, by: str = SCORE, n: int | None = None, salt: int = 0) -> Slate:
        """Best first by a column (empty places and NaN last), cut to ``n`` places.

        Equals come in a pseudo-random order, the same every time for the same ``salt`` (see ``Queries.salt``): the
        number of an item is no signal.
        """
        key = np.where(self.filled & ~np.isnan(self.column(by)), self.column(by), -np.inf)
        order = np.lexsort((scrambled(self.items, np.uint32(salt)), -key), axis=1)
        return self.take(order[:, :n])

    def head(self, n: int) -> Slate:
        """The first ``n`` places."""
        columns = {name: values[:, :n] for name, values in self.columns.items()}
        return replace(self, items=self.items[:, :n], columns=columns)

    @staticmethod
    def stacked(parts: Sequence[Slate]) -> Slate:
        """Slates of consecutive chunks as one; narrower ones are padded."""
        width = max(part.width for part in parts)
        padded = [_widened(part, width) for part in parts]
        columns = {name: np.concatenate([part.columns[name] for part in padded]) for name in parts[0].columns}
        facts = {name: np.concatenate([part.facts[name] for part in padded]) for name in parts[0].facts}
        items = np.concatenate([part.items for part in padded])
        return Slate(items, columns, facts, joined([part.spaces for part in parts]))


def _widened(slate: Slate, width: int) -> Slate:
    missing = width - slate.width
    if not missing:
        return slate
    pad = ((0, 0), (0, missing))
    columns = {name: np.pad(values, pad, constant_values=np.nan) for name, values in slate.columns.items()}
    return replace(slate, items=np.pad(slate.items, pad, constant_values=EMPTY), columns=columns)
