"""What links add to the vectors of people: an extra that a model answers without."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

import numpy as np

from accord.core.arrays import Floats, Longs, Names
from accord.core.part import State, pack, unpack

PREFIX = "people."


@dataclass(frozen=True)
class LinkedPeople:
    """A vector and a weight for each person with links, found by a hash of the user id; ids are not kept."""

    keys: Longs
    """``int64[m]``, ascending: hashes of the ids."""
    sums: Floats
    """``float32[m, dim]``: what the links add to the sum over the history."""
    weights: Floats
    """``float32[m]``: what they add to the degree."""

    @classmethod
    def of(cls, ids: Names, sums: Floats, weights: Floats) -> Self:
        """From all users; those without links are left out."""
        some = np.flatnonzero(weights > 0)
        keys = hashes(ids[some])
        order = np.argsort(keys)
        return cls(keys[order], sums[some][order], weights[some][order])

    def found(self, ids: Names) -> tuple[Floats, Floats]:
        """``float32[B, dim]`` and ``float32[B]``: nothing for somebody who is not known."""
        sums, weights = np.zeros((len(ids), self.sums.shape[1]), np.float32), np.zeros(len(ids), np.float32)
        if len(self.keys):
            keys = hashes(ids)
            at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
            known = self.keys[at] == keys
            sums[known], weights[known] = self.sums[at[known]], self.weights[at[known]]
        return sums, weights

    def state(self) -> State:
        """The arrays, named apart from the others."""
        return pack({PREFIX + name: getattr(self, name) for name in FIELDS})

    @classmethod
    def of_state(cls, arrays: State, owner: str) -> Self | None:
        """What ``state`` gave; None where nothing was kept. Raises ``ArtefactError`` where a part is missing."""
        if not any(name.startswith(PREFIX) for name in arrays):
            return None
        parts: list[Any] = [unpack(arrays, PREFIX + name, owner) for name in FIELDS]
        return cls(*parts)


FIELDS = ("keys", "sums", "weights")


def hashes(ids: Names) -> Longs:
    """``int64[m]``: the first 8 bytes of the SHA-256 of each id."""
    digests = b"".join(sha256(str(one).encode()).digest()[:8] for one in ids)
    return np.frombuffer(digests, "<i8").astype(np.int64)
