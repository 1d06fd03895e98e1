"""Which events of the history speak for an item, by what they add through each source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np

from accord.core.arrays import Floats, Ints
from accord.core.roles import Explains
from accord.pipeline.pipeline import Gathered, Pipeline
from accord.pipeline.shapley import Attribution

Cell: TypeAlias = tuple[int, int]
"""Query and place."""
Told: TypeAlias = list[tuple[int, float]]
"""Items of a history, strongest first, each with its share of all that speaks for an item."""


def credits_of(pipeline: Pipeline, gathered: Gathered, parts: Sequence[Attribution]) -> dict[str, Floats]:
    """``float32[B, K, H]`` by source: what each history event (padded to the longest, H) adds to the fused score.

    Only what speaks for an item counts: a source's part is split among the events in proportion to what each adds to
    the source's own score. Sources that read no history, have no opinion (one that failed is not asked again) or add
    nothing give no credit; nor do sources that were grouped as ``others``.
    """
    found = dict[str, Floats]()
    for name, source in pipeline.sources.items():
        heard = gathered.asked.facts[f"{name}.spread"] > 0
        own_part = np.array([_part(row, name, gathered.asked.width) for row in parts])
        added = np.where(heard[:, None], np.maximum(own_part, 0), 0)
        if isinstance(source, Explains) and added.any():
            own = np.maximum(source.parts(gathered.queries, gathered.asked.items), 0)
            total = np.maximum(own.sum(axis=2, keepdims=True), 1e-12)
            found[name] = (added[:, :, None] * own / total).astype(np.float32)
    return found


def _part(parts: Attribution, name: str, width: int) -> Floats:
    """``float32[K]``: what a source adds to the scores of one list."""
    return parts.values[:, parts.names.index(name)] if name in parts.names else np.zeros(width, np.float32)


def strongest(gathered: Gathered, given: Iterable[Floats], most: int) -> dict[Cell, Told]:
    """The history items with the most credit for each asked item, all credit given added up; an entry a filled place.

    An item that was met several times counts once, with all that its events add.
    """
    total = sum(given)
    rows, places = (numbers.tolist() for numbers in np.nonzero(gathered.asked.filled))
    if not isinstance(total, np.ndarray):
        return {(row, place): [] for row, place in zip(rows, places, strict=True)}
    history = gathered.queries.history.ragged
    return {(row, place): _best(history[row], total[row, place], most) for row, place in zip(rows, places, strict=True)}


def _best(events: Ints, credit: Floats, most: int) -> Told:
    items, at = np.unique(events, return_inverse=True)
    own = np.bincount(at, weights=credit[: len(events)], minlength=len(items))
    newest = np.zeros(len(items), np.int64)
    np.maximum.at(newest, at, np.arange(len(events)))
    best = np.lexsort((-newest, -own))[:most]  # of equal ones the newest: an item's number says nothing
    whole = float(own.sum())
    return [(int(items[item]), float(own[item]) / whole) for item in best if own[item] > 0]
