"""Vectors of items and of those who ask, as stages read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accord.core.arrays import Floats


@dataclass(frozen=True, slots=True)
class Space:
    """One table of item vectors, shared by all lists of a catalogue, and a vector of each who asks."""

    items: Floats
    """``float32[n_items, d]``; zero for items of which nothing is known. Never copied with a list."""
    users: Floats
    """``float32[B, d]``; zero for those of whom nothing is known."""
    fixed: bool
    """Whether another fit gives the same vectors (a frozen encoder). If not, only what a rotation of the whole space
    leaves alone may be learned from: cosines, products, lengths."""
    unit: float = 1.0
    """The mean length of the item vectors, those of zero left out."""

    def rows(self, rows: NDArray[np.integer[Any]]) -> Space:
        """Some of those who ask, in the given order."""
        return replace(self, users=self.users[rows])


def joined(parts: Sequence[Mapping[str, Space]]) -> dict[str, Space]:
    """Spaces of consecutive chunks, over one catalogue, as one."""
    if not parts:
        return {}
    users = {name: np.concatenate([part[name].users for part in parts]) for name in parts[0]}
    return {name: replace(space, users=users[name]) for name, space in parts[0].items()}
