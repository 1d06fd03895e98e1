"""Terms compiled into queries: what may be shown of each, and what is liked, before any source runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from accord.core.arrays import Bools, Doubles, Ints, Ragged
from accord.core.history import History
from accord.core.queries import Queries
from accord.pipeline.compiled import CompiledCatalogue
from accord.pipeline.pipeline import Pipeline
from accord.pipeline.placements import Terms
from accord.pipeline.rules import Condition, Rules

MORE = 2.0
"""How much an item of ``more_like`` weighs in the history."""


def under(pipeline: Pipeline, queries: Queries, *terms: Terms) -> Queries:
    """The queries as the pipeline is asked them: with what is liked in the history, and only what may be shown open."""
    catalogue = pipeline.catalogue
    rules = [part for one in terms for part in (one.rules, _muted(one)) if part is not None]
    liked = catalogue.among([name for one in terms for name in one.more_like.items])
    asked = replace(queries, history=_with_liked(queries.history, liked.astype(np.int32), queries.now))
    return with_rules(catalogue, asked, rules)


def with_rules(catalogue: CompiledCatalogue, queries: Queries, rules: Sequence[Rules]) -> Queries:
    """The queries with rules compiled to the mask ``open``; what only some rows may not see is excluded row by row."""
    mask = reduce(np.logical_and, [catalogue.fixed(part) for part in rules], np.ones(catalogue.n_items, dtype=bool))
    if queries.open is not None:
        mask = mask & queries.open
    seen = queries.include_seen or any(part.include_seen for part in rules)
    asked = replace(queries, open=mask, include_seen=seen)
    varying = [part for part in rules if part.by_query]
    return _row_by_row(catalogue, asked, mask, varying) if varying and len(queries) else asked


def _muted(terms: Terms) -> Rules | None:
    """What is muted, and the items of less-like themselves, as rules."""
    items = tuple(dict.fromkeys((*terms.mute.items, *terms.less_like.items)))
    if not items and not terms.mute.values:
        return None
    filters = {field: Condition.model_validate({"not": values}) for field, values in terms.mute.values.items()}
    return Rules(blocked=items, filters=filters)


def _with_liked(history: History, items: Ints, now: Doubles) -> History:
    """The histories with the items as their newest events."""
    if not len(items) or not len(history):
        return history
    n, m = len(history), len(items)
    weights = np.full(n * m, MORE, np.float32)
    return history.followed_by(History(np.arange(n + 1) * m, np.tile(items, n), np.repeat(now, m), weights))


def _row_by_row(catalogue: CompiledCatalogue, queries: Queries, mask: Bools, rules: Sequence[Rules]) -> Queries:
    """Ages and regions: what any row may see stays in the mask, what another row may not see is excluded there."""
    keys = [_circumstances(queries, row, rules) for row in range(len(queries))]
    distinct = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    first = {key: row for row, key in reversed(list(enumerate(keys)))}
    masks = np.stack([mask & _mask_of(catalogue, queries, first[key], rules) for key in distinct])
    shared = masks.any(axis=0)
    if len(distinct) == 1:
        return replace(queries, open=shared)
    groups, items = np.nonzero(shared & ~masks)
    closed = Ragged.grouped(groups, items.astype(np.int32), len(distinct))
    return replace(
        queries, open=shared, exclude=_both(queries.exclude, closed.take(np.array([distinct[k] for k in keys])))
    )


def _circumstances(queries: Queries, row: int, rules: Sequence[Rules]) -> tuple[object, ...]:
    """All that the rules read of one query."""
    now = repr(float(queries.now[row])) if any(part.age is not None for part in rules) else None
    regions = [part.region.context for part in rules if part.region is not None]
    return now, *(queries.context[name][row] if name in queries.context else None for name in regions)


def _mask_of(catalogue: CompiledCatalogue, queries: Queries, row: int, rules: Sequence[Rules]) -> Bools:
    context = {name: values[row] for name, values in queries.context.items()}
    return reduce(np.logical_and, [catalogue.at(part, float(queries.now[row]), context) for part in rules])


def _both(first: Ragged | None, second: Ragged) -> Ragged:
    """The values of both, row by row."""
    if first is None:
        return second
    rows = np.concatenate([first.rows, second.rows])
    return Ragged.grouped(rows, np.concatenate([first.values, second.values]), len(second))
