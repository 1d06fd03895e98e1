"""What the trees of a stack move a place by, shared out to the sources whose features moved it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accord.core.arrays import Doubles, Floats
from accord.fuse.features import OWN, VIEWS

OF_BASE = sum(name.startswith("base") for name in OWN)
"""How many of a place's own features are views of the base score; they come first."""
TINY = 1e-9
"""What every source weighs at least, so that shares are defined where no feature speaks."""


def by_source(features: Doubles, layout: Sequence[str], sources: Sequence[str], base: Floats) -> Doubles:
    """``float64[N, S]``: what each feature adds to the trees' values, ``float64[N, F]``, grouped by source.

    A source has its own features. Those of the base score go to the sources in proportion to the size of their parts
    of it (``base``: ``float32[N, S]``); what belongs to no source (the item's events, the length of the history,
    sources that are no longer heard) is spread evenly. The sum over sources is the sum over features.
    """
    n, width = len(features), len(VIEWS) * len(layout)
    own = features[:, :width].reshape(n, len(layout), len(VIEWS)).sum(axis=2)
    heard = [name in sources for name in layout]
    known = [sources.index(name) for name, here in zip(layout, heard, strict=True) if here]
    sizes = np.abs(base).astype(np.float64) + TINY
    out = sizes / sizes.sum(axis=1, keepdims=True) * features[:, width : width + OF_BASE].sum(axis=1, keepdims=True)
    nobody = features[:, width + OF_BASE :].sum(axis=1) + own[:, np.logical_not(heard)].sum(axis=1)
    out += nobody[:, None] / len(sources)
    out[:, known] += own[:, heard]
    return out


def shares(values: Doubles, moved: Floats) -> Floats:
    """``float32[N, S]``: shares of the sources in a move, each row summing to one.

    ``values``: ``float64[N, S]``, what each source adds to the trees' value of a place; ``moved``: ``float32[N]``.
    Those that pull the way the place went have moved it; where none does (others gave way), all count by their size.
    """
    toward = np.maximum(values * np.sign(moved)[:, None], 0)
    pulled = toward.sum(axis=1, keepdims=True) > TINY
    weight = np.where(pulled, toward, np.abs(values) + TINY)
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
