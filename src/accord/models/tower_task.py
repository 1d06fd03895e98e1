"""What two towers are trained on: the next event of each window, or each event from the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from accord.core.arrays import Bools, Floats, Ints, Longs
from accord.core.dataset import Dataset
from accord.core.history import History
from accord.learn.mined import MinedObjective
from accord.learn.objective import WIDE
from accord.learn.packed import Packed
from accord.learn.targets import Targets
from accord.models.features import UNKNOWN, Features
from accord.models.mining import Met, Miner
from accord.models.neural import PickByScore
from accord.models.sequences import Batch, Held, Windows, held_back, left_out, ranges
from accord.models.towers import Towers, nearest, tensor
from accord.models.vectors import products


@dataclass(frozen=True)
class Examples:
    """Windows of histories with the features of each event, and what is held back."""

    windows: Windows
    """Their items are places in the log, by which everything else is found."""
    items: Ints
    """``int32[E]``: the item of each event of the log."""
    users: Ints
    """``int32[E]``: its user."""
    classes: Longs
    """``int64[E, F]``: its features; see ``Features``."""
    held: Held
    held_classes: Longs
    """``int64[H, F]``: the features of what is held back."""
    met: Met
    whole: History
    """What the windows are stretches of, by items."""
    ordered: bool

    @classmethod
    def of(cls, data: Dataset, features: Features, config: Any, rng: np.random.Generator) -> Self:
        """Of a log all of whose weights are above zero."""
        kept, held = held_back(data, rng, wanted=config.patience > 0)
        rows = np.argsort(data.event_users, kind="stable").astype(np.int32)
        ordered = data.order != "none"
        windows = (Windows.of if ordered else Windows.apart)(
            replace(kept.history, items=rows[kept.places]), config.last
        )
        classes = features.of_events(data)
        asked = classes[rows[held.places]]
        met = Met.of(kept.history.matrix(data.n_items))
        return cls(windows, data.event_items, data.event_users, classes, held, asked, met, kept.history, ordered)


@dataclass(frozen=True)
class Part:
    """Some windows as tensors."""

    packed: Packed
    items: Tensor
    """``int64[N]``: what is read."""
    weights: Tensor
    """``float32[N]``"""
    classes: Tensor
    """``int64[N, F]``: the features of what is to come at each event."""
    targets: Targets


class NextOfTowers(PickByScore):
    """The task: which item comes next, among all items with events."""

    def __init__(self, towers: Towers, config: Any, examples: Examples, known: Bools) -> None:
        counts = np.bincount(examples.items[examples.windows.history.items], minlength=len(known))
        if config.loss == "auto" and known.sum() > WIDE:
            config = config.model_copy(update={"loss": "in_batch"})
        super().__init__(towers, config, examples.held, known, counts)
        self.objective = MinedObjective(config, self.objective.log_share.exp(), torch.default_generator)
        self.examples = examples
        self.hard = np.empty((len(examples.windows.history), 0), np.int64)
        """``int64[windows, m]``: hard candidates of each window."""

    def batches(self, rng: np.random.Generator) -> Sequence[Longs]:
        """The rows of each batch."""
        if self.config.hard and self.objective.kind != "softmax":
            self.hard = self._mined()
        return self.examples.windows.shuffled(rng, self.config.batch)

    def loss(self, rows: Longs) -> tuple[Tensor, Tensor]:
        """The sum of the losses of a batch, and the sum of their weights."""
        part, towers, table = self._part(rows), self.module, self._table()
        vectors = torch.nn.functional.dropout(table(part.items), self.config.dropout)
        pooled, classes = towers.users.every(vectors, part.weights, part.packed, part.items), part.classes
        if classes.shape[1]:
            classes = classes.masked_fill(torch.rand(classes.shape, device=self.device) < self.config.unknown, UNKNOWN)
            pooled = pooled * (torch.rand(len(pooled), 1, 1, device=self.device) >= self.config.blank)
        states = towers.users(pooled, classes)
        targets = part.targets.numbered(self.number)
        if states.shape[1] > 1:
            chosen = nearest(states, table(part.targets.filled), part.targets.weights)
        else:
            chosen = states[:, 0]
        hard = tensor(np.unique(self.hard[rows][self.hard[rows] >= 0]), self.device)
        scaled = chosen / self.config.temperature
        return self.objective.against(scaled, lambda items: table(self.candidates[items]), targets, hard), targets.total

    def _table(self) -> Callable[[Tensor], Tensor]:
        """What turns items into vectors; all are worked out once a batch where the loss is over all of them."""
        if self.objective.kind != "softmax":
            return self.module.items
        every = self.module.items(self.candidates)
        return lambda items: every[self.number[items]]

    def _part(self, rows: Longs) -> Part:
        """The windows of some rows: events that were, and what comes next; or all others of each."""
        examples = self.examples
        places = examples.windows.history.take(rows)
        history = replace(places, items=examples.items[places.items])
        if examples.ordered:
            batch = Batch.of(history, self.config.ahead, self.config.decay, self.device)
            coming = places.items[ranges(places.offsets[:-1] + 1, places.offsets[1:])]
            packed, items, weights, targets = batch.packed, batch.items, batch.weights, batch.targets
        else:
            coming, packed = places.items, Packed.of(history.lengths, self.device)
            items, weights = tensor(history.items.astype(np.int64), self.device), tensor(history.weights, self.device)
            whole = examples.whole.take(examples.windows.rows[rows])
            targets = left_out(history, np.ones(len(history.items), np.float32), whole, self.device)
        return Part(packed, items, weights, tensor(examples.classes[coming], self.device), targets)

    def _mined(self) -> Longs:
        """``int64[windows, m]``: candidates with the highest scores at the end of each window that its user lacks."""
        examples, history = self.examples, self.examples.windows.history
        newest = history.offsets[1:] - 1
        rows = np.array_split(np.arange(len(history)), -(-len(history.items) // EVENTS))
        with torch.no_grad():
            self.module.eval()
            vectors = self._vectors_now()
            states = np.concatenate([self._ends(part, vectors) for part in rows])
            self.module.train()
        candidates = self.candidates.cpu().numpy()
        asked = states.reshape(-1, states.shape[2])
        met = (candidates.astype(np.int32), examples.met)
        miner = Miner(vectors.cpu().numpy()[candidates], *met, self.config.index, asked)
        return miner.hardest(states, examples.users[history.items[newest]].astype(np.int64), self.config.hard)

    def _ends(self, rows: Longs, vectors: Tensor) -> Floats:
        """``float32[R, K, dim]``: the states in which the last events of some windows are still to come."""
        examples = self.examples
        places = examples.windows.history.take(rows)
        classes = examples.classes[places.items[places.offsets[1:] - 1]]
        history = replace(places, items=examples.items[places.items])
        return self._read(history.keep(history.age > 0), classes, vectors)

    def _vectors_now(self) -> Tensor:
        """``float32[n, dim]``: vectors of all items as they are now."""
        every = torch.arange(len(self.number), device=self.device)
        return torch.cat([self.module.items(part) for part in every.split(ROWS)])

    def _read(self, history: History, classes: Longs, vectors: Tensor) -> Floats:
        """``float32[R, K, dim]``: the vectors of those with some histories."""
        items, weights, lengths = (
            tensor(values, self.device) for values in (history.items.astype(np.int64), history.weights, history.lengths)
        )
        pooled = self.module.users.newest(vectors[items], weights, lengths)
        return self.module.users(pooled, tensor(classes, self.device)).cpu().numpy()

    def _scorer(self) -> Callable[[Longs], Floats]:
        vectors = self._vectors_now()
        shown = vectors.cpu().numpy()

        def scores(rows: Longs) -> Floats:
            history = self.held.history.take(rows)
            history = history.last(self.config.last) if self.examples.ordered else history
            return products(self._read(history, self.examples.held_classes[rows], vectors), shown)

        return scores


ROWS = 1 << 14
"""Items whose vectors are worked out at a time."""
EVENTS = 1 << 16
"""Events that are read at a time."""
