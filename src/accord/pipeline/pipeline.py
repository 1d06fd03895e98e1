"""The pipeline: queries in, ranked slates out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from accord.core.arrays import Doubles, Ints, Longs, Ragged
from accord.core.columns import SCORE
from accord.core.dataset import Dataset
from accord.core.queries import Queries
from accord.core.roles import Encoder, Explains, Recommender
from accord.core.slate import EMPTY, Slate
from accord.fuse.base import EVENTS, Fuser, Panel
from accord.pipeline.sources import Sources, best_of, gather, score_all
from accord.pipeline.spec import PipelineSpec

FALLBACK = "fallback"
"""The column of the popularity that answers where no source has an opinion."""


@dataclass(frozen=True)
class Pipeline:
    """Fitted sources and a learned fusion, over the catalogue and histories they were fitted on.

    Every query is answered: where no source has an opinion (a person nobody has seen) popularity speaks alone.
    """

    spec: PipelineSpec
    data: Dataset
    """Items, users and the events that the sources were fitted on: the histories of known users."""
    sources: Sources
    fuser: Fuser
    fallback: Recommender
    encoders: dict[str, Encoder] = field(default_factory=dict[str, Encoder])

    @property
    def events(self) -> Longs:
        """``int64[n_items]``: training events of each item."""
        return self.data.item_counts

    def recommend(self, queries: Queries, n: int) -> Slate:
        """The best ``n`` items of each query, best first.

        Columns: ``score``, one a source with its own scores, and ``events``. Memory is bounded by a fixed number of
        scores at a time for each source.
        """
        return Slate.stacked([self._fused(chunk, n)[0] for chunk in queries.chunks(self.data.n_items)] or [_nothing(n)])

    def compare(self, queries: Queries, n: int) -> dict[str, Slate]:
        """The fused list and every source's own list, in one pass over the scores."""
        parts: dict[str, list[Slate]] = {}
        for chunk in queries.chunks(self.data.n_items):
            fused, offers = self._fused(chunk, n)
            for name, slate in {**offers, "fused": fused}.items():
                only = Slate(slate.items[:, :n], {SCORE: slate.columns[SCORE][:, :n]}, _eligible(fused))
                parts.setdefault(name, []).append(only)
        return {name: Slate.stacked(slates) for name, slates in parts.items()}

    def _fused(self, queries: Queries, n: int) -> tuple[Slate, dict[str, Slate]]:
        depth = max(n, self.spec.depth)
        scored = score_all({**self.sources, FALLBACK: self.fallback}, queries)
        offers = best_of({name: scored[name] for name in self.sources}, depth)
        slate = gather(scored, {**offers, FALLBACK: scored[FALLBACK].offer(n)}, self.events)
        slate = self._answering(queries, self.fuser(queries, slate))
        return slate.ranked(n=n), offers

    def _answering(self, queries: Queries, slate: Slate) -> Slate:
        """Popularity as the score of queries on which no fused source has an opinion."""
        known = [slate.facts[f"{name}.spread"] > 0 for name in self.fuser.config.sources]
        silent = ~np.any(known, axis=0)
        score = np.where(silent[:, None], slate.column(FALLBACK), slate.column(SCORE))
        return slate.with_column(SCORE, score.astype(np.float32))

    def similar(self, items: Ints, n: int) -> Slate:
        """What would be shown to somebody who had just the one item: only sources that read the history speak."""
        personal = {name for name, source in self.sources.items() if isinstance(source, Explains)}
        parts: list[Slate] = []
        for chunk in Queries.of([[int(item)] for item in items]).chunks(self.data.n_items):
            scored = score_all(self.sources, chunk)
            offers = best_of({name: scored[name] for name in personal}, max(n, self.spec.depth))
            slate = gather(scored, offers, self.events)
            for name in set(self.sources) - personal:
                slate = slate.with_column(name, np.full(slate.items.shape, np.nan, np.float32))
            parts.append(self.fuser(chunk, slate).ranked(n=n))
        return Slate.stacked(parts)

    def queries(self, users: Sequence[str], **settings: Any) -> Queries:
        """Questions of users by id, with the histories that are known; somebody unknown has an empty one."""
        numbers = np.array([self.data.user_numbers.get(user, -1) for user in users])
        known = self.data.queries(np.maximum(numbers, 0))
        history = known.history.keep((numbers >= 0)[known.history.rows])
        now = np.where(numbers >= 0, known.now, np.nan)
        return replace(Queries(np.array(users, dtype=object), history, now), **settings)

    def score(self, queries: Queries, items: Ints) -> Slate:
        """Slates of exactly the given items (``int32[B, K]``), with all columns, in the given order."""
        parts: list[Slate] = []
        start = 0
        for chunk in queries.chunks(self.data.n_items):
            scored = score_all({**self.sources, FALLBACK: self.fallback}, chunk)
            asked = Slate(items[start : start + len(chunk)])
            columns = {name: part.at(asked.items) for name, part in scored.items()}
            columns[EVENTS] = self.events[np.maximum(asked.items, 0)].astype(np.float32)
            facts = {f"{name}.{fact}": v for name, part in scored.items() for fact, v in part.facts.items()}
            parts.append(self._answering(chunk, self.fuser(chunk, Slate(asked.items, columns, facts))))
            start += len(chunk)
        return Slate.stacked(parts)


def panel(sources: Sources, queries: Queries, truth: Ragged, events: Longs, depth: int) -> Panel:
    """What the sources say of held-back queries, and what came up: the food of fusers."""
    return Panel.of(_panel_chunks(sources, queries, truth, events, depth))


def _panel_chunks(
    sources: Sources, queries: Queries, truth: Ragged, events: Longs, depth: int
) -> Iterable[tuple[Slate, Ragged]]:
    start = 0
    for chunk in queries.chunks(len(events)):
        scored = score_all(sources, chunk)
        rows = np.arange(start, start + len(chunk))
        yield gather(scored, best_of(scored, depth), events), truth.take(rows)
        start += len(chunk)


def _eligible(slate: Slate) -> dict[str, Doubles]:
    return {"eligible": slate.facts["eligible"]}


def _nothing(n: int) -> Slate:
    return Slate(np.full((0, n), EMPTY, np.int32), {SCORE: np.empty((0, n), np.float32)})
