"""The roles that parts play. The base classes check and organise; a subclass computes one or two primitives."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import replace
from functools import cache
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import pyarrow as pa

from accord.core.alone import is_alone
from accord.core.arrays import Floats, Ints, Longs, Matrix
from accord.core.columns import SCORE
from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError, CannotFit, InputError
from accord.core.part import Part, State
from accord.core.queries import Eligibility, Queries
from accord.core.run import Run
from accord.core.scored import FACTS, Scored
from accord.core.slate import Slate


class Recommends(Protocol):
    """Anything that turns queries into ranked slates: a pipeline, a floor, an outside system."""

    def recommend(self, queries: Queries, n: int) -> Slate:
        """The best ``n`` items of each query, best first, with a ``score`` column."""
        ...


class Stage(Protocol):
    """Fusers, rerankers and policies alike: a slate in, a slate out."""

    def __call__(self, queries: Queries, slate: Slate) -> Slate:
        """Return the slate with columns added or places reordered."""
        ...


@runtime_checkable
class Explains(Protocol):
    """A source whose score is a sum over the events of the history."""

    def parts(self, queries: Queries, items: Ints) -> Floats:
        """``float32[B, K, H]``: what each history event (padded to the longest, H) adds to each item's score."""
        ...


@runtime_checkable
class HasVectors(Protocol):
    """A source whose score is the product of a vector of the query and one of the item."""

    @property
    def item_vectors(self) -> Floats:
        """``float32[n_items, dim]``; zero for items of which nothing is known."""
        ...

    def user_vectors(self, queries: Queries) -> Floats:
        """``float32[B, dim]``; zero where nothing is known of somebody."""
        ...


@runtime_checkable
class Predicts(Protocol):
    """A source that says of given items what heads say: ratings, or probabilities of being chosen."""

    @property
    def predicts(self) -> tuple[str, ...]:
        """What it has learned to say: ``rating``, ``click``."""
        ...

    def predict(self, measure: str, queries: Queries, items: Ints) -> Floats:
        """``float32[B, K]``: one of these of given items, NaN at empty places."""
        ...


@runtime_checkable
class Grows(Protocol):
    """A source that takes in new items without a fit."""

    def grow(self, data: Dataset, edited: Longs | None = None) -> Self:
        """A copy for a catalogue with more items; see ``Recommender.grow``."""
        ...


@runtime_checkable
class Updates(Protocol):
    """A source that learns from new events without a fit."""

    def update(self, data: Dataset, fresh: int) -> Self:
        """A copy that has learned from the last ``fresh`` rows of the events too; the rows before them it knows.

        ``data`` holds all events and as many items as the source.
        """
        ...


class Encoder(Part):
    """Content to vectors. ``fit`` learns what must be learned from the catalogue (a vocabulary, say)."""

    dim: int
    """Width of the vectors; known after ``fit``."""

    def fit(self, items: pa.Table, run: Run) -> Self:
        """Learn from the items' content. Raises ``CannotFit`` where the items lack what this encoder reads."""
        raise InputError("an encoder must define fit", value=type(self).__name__)

    @property
    def learns_from_events(self) -> bool:
        """Whether ``learn`` reads more than the catalogue: then the vectors of an item know who met it."""
        return False

    def learn(self, data: Dataset, run: Run) -> Self:
        """Learn from the catalogue and, where the encoder can, from the events of ``data``; raises as ``fit`` does."""
        return self.fit(data.items, run)

    def encode(self, items: pa.Table, run: Run) -> Matrix:
        """``[n, dim]``, one row an item: dense float32 or sparse; an item without content gets a zero row."""
        raise InputError("an encoder must define encode", value=type(self).__name__)

    @property
    def fingerprint(self) -> str:
        """What the vectors depend on beside the content: class and configuration; one that learns adds its arrays."""
        return f"{type(self).__name__.lower()}-{self.config.digest}"


class Recommender(Part):
    """A source: learns from a dataset, offers its best items and scores what other sources offered.

    A subclass writes ``_fit`` and ``_scores``; checks, eligibility, chunks, ties and padding are done here.
    """

    needs_order: ClassVar[bool] = False
    """Whether the source means nothing without the order of events within a user."""
    needs_clock: ClassVar[bool] = False
    """Whether the source means nothing without clock times."""
    read_late: ClassVar[frozenset[str]] = frozenset()
    """Configuration fields that are read when scoring only: another value needs no new fit."""
    reads_order: ClassVar[frozenset[str]] = frozenset()
    """Configuration fields that mean nothing where the log has no order."""
    evidence: ClassVar[str] = "behaviour"
    """What the source looks at, in words, for reasons."""
    n_items: int = 0
    """The size of the catalogue."""
    n_fitted: int = 0
    """How many items were there at the fit, where ``_scores`` speaks of these alone; 0 where it speaks of all."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The encoded item columns that the source is configured to read."""
        return ()

    @property
    def reads_told(self) -> bool:
        """Whether the fitted source reads the kinds or values of the events of a history."""
        return False

    def fit(self, data: Dataset, run: Run) -> Self:
        """Learn from the data. Raises ``CannotFit`` where the data lacks what the source needs."""
        if self.needs_clock and data.order != "time":
            raise CannotFit("the log has no clock times", value=data.order)
        if self.needs_order and data.order == "none":
            raise CannotFit("the log has no order", value=data.order)
        self.n_items, self.n_fitted = data.n_items, 0
        self._fit(data, run)
        return self

    def grow(self, data: Dataset, edited: Longs | None = None) -> Self:
        """A copy for a catalogue with more items, which shares the learned arrays with this one.

        ``data`` holds the table and the encoded columns of all items; their numbers go on where the known ones end.
        A new item is placed as a fit would place an item without events, by its content where the source reads any;
        all statistics stay those of the fit. ``edited``: ``int64[e]``, known items whose content has changed. Raises
        ``InputError`` where there are fewer items than before.
        """
        if data.n_items < self.n_items:
            raise InputError("a catalogue only grows", place="items", value=data.n_items, remedy="Hide items instead.")
        grown = copy(self)
        grown.n_items = data.n_items
        grown._grow(data, np.arange(self.n_items, data.n_items), _distinct(edited))
        return grown

    def _grow(self, data: Dataset, added: Longs, edited: Longs) -> None:
        """Make room for ``added`` items in this copy, in new arrays; the others are still in use elsewhere.

        By default nothing is known of them: they get the lowest score of each query, and say nothing in a history.
        """
        self.n_fitted = self.n_fitted or self.n_items - len(added)

    def _fit(self, data: Dataset, run: Run) -> None:
        raise InputError("a source must define _fit", value=type(self).__name__)

    def _scores(self, queries: Queries) -> Floats:
        """``float32[B, n_items]``, finite, freshly allocated: the score of every item for every query."""
        raise InputError("a source must define _scores", value=type(self).__name__)

    def _alone(self, queries: Queries, rules: Eligibility) -> Scored | None:
        """What ``_scores`` says, for one query of a large catalogue, where that can be had without all scores.

        Optional. None: not for this query. A class below that defines ``_scores`` anew is asked for those.
        """
        return None

    def scored(self, queries: Queries, rules: Eligibility | None = None) -> Scored:
        """Score one chunk once, to be asked for offers and single scores. The caller bounds the chunk."""
        rules = queries.eligible(self.n_items) if rules is None else rules
        if not self.n_fitted and is_alone(rules) and _speaks_alone(type(self)):
            alone = self._alone(queries, rules)
            if alone is not None:
                return alone
        scores = self._padded(queries) if self.n_fitted else self._scores(queries)
        return Scored.of(scores, rules, rules.tie_keys)

    def _padded(self, queries: Queries) -> Floats:
        """Scores by what was fitted, as if nothing else were in the histories; the rest gets the lowest of them."""
        fitted, history = copy(self), queries.history
        fitted.n_items = self.n_fitted
        scores = fitted._scores(replace(queries, history=history.keep(history.items < self.n_fitted)))
        lowest = scores.min(axis=1, initial=np.inf, keepdims=True)
        lowest[np.isinf(lowest)] = 0.0  # nothing was there at the fit
        return np.concatenate([scores, np.repeat(lowest, self.n_items - self.n_fitted, axis=1)], axis=1)

    def offer(self, queries: Queries, m: int) -> Slate:
        """The best ``m`` eligible items of each query, best first, with a ``score`` column.

        ``facts`` holds ``eligible``, ``mean``, ``spread``, ``low`` and ``high`` of the scores over all eligible
        items. Memory is bounded by ``queries.CELLS`` scores at a time.
        """
        return _stacked((self.scored(chunk).offer(m) for chunk in queries.chunks(self.n_items)), m)

    def score(self, queries: Queries, items: Ints) -> Floats:
        """``float32[B, K]``: scores of the given items; NaN = no opinion."""
        if items.shape[:1] != (len(queries),):
            raise InputError("one row of items a query is needed", place="items", value=items.shape)
        if items.max(initial=-1) >= self.n_items:
            raise InputError(f"item numbers must be below {self.n_items}", place="items", value=int(items.max()))
        start, parts = 0, [np.empty((0, items.shape[1]), np.float32)]
        for chunk in queries.chunks(self.n_items):
            parts.append(self.scored(chunk).at(items[start : start + len(chunk)]))
            start += len(chunk)
        return np.concatenate(parts)

    def recommend(self, queries: Queries, n: int) -> Slate:
        """The same as ``offer``: a source alone is a recommender too."""
        return self.offer(queries, n)

    def state(self) -> State:
        """The learned arrays, and the size of the catalogue they were learned on."""
        fitted = {"n_fitted": np.asarray(self.n_fitted)} if self.n_fitted else {}
        return super().state() | {"n_items": np.asarray(self.n_items)} | fitted

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave. Raises ``ArtefactError`` where an array is missing."""
        if "n_items" not in arrays:
            raise ArtefactError(
                f"the saved {type(self).__name__} lacks the size of its catalogue", remedy="Train it again."
            )
        self.n_items = int(arrays["n_items"].item())
        self.n_fitted = int(arrays["n_fitted"].item()) if "n_fitted" in arrays else 0
        return super().load_state(arrays)


@cache
def _speaks_alone(kind: type[Recommender]) -> bool:
    """Whether ``_alone`` of a class was written with its ``_scores`` in view: in the same class or further down."""
    defined = {name: next(place for place, base in enumerate(kind.__mro__) if name in vars(base)) for name in _ALONE}
    return defined["_alone"] <= defined["_scores"]


_ALONE = ("_alone", "_scores")


def _distinct(numbers: Longs | None) -> Longs:
    return np.empty(0, np.int64) if numbers is None else np.unique(np.asarray(numbers, np.int64))


def _stacked(parts: Iterable[Slate], m: int) -> Slate:
    slates = list(parts)
    if slates:
        return Slate.stacked(slates)
    facts = {name: np.empty(0) for name in FACTS}
    return Slate(np.empty((0, m), np.int32), {SCORE: np.empty((0, m), np.float32)}, facts)
