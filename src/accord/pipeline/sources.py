"""Several sources as one: fit them, gather what they offer, let each score what the others offered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from accord.core.arrays import Doubles, Ints, Longs
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.queries import Eligibility, Queries
from accord.core.roles import Recommender, Scored
from accord.core.run import Run
from accord.core.slate import EMPTY, Slate
from accord.fuse.base import AGE, EVENTS, HISTORY
from accord.fuse.circumstances import facts_of
from accord.pipeline.resume import kept_fit
from accord.pipeline.spaces import NOWHERE, Spaces

Sources = dict[str, Recommender]
DAY = 86_400


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What fusers are told of items beside scores and vectors."""

    events: Longs
    """``int64[n_items]``: training events of each item; 0 marks a cold item."""
    born: Doubles
    """``float64[n_items]``: seconds since 1970 at which each item came; NaN where unknown."""

    @classmethod
    def of(cls, data: Dataset) -> ItemFacts:
        """Those of the items of a log."""
        return cls(data.item_counts, data.item_births)


class Guard(Protocol):
    """Asks sources while somebody waits, and goes on without those that fail or take too long."""

    def __call__(self, tasks: Mapping[str, Callable[[], Scored]]) -> dict[str, Scored]:
        """What the sources said in time, by name; it must not raise what a source raises."""
        ...


def fit_sources(
    sources: Mapping[str, Recommender], data: Dataset, run: Run, label: str
) -> tuple[Sources, dict[str, str]]:
    """Fit every source; one that does not apply to the data is left out and named with its reason."""
    fitted: Sources = {}
    skipped: dict[str, str] = {}
    for name, source in sources.items():
        try:
            with run.step(f"fit {name} ({label})"):
                fitted[name] = kept_fit(source, data, run)
        except CannotFit as reason:
            skipped[name] = str(reason)
    return fitted, skipped


def score_all(sources: Mapping[str, Recommender], queries: Queries, guard: Guard | None = None) -> dict[str, Scored]:
    """Every source's scores for one chunk, under one compiled set of rules.

    Without a guard an error of a source is an error of the whole; with one, a source left out has no opinion.
    """
    n_items = next(iter(sources.values())).n_items
    rules = queries.eligible(n_items)
    if guard is None:
        return {name: source.scored(queries, rules) for name, source in sources.items()}
    said = guard({name: partial(source.scored, queries, rules) for name, source in sources.items()})
    return {name: said[name] if name in said else _silent(queries, rules, n_items) for name in sources}


def _silent(queries: Queries, rules: Eligibility, n_items: int) -> Scored:
    """What a source says that has no opinion: the same of every item."""
    return Scored.of(np.zeros((len(queries), n_items), np.float32), rules, rules.tie_keys)


def gather(
    queries: Queries,
    scored: Mapping[str, Scored],
    offers: Mapping[str, Slate],
    known: ItemFacts,
    spaces: Spaces = NOWHERE,
) -> Slate:
    """The union of all offers, scored by all sources, with the vectors of ``spaces``.

    Columns: one a source with its own scores (NaN = no opinion), ``events``, the training events of each item, and
    ``age``, how many days before the question it came.
    Facts: ``<source>.mean``, ``.spread``, ``.low``, ``.high``, ``eligible`` and ``history``, the length of each, and
    in which circumstances the lists are asked for (``circumstances.facts_of``).
    """
    items = union([offer.items for offer in offers.values()])
    columns = {name: part.at(items) for name, part in scored.items()}
    numbers = np.maximum(items, 0)
    columns[EVENTS] = np.where(items == EMPTY, np.nan, known.events[numbers]).astype(np.float32)
    columns[AGE] = (np.maximum(queries.now[:, None] - known.born[numbers], 0) / DAY).astype(np.float32)
    facts = {f"{name}.{fact}": values for name, part in scored.items() for fact, values in part.facts.items()}
    first = next(iter(scored.values()))
    lengths = queries.history.lengths.astype(np.float64)
    facts |= {"eligible": first.facts["eligible"], HISTORY: lengths, **facts_of(queries)}
    return Slate(items, columns, facts, spaces.of(queries))


def union(lists: list[Ints]) -> Ints:
    """``int32[B, K]``: the distinct items of each row of several ``int32[B, k]`` arrays, ``EMPTY`` at the end."""
    merged = np.sort(np.concatenate(lists, axis=1), axis=1)
    repeated = np.zeros(merged.shape, dtype=bool)
    repeated[:, 1:] = merged[:, 1:] == merged[:, :-1]
    keep = ~repeated & (merged != EMPTY)
    counts = keep.sum(axis=1)
    out = np.full((len(merged), int(counts.max(initial=0))), EMPTY, np.int32)
    out[np.arange(out.shape[1]) < counts[:, None]] = merged[keep]
    return out


def best_of(scored: Mapping[str, Scored], depth: int) -> dict[str, Slate]:
    """Each source's own best items."""
    return {name: part.offer(depth) for name, part in scored.items()}
