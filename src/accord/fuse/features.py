"""What the trees of a stack look at: scale-free views of every source's scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accord.core.arrays import Floats, Longs
from accord.core.slate import Slate
from accord.fuse.base import AGE, EVENTS, HISTORY, ranged, standardised

VIEWS = ("z", "range", "rank")
"""Of each source: standard score and range over all eligible items, reciprocal rank among the places looked at."""
OWN = ("base", "base.behind", "base.rank", "events", "age", "history")
"""Of each place: the base score, how far it is behind the best, its reciprocal rank; the item's events, its age in
days and the length of the history, as logarithms."""


def feature_names(sources: Sequence[str]) -> list[str]:
    """Names in the order of ``features``."""
    return [f"{name}.{view}" for name in sources for view in VIEWS] + list(OWN)


def features(slate: Slate, layout: tuple[str, ...], heard: tuple[str, ...], base: Floats, places: Longs) -> Floats:
    """``float32[B, P, F]`` for ``places[B, P]``, best base score first; of the sources in ``layout`` only the ``heard``
    ones say something.

    All of it is free of scale (or a logarithm of a count), so that trees that were learned on one fit of the sources
    read the next one rightly.
    """
    out = np.zeros((*places.shape, len(VIEWS) * len(layout) + len(OWN)), np.float32)
    taken = slate.take(places)
    for number, name in enumerate(layout):
        if name in heard:
            first = len(VIEWS) * number
            out[:, :, first] = standardised(taken, (name,))[:, :, 0]
            out[:, :, first + 1] = ranged(taken, (name,))[:, :, 0]
            out[:, :, first + 2] = reciprocal_ranks(taken.column(name))
    own = out[:, :, len(VIEWS) * len(layout) :]
    unknown = np.zeros(places.shape, np.float32)
    own[:, :, 0] = np.take_along_axis(base, places, axis=1)
    own[:, :, 1] = own[:, :, 0] - own[:, :1, 0]
    own[:, :, 2] = 1 / (1 + np.arange(places.shape[1]))
    own[:, :, 3] = np.log1p(np.nan_to_num(taken.column(EVENTS)))
    own[:, :, 4] = np.log1p(np.nan_to_num(taken.columns.get(AGE, unknown)))
    own[:, :, 5] = np.log1p(slate.facts.get(HISTORY, np.zeros(len(slate))))[:, None]
    return out


def reciprocal_ranks(values: Floats) -> Floats:
    """``float32[B, P]``: ``1 / rank`` of each value in its row, the largest first; NaN gets 0."""
    order = np.argsort(np.where(np.isnan(values), np.inf, -values), axis=1)
    ranks = np.empty(values.shape, np.float32)
    np.put_along_axis(ranks, order, np.float32(1) / np.arange(1, values.shape[1] + 1, dtype=np.float32)[None], axis=1)
    return np.where(np.isnan(values), np.float32(0), ranks)
