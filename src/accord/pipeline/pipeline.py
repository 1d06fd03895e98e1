"""The pipeline: queries in, ranked slates out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from accord.core.arrays import Bools, Doubles, Floats, Ints, Longs, Ragged
from accord.core.columns import SCORE
from accord.core.dataset import Dataset
from accord.core.errors import InputError
from accord.core.history import History
from accord.core.parallel import cores, mapped
from accord.core.queries import CELLS, Queries
from accord.core.roles import Encoder, Explains, Predicts, Recommender, Scored
from accord.core.slate import EMPTY, Slate
from accord.fuse.base import AGE, EVENTS, Fuser, Panel
from accord.fuse.heads import Head, Marks, predicted_by
from accord.pipeline.compiled import CompiledCatalogue
from accord.pipeline.sources import Guard, ItemFacts, Sources, best_of, gather, score_all
from accord.pipeline.spaces import NOWHERE, Spaces
from accord.pipeline.spec import PipelineSpec

FALLBACK = "fallback"
"""The column of the popularity that answers where no source has an opinion."""
TOLD = "fused, told"
"""The fused list with all columns, beside the bare lists of ``compare``."""


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
    heads: dict[str, Head] = field(default_factory=dict[str, Head])
    """What predicts ratings or clicks, by name; the lists do not depend on them."""
    guard: Guard | None = None
    """Leaves out sources that fail or take too long, where somebody waits for the answer; None: errors are raised."""

    fresh: int = 0
    """How many of the newest events came after the fit; see ``updating.update``."""

    @cached_property
    def events(self) -> Longs:
        """``int64[n_items]``: events of each item that had any at the fit; 0 for others.

        An item that was cold then stays so for the fusion until the next fit, for most sources still know it by its
        content alone, whatever happens to it.
        """
        if not self.fresh:
            return self.data.item_counts
        early = self.data.event_items[: self.data.n_events - self.fresh]
        return np.where(np.bincount(early, minlength=self.data.n_items) > 0, self.data.item_counts, 0)

    @cached_property
    def known(self) -> ItemFacts:
        """What the fuser is told of the items."""
        return ItemFacts(self.events, self.data.item_births)

    @cached_property
    def spaces(self) -> Spaces:
        """The vectors that the fuser reads."""
        return Spaces.named(self.fuser.reads, self.data, self.sources, self.encoders)

    @cached_property
    def catalogue(self) -> CompiledCatalogue:
        """The items as rules read them; compiled field by field when first asked for."""
        return CompiledCatalogue(self.data.items, self.data.item_numbers)

    def recommend(self, queries: Queries, n: int) -> Slate:
        """The best ``n`` items of each query, best first.

        Columns: ``score``, one a source with its own scores, and ``events``. Memory is bounded by a fixed number of
        scores at a time for each source.
        """
        chunks = self._chunks(queries)
        slates = list(mapped(lambda chunk: self._fused(chunk, n)[0], chunks))
        return Slate.stacked(slates or [_nothing(n, (SCORE, EVENTS, AGE, *self.sources))])

    def compare(
        self, queries: Queries, n: int, beside: Mapping[str, Recommender] | None = None, told: int = 0
    ) -> dict[str, Slate]:
        """The fused list and every source's own list, in one pass over the scores.

        ``beside``: further sources to list, of which the fused list knows nothing. The fused list's first ``told``
        places come once more as ``TOLD``, with all columns.
        """

        def lists(chunk: Queries) -> dict[str, Slate]:
            fused, offers = self._fused(chunk, n)
            if beside:
                offers |= best_of(score_all(beside, chunk), n)
            eligible = {"eligible": fused.facts["eligible"]}
            bare = {
                name: Slate(slate.items[:, :n], {SCORE: slate.columns[SCORE][:, :n]}, eligible)
                for name, slate in {**offers, "fused": fused}.items()
            }
            return bare | ({TOLD: fused.head(told)} if told else {})

        parts = list(mapped(lists, self._chunks(queries)))
        return {name: Slate.stacked([part[name] for part in parts]) for name in parts[0]}

    def _chunks(self, queries: Queries) -> list[Queries]:
        """Chunks of which several may be at work at once."""
        return list(queries.chunks(self.data.n_items, CELLS // cores()))

    def _fused(self, queries: Queries, n: int) -> tuple[Slate, dict[str, Slate]]:
        scored, offers = self._offers(queries, max(n, self.spec.depth), n)
        slate = gather(queries, scored, offers, self.known, self.spaces)
        slate = self._answering(slate, self.fuser(queries, slate))
        return slate.ranked(n=n, salt=queries.salt), {name: offers[name] for name in self.sources}

    def _offers(self, queries: Queries, depth: int, n: int) -> tuple[dict[str, Scored], dict[str, Slate]]:
        """Every source's scores and best ``depth`` items, and the fallback's best ``n``."""
        scored = score_all({**self.sources, FALLBACK: self.fallback}, queries, self.guard)
        offers = best_of({name: scored[name] for name in self.sources}, depth)
        facts = {f"{name}.spread": part.facts["spread"] for name, part in scored.items()}
        return scored, {**offers, FALLBACK: _last_resort(scored[FALLBACK], self._silent(facts), n)}

    def _silent(self, facts: Mapping[str, Doubles]) -> Bools:
        """``bool[B]``: queries on which no fused source has an opinion."""
        return ~np.any([facts[f"{name}.spread"] > 0 for name in self.fuser.config.sources], axis=0)

    def _answering(self, gathered: Slate, fused: Slate) -> Slate:
        """Popularity as the score of queries on which no fused source has an opinion; 0 where even it has none."""
        silent = self._silent(gathered.facts)[:, None] & gathered.filled
        popularity = np.nan_to_num(gathered.column(FALLBACK))
        fused = replace(fused, spaces={})  # nobody reads them any more
        return fused.with_column(SCORE, np.where(silent, popularity, fused.column(SCORE)).astype(np.float32))

    def similar(self, items: Ints, n: int, shown: Bools | None = None) -> Slate:
        """What would be shown to somebody who had just the one item: only sources that read the history speak.

        ``shown``: ``bool[n_items]``, the items that may be shown; None: all.
        """
        personal = [name for name, source in self.sources.items() if isinstance(source, Explains)]
        if not personal:
            raise InputError("no source of this pipeline reads a history", value=list(self.sources))
        parts: list[Slate] = []
        for chunk in Queries.of([[int(item)] for item in items], open=shown).chunks(self.data.n_items):
            scored = score_all(self.sources, chunk, self.guard)
            offers = best_of({name: scored[name] for name in personal}, max(n, self.spec.depth))
            slate = gather(chunk, scored, offers, self.known, self.spaces)
            for name in self.sources.keys() - set(personal):
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
        return Slate.stacked([gathered.asked for gathered in self.among_offers(queries, items)])

    def predict(self, queries: Queries, items: Ints, head: str, marks: Floats | None = None) -> Floats:
        """``float32[B, K]``: what a head says of given items (``int32[B, K]``), met before or not; NaN at ``EMPTY``.

        ``marks``: ``float32[N]``, what each event of the histories was rated (NaN: not). None: what the pipeline knows
        of these users' events. Rules of the queries do not count: a prediction is no offer.
        """
        slate, rated = self.for_head(queries, items, head, marks)
        return self.heads[head].predict(slate, rated) if len(queries) else np.empty(items.shape, np.float32)

    def for_head(self, queries: Queries, items: Ints, head: str, marks: Floats | None = None) -> tuple[Slate, History]:
        """What a head reads: the items with all columns, and the histories with marks as weights."""
        self.head(head)
        if items.shape[:1] != (len(queries),) or items.max(initial=EMPTY) >= self.data.n_items:
            raise InputError("one row of known item numbers a query is needed", place="items", value=items.shape)
        rated = self._marks[head].rated(queries) if marks is None else replace(queries.history, weights=marks)
        free = replace(queries, include_seen=True, exclude=None, candidates=None, open=None)
        return (self._predicted(free, self.score(free, items), head) if len(queries) else Slate(items)), rated

    def _predicted(self, queries: Queries, slate: Slate, head: str) -> Slate:
        """With what sources predict themselves that a head reads."""
        measure = self.heads[head].measures
        for name in self.heads[head].config.predicting:
            source = self.sources[name]
            if isinstance(source, Predicts):
                said = source.predict(measure, queries, slate.items)
                slate = slate.with_column(predicted_by(name, measure), said)
        return slate

    def head(self, name: str) -> Head:
        """A head by name. Raises ``InputError`` naming the heads there are."""
        if name not in self.heads:
            have = f"There are: {', '.join(self.heads)}." if self.heads else "Add a [heads.NAME] table and train."
            raise InputError("the pipeline has no such head", place="head", value=name, remedy=have)
        return self.heads[name]

    @cached_property
    def _marks(self) -> dict[str, Marks]:
        return {name: Marks(self.data, head.marks(self.data)) for name, head in self.heads.items()}

    def among_offers(self, queries: Queries, items: Ints) -> Iterator[Gathered]:
        """The given items (``int32[B, K]``) scored among all that the sources offer, chunk by chunk.

        So a list is scored too, and ranks mean the same.
        """
        start, depth = 0, max(items.shape[1], self.spec.depth)
        for chunk in queries.chunks(self.data.n_items):
            asked = Slate(items[start : start + len(chunk)])
            scored, offers = self._offers(chunk, depth, depth)
            slate = gather(chunk, scored, {**offers, "asked": asked}, self.known, self.spaces)
            places = _places(asked.items, slate.items, self.data.n_items)
            only = _just(asked, self._answering(slate, self.fuser(chunk, slate)).take(places))
            yield Gathered(chunk, slate, places, only)
            start += len(chunk)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Some asked items among all that the sources offer to the same queries."""

    queries: Queries
    everything: Slate
    """What a fuser reads: the union of all offers and the asked items, with the columns of all sources."""
    places: Longs
    """``int64[B, K]``: where the asked items lie in ``everything``; 0 for empty places."""
    asked: Slate
    """The asked items, in their order, with all columns and the score."""


def panel(
    sources: Sources, queries: Queries, truth: Ragged, known: ItemFacts, depth: int, spaces: Spaces = NOWHERE
) -> Panel:
    """What the sources say of held-back queries, and what came up: the food of fusers."""
    return Panel.of(_panel_chunks(sources, queries, truth, known, depth, spaces), queries.users)


def _panel_chunks(
    sources: Sources, queries: Queries, truth: Ragged, known: ItemFacts, depth: int, spaces: Spaces
) -> Iterable[tuple[Slate, Ragged]]:
    def heard(chunk: Queries) -> Slate:
        scored = score_all(sources, chunk)
        return gather(chunk, scored, best_of(scored, depth), known, spaces)

    start = 0
    for slate in mapped(heard, list(queries.chunks(len(known.events), CELLS // cores()))):
        yield slate, truth.take(np.arange(start, start + len(slate)))
        start += len(slate)


def _last_resort(popular: Scored, silent: Bools, n: int) -> Slate:
    """The most popular items for the silent queries, at random where popularity says nothing; nothing for others."""
    best = popular.best(n, silent)[0]
    items = np.full((len(silent), best.shape[1]), EMPTY, np.int32)
    items[silent] = best
    return Slate(items)


def _places(asked: Ints, gathered: Ints, n_items: int) -> Longs:
    """``int64[B, K]``: where each asked item lies in the rows of ``gathered``, which ascend; 0 for empty places."""
    starts = np.arange(len(gathered))[:, None] * (n_items + 1)
    ascending = starts + np.where(gathered == EMPTY, n_items, gathered)
    found = np.searchsorted(ascending.ravel(), (starts + np.maximum(asked, 0)).ravel()).reshape(asked.shape)
    places = found - np.arange(len(gathered))[:, None] * gathered.shape[1]
    return np.where(asked == EMPTY, 0, places)


def _just(asked: Slate, taken: Slate) -> Slate:
    """The columns of the asked items, NaN at empty places."""
    columns = {name: np.where(asked.filled, values, np.nan) for name, values in taken.columns.items()}
    return Slate(asked.items, columns, taken.facts)


def _nothing(n: int, columns: Sequence[str]) -> Slate:
    return Slate(np.empty((0, n), np.int32), {name: np.empty((0, n), np.float32) for name in columns})
