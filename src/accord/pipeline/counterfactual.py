"""What the list would be without one event of the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from accord.core.arrays import Ints, Longs, Ragged
from accord.core.queries import Queries
from accord.core.slate import EMPTY, Slate
from accord.pipeline.pipeline import Pipeline

DEPTH = 100
"""Places that are looked at; an item that falls behind them is said not to be among them."""
_ALL = -1
"""In place of an item that is left out: nothing is."""


@dataclass(frozen=True, slots=True)
class Without:
    """Where an item would stand had one item of the history not been met."""

    event: int
    """The item of the history that is left out, with all its events."""
    place: int | None
    """From 1; None where the item is not among the first ``depth``."""
    score: float | None
    """The fused score there."""
    before: int | None
    """The place with the whole history."""
    depth: int
    """How many places were looked at."""


Asked = Sequence[tuple[int, Sequence[int]]]
"""Items, each with the items of the history that are left out one at a time."""


def without_events(
    pipeline: Pipeline, queries: Queries, asked: Sequence[Asked], depth: int = DEPTH
) -> list[list[list[Without]]]:
    """For each query and each of its items what becomes of it without each of the given events.

    Rules of the queries hold, and what is left out of a history is not offered in its place; caps, pins and boosts of
    a placement are not applied. One batched ``recommend`` answers 1 + E queries for each, with E the distinct events
    asked for (at most three a place, by default), in the memory that ``recommend`` takes.
    """
    pairs = [(row, event) for row, items in enumerate(asked) for event in (_ALL, *_distinct(items))]
    rows, events = np.array(pairs, np.int64).reshape(-1, 2).T
    slate = pipeline.recommend(_lacking(queries.take(rows), events), depth)
    lists = {pair: _places(slate, at) for at, pair in enumerate(pairs)}
    return [
        [
            [_outcome(item, event, lists[row, event], lists[row, _ALL], depth) for event in events]
            for item, events in items
        ]
        for row, items in enumerate(asked)
    ]


def _distinct(items: Asked) -> list[int]:
    return sorted({event for _, events in items for event in events})


def _lacking(queries: Queries, events: Longs) -> Queries:
    """The queries, each without one item in its history, which stays closed where items seen are."""
    history = queries.history
    shorter = replace(queries, history=history.keep(history.items != events[history.rows]))
    if queries.include_seen:
        return shorter
    left = np.flatnonzero(events != _ALL)
    before = queries.exclude or Ragged.of([[]] * len(queries))
    rows, items = np.concatenate([before.rows, left]), np.concatenate([before.values, events[left]])
    return replace(shorter, exclude=Ragged.grouped(rows, items.astype(np.int32), len(queries)))


def _places(slate: Slate, row: int) -> dict[int, tuple[int, float]]:
    """Place (from 1) and score of each item of one list."""
    items: Ints = slate.items[row]
    scores = slate.column("score")[row]
    listed = enumerate(zip(items.tolist(), scores.tolist(), strict=True), 1)
    return {item: (place, score) for place, (item, score) in listed if item != EMPTY}


def _outcome(
    item: int, event: int, without: dict[int, tuple[int, float]], before: dict[int, tuple[int, float]], depth: int
) -> Without:
    place, score = without.get(item, (None, None))
    return Without(event, place, score, before.get(item, (None, 0.0))[0], depth)
