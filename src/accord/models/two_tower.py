"""Two towers: a vector of what somebody did, is and where they ask, and one of what an item is and says."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import torch
from pydantic import Field

from accord.core.arrays import Bools, Floats, Longs
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit, InputError
from accord.core.history import History
from accord.core.part import State, under
from accord.core.queries import CELLS, Eligibility, Queries
from accord.core.run import Run
from accord.core.scored import Scored
from accord.learn.group import device_of
from accord.learn.loop import Loop, first_weights
from accord.learn.objective import ObjectiveConfig
from accord.learn.weights import saved_weights, with_weights
from accord.models.features import Clock, Features
from accord.models.index import Index, Kind, installed, wanted
from accord.models.item_table import Form
from accord.models.neural import NeuralSource, placed_at
from accord.models.searched import Searchable, SearchedScores
from accord.models.tower_task import Examples, NextOfTowers
from accord.models.towers import ItemTower, Towers, UserTower, compared, deep_of, tensor
from accord.models.vectors import lowest_unless, products


class TwoTowerConfig(ObjectiveConfig):
    """The towers, what they read, how they are trained, and how the best items are found."""

    dim: int = Field(default=64, ge=2)
    """Width of all vectors."""
    item: Form = "sum"
    """What an item is: ``id`` (a vector of its own), ``content``, ``sum`` of both, or ``bounded`` (content with a
    correction of limited length)."""
    columns: tuple[str, ...] = ()
    """The encoded item columns that are read as content; none: only ``id`` makes sense, and is used."""
    bound: float = Field(default=0.5, gt=0)
    """The longest correction of ``bounded``."""
    hidden: int = Field(default=0, ge=0)
    """Width of a layer on top of each tower; 0: none."""
    pooling: Literal["mean", "attention"] = "attention"
    """How a history becomes a vector: its recency-weighted mean, or attention that begins with that."""
    interests: int = Field(default=1, ge=1)
    """How many vectors a history becomes, each by its own attention; an item's score is the best of them."""
    tau: float = Field(default=10.0, gt=0)
    """Recency: an event that ``d`` newer ones followed counts ``exp(-d / tau)``; attention learns from there."""
    last: int = Field(default=50, ge=2)
    """Only the newest so many events are read, where the log has an order."""
    attributes: tuple[str, ...] = ()
    """Columns of the users that are read, by their values: those known at the fit, and what the request says."""
    context: tuple[str, ...] = ()
    """Columns of the events that are read of the event to come, and of the request when a list is asked for."""
    clock: tuple[Clock, ...] = ()
    """``hour`` of the day and ``weekday`` (UTC) of the event to come, and of the moment a list is asked for."""
    unknown: float = Field(default=0.2, ge=0, lt=1)
    """Share of attributes and circumstances that are not told while training, so that it learns to do without."""
    blank: float = Field(default=0.1, ge=0, lt=1)
    """Share of histories that are not told while training, where there is something else to go by."""
    similarity: Literal["dot", "cosine"] = "dot"
    """How the vectors are compared."""
    temperature: float = Field(default=1.0, gt=0)
    """What similarities are divided by while training; about 0.1 for the cosine."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of the numbers of read items that are dropped while training."""
    ahead: int = Field(default=1, ge=1)
    """How many of the coming events are predicted; the circumstances are those of the first of them."""
    decay: float = Field(default=1.5, gt=0)
    """The k-th of them counts ``exp(-k / decay)``."""
    lr: float = Field(default=5e-3, gt=0)
    """The highest learning rate (AdamW)."""
    hard: int = Field(default=0, ge=0)
    """Hard negatives: so many wrong items with the highest scores of each history join the negatives of its batch;
    looked for before each epoch. Not for the full softmax, which has all items."""
    index: Kind = "auto"
    """How the best items are found: ``exact``, by looking at all; ``ivf``, in an index, where faiss is installed (extra
    ``index``); ``auto``: in an index from 300,000 items on."""
    recall: float = Field(default=0.95, gt=0, le=1)
    """The share of the true best 100 that the index is to find, on average over some people."""


class TwoTower(NeuralSource):
    """``score(u, j) = max_k x_k(u) . y_j``: see ``ItemTower`` for y and ``UserTower`` for x.

    Covington et al., "Deep Neural Networks for YouTube Recommendations", RecSys 2016; Yi et al., "Sampling-Bias-
    Corrected Neural Modeling", RecSys 2019; several vectors a person: Cen et al., "ComiRec", KDD 2020, trained by the
    one nearest to the target. Where the log has an order each event is predicted from those before it, else from the
    others. People it has never met are answered by their history, or by what the request says of them. Events whose
    weight is not above zero are left out. An item without events is placed by its content, or gets the lowest score of
    the others.
    """

    Config = TwoTowerConfig
    evidence = "taste and circumstances"
    learned = ("vectors", "placed", "met", "ordered", "asked")
    vectors: Floats
    """``float32[n, dim]``: y."""
    ordered: Bools
    """``bool[]``: whether the log had an order."""
    asked: Floats
    """``float32[q, dim]``: vectors of some people at the fit, by which an index is tuned."""
    users: UserTower
    features: Features
    shelf: Searchable | None = None
    """What finds the best items in a large catalogue; worked out again where the source is loaded."""

    def _fit(self, data: Dataset, run: Run) -> None:
        config: TwoTowerConfig = self.config
        data = data if np.all(data.event_weights > 0) else data.with_events(data.event_weights > 0)
        known, ordered = data.item_counts > 0, data.order != "none"
        features = Features.of(data, config.attributes, config.context, config.clock)
        examples = Examples.of(data, features, config, run.rng("held back"))
        if not len(examples.windows.history):
            raise CannotFit("no user has two events of positive weight")
        with first_weights(run):
            users = UserTower(config, features.sizes, ordered)
            towers = Towers(ItemTower(self._table(data, known, run), config), users).to(device_of(run.device))
        task = NextOfTowers(towers, config, examples, known)
        self.trained = Loop(task, config, run, "two_tower", (data.digest,)).train()
        self.features, self.ordered = features, np.asarray(ordered)
        self._keep(towers.cpu().eval(), known)
        self.asked = self._those_who_asked(data, run)
        self.shelf = self._shelved(run)

    def _keep(self, towers: Towers, known: Bools) -> None:
        """Work out all item vectors once: scoring needs nothing else of the tower, growing what reads content."""
        with torch.no_grad():
            parts = torch.arange(len(known)).split(ROWS)
            self.vectors = np.concatenate([towers.items(part).numpy() for part in parts])
        self.users, self.content = towers.users, towers.items.table.content_state()
        self.content |= saved_weights(towers.items.deep, DEEP)
        self.placed, self.met = known | np.any(self.vectors != 0, axis=1), known

    def _those_who_asked(self, data: Dataset, run: Run) -> Floats:
        some = np.flatnonzero(data.histories.lengths)
        some = np.sort(run.rng("who asks").permutation(some)[:ASKED])
        return self._interests(data.queries(some)).reshape(-1, self.config.dim)

    def _shelved(self, run: Run | None = None) -> Searchable | None:
        """The vectors with an index, where one is wanted."""
        rows = np.flatnonzero(self.placed).astype(np.int32)
        if not wanted(self.config.index, len(rows)):
            if run is not None and self.config.index == "ivf" and not installed():
                run.progress.note("two_tower: faiss is not installed (extra: index); all items are looked at")
            return None
        index = Index.of(self.vectors[rows], rows, self.asked, self.config.recall)
        return Searchable.of(self.vectors, self.placed, index)

    def _grow(self, data: Dataset, added: Longs, edited: Longs) -> None:
        if self._told_by:
            super()._grow(data, added, edited)
        else:
            nowhere = np.zeros(len(added), dtype=bool)
            self.placed, self.met = (placed_at(marks, added, nowhere) for marks in (self.placed, self.met))
            self._place(added, np.zeros((len(added), self.config.dim), np.float32))

    def _place(self, items: Longs, first: Floats) -> None:
        before = len(self.vectors)
        with torch.no_grad():
            deep = compared(self._deep()(tensor(first)), cosine=self.config.similarity == "cosine").numpy()
        self.vectors = placed_at(self.vectors, items, deep)
        if self.shelf is not None:
            edited = bool(np.any(items < before))
            new = np.flatnonzero(self.placed[before:]).astype(np.int32) + np.int32(before)
            index = None if edited else self.shelf.index.with_late(self.vectors[new], new)
            shelf = None if index is None else Searchable.of(self.vectors, self.placed, index)
            self.shelf = shelf or self._shelved()

    def _deep(self) -> torch.nn.Module:
        """The layers on top of the item tower."""
        return with_weights(deep_of(self.config), under(self.content, DEEP))

    @property
    def _shown(self) -> Floats:
        return self.vectors

    def user_vectors(self, queries: Queries) -> Floats:
        """``float32[B, dim]``: x; zero where nothing is known. Raises ``InputError`` where a person has several."""
        if self.config.interests > 1:
            remedy = "Set interests = 1, or name another source."
            raise InputError(
                "there is no one vector a person", value=f"interests {self.config.interests}", remedy=remedy
            )
        return super().user_vectors(queries)

    def _states(self, queries: Queries) -> Floats:
        return self._interests(queries)[:, 0]

    def _interests(self, queries: Queries) -> Floats:
        """``float32[B, K, dim]``."""
        config, history = self.config, queries.history
        history = history.keep(self.placed[history.items] & (history.weights > 0))
        history = history.last(config.last) if self.ordered else history
        classes = self.features.of_queries(queries)
        step = max(1, CELLS // (config.dim * config.interests * max(1, int(history.lengths.max(initial=0)))))
        parts = [np.empty((0, config.interests, config.dim), np.float32)]
        for start in range(0, len(queries), step):
            rows = np.arange(start, min(start + step, len(queries)))
            parts.append(self._read(history.take(rows), classes[rows]))
        return np.concatenate(parts)

    def _read(self, history: History, classes: Longs) -> Floats:
        items = tensor(self.vectors[history.items])
        with torch.no_grad():
            pooled = self.users.newest(items, tensor(history.weights), tensor(history.lengths))
            return self.users(pooled, tensor(classes)).numpy()

    def _scores(self, queries: Queries) -> Floats:
        return lowest_unless(self.placed, products(self._interests(queries), self.vectors))

    def scored(self, queries: Queries, rules: Eligibility | None = None) -> Scored:
        """Score one chunk once, through the index where there is one and most of the catalogue may be shown."""
        rules = queries.eligible(self.n_items) if rules is None else rules
        if self.shelf is None or not self.shelf.applies(rules):
            return super().scored(queries, rules)
        return SearchedScores.under(self._interests(queries), self.shelf, rules, rules.tie_keys)

    def state(self) -> State:
        """The learned arrays, what reads content, the weights of the user tower, and what is known of people."""
        return super().state() | saved_weights(self.users, USERS) | self.features.state()

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave. Raises ``ArtefactError`` where an array is missing or of another shape."""
        super().load_state(arrays)
        config = self.config
        named = (config.attributes, config.context, config.clock)
        self.features = Features.of_state(arrays, *named, type(self).__name__)
        tower = UserTower(config, self.features.sizes, bool(self.ordered))
        self.users = with_weights(tower, under(arrays, USERS))
        self._deep()
        self.shelf = self._shelved()
        return self


ROWS = 1 << 14
"""Items whose vectors are worked out at a time."""
ASKED = 256
"""People whose vectors are kept, to tune an index by."""
USERS = "users/"
DEEP = "deep/"
