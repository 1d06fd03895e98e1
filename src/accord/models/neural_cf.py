"""Neural CF: a net over the vector of a person, made of the history, and that of an item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from accord.core.arrays import Bools, Floats, Longs, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.history import History
from accord.core.part import State, under
from accord.core.queries import Queries
from accord.core.run import Run
from accord.learn.group import device_of
from accord.learn.loop import Loop, first_weights
from accord.learn.objective import WIDE, ObjectiveConfig
from accord.learn.weights import saved_weights, with_weights
from accord.models.graph import positive_part
from accord.models.history_means import Ahead, MeanBatch, Taste, mean_rows
from accord.models.item_table import Form as ItemForm
from accord.models.item_table import ItemTable
from accord.models.linear import HistoryConfig, HistoryReader
from accord.models.neural import PickByScore, TableSource, placed_at
from accord.models.pair_net import Form, PairNet
from accord.models.sequences import Held, Windows, held_back
from accord.models.vectors import lowest_unless


class NeuralCFConfig(ObjectiveConfig, HistoryConfig):
    """The net, what it reads, and how it is trained."""

    form: Form = "gmf"
    """``gmf``: a weighted product of both vectors. ``mlp``: a net over both and their product. ``neumf``: the sum of
    both, each with vectors of its own. A product has won wherever we looked (as Rendle et al., "Neural Collaborative
    Filtering vs. Matrix Factorization Revisited", RecSys 2020)."""
    dim: int = Field(default=64, ge=2)
    """Width of the vectors of each part."""
    hidden: tuple[int, ...] = Field(default=(32,), min_length=1)
    """Widths of the layers of the net."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of numbers that are dropped while training."""
    tau: float = Field(default=10.0, gt=0)
    """Recency: an event that ``d`` newer ones followed counts ``exp(-d / tau)``, while training too."""
    last: int = Field(default=50, ge=2)
    """Only the newest so many events are read."""
    ahead: int = Field(default=4, ge=1)
    """How many of the coming events are predicted from what came before them, where the log has an order."""
    item: ItemForm = "sum"
    """What an item is: ``id`` (a vector of its own), ``content``, ``sum`` of both, or ``bounded`` (content with a
    correction of limited length)."""
    columns: tuple[str, ...] = ()
    """The encoded item columns that are read as content; none: only ``id`` makes sense, and is used."""
    bound: float = Field(default=0.5, gt=0)
    """The longest correction of ``bounded``."""
    negatives: int = Field(default=128, ge=1)
    """Items drawn for each batch, where the loss draws any; ``auto`` does so for every form with a net, which cannot
    score all items for every event in reasonable time."""


class NeuralCF(TableSource, HistoryReader):
    """``score(u, j) = g . (u * v_j) + net([u; v_j; u * v_j])``, u a net of the mean of the history's item vectors.

    He et al., "Neural Collaborative Filtering", WWW 2017, without free vectors of people: whoever has the same history
    gets the same list, met or not. Where the log has an order each event is predicted from those before it, the newer
    ones counting more; else from all others of its user. Events of negative weight are left out. Only items with events
    are candidates while training; an item without is placed by its content, or gets the lowest score of the others.
    """

    Config = NeuralCFConfig
    read_late = frozenset[str]()
    reads_order = frozenset({"tau", "last", "ahead"})
    evidence = "behaviour through a net"
    learned = ("vectors", "halves", "placed", "met", "ordered")
    vectors: Floats
    """``float32[n, width]``: the item table as it was trained."""
    halves: Floats
    """``float32[n, h]``: what the first layer of the net makes of each item."""
    net: PairReader

    def _fit(self, data: Dataset, run: Run) -> None:
        config: NeuralCFConfig = self.config
        known = data.item_counts > 0
        fair = data.histories.weights > 0
        kept, held = held_back(data, run.rng("held back"), wanted=config.patience > 0, fair=fair)
        history = kept.history.keep(kept.history.weights > 0)
        windows = (Windows.of if self.ordered else Windows.apart)(history, config.last)
        if not len(windows.history):
            raise CannotFit("no user has two events of positive weight")
        ahead = Ahead(bool(self.ordered), config.tau, config.ahead)
        with first_weights(run):
            reader = PairReader(config)
            net = Net(self._table(data, known, run, parts=reader.pairs.width // config.dim), reader)
        net = net.to(device_of(run.device))
        task = NextPairs(net, config, windows, history, ahead, held, known, lambda held: self._read(held)[1])
        self.trained = Loop(task, config, run, "neural_cf", (data.digest,)).train()
        self.vectors, self.halves = (part.numpy() for part in net.cpu().eval().shown())
        self.net, self.content = net.reader, net.table.content_state()
        self.placed, self.met = known | np.any(self.vectors != 0, axis=1), known

    def _place(self, items: Longs, first: Floats) -> None:
        with torch.no_grad():
            more = self.net.pairs.halves(torch.from_numpy(first)).numpy()
        self.vectors, self.halves = placed_at(self.vectors, items, first), placed_at(self.halves, items, more)

    def _scores(self, queries: Queries) -> Floats:
        history = queries.history.keep(self.placed[queries.history.items])  # of others nothing is known
        shown = torch.from_numpy(self.vectors), torch.from_numpy(self.halves)
        return lowest_unless(self.placed, self.net.scores(self._read(history)[1], *shown))

    def state(self) -> State:
        """The learned arrays, what reads content, and the weights of the net."""
        return super().state() | saved_weights(self.net, NET)

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave. Raises ``ArtefactError`` where an array is missing or of another shape."""
        super().load_state(arrays)
        self.net = with_weights(PairReader(self.config), under(arrays, NET))
        return self


NET = "net/"
ROWS = 1 << 14
"""Items whose vectors are worked out at a time."""


class PairReader(nn.Module):
    """What reads a history, and what scores items for whoever has it."""

    def __init__(self, config: NeuralCFConfig) -> None:
        super().__init__()
        self.pairs = PairNet(config.form, config.dim, config.hidden, config.dropout)
        self.taste = Taste(self.pairs.width, config.dropout)

    @torch.no_grad()
    def scores(self, read: Sparse, vectors: Tensor, halves: Tensor) -> Floats:
        """``float32[B, n]``, fresh: scores of all items by what was read of them, ``read[B, n]``; zeros for nothing."""
        read = positive_part(read)
        users = self.taste(torch.from_numpy(mean_rows(read, vectors.cpu().numpy())).to(vectors.device))
        scores = self.pairs.scores(users, vectors, halves).cpu().numpy()
        scores[np.diff(read.indptr) == 0] = 0
        return scores


class Net(nn.Module):
    """What is trained together: the item table and the reader."""

    def __init__(self, table: ItemTable, reader: PairReader) -> None:
        super().__init__()
        self.table, self.reader = table, reader

    @torch.no_grad()
    def shown(self) -> tuple[Tensor, Tensor]:
        """Vectors of all items and their halves."""
        parts = torch.arange(len(self.table.rows), device=self.table.rows.device).split(ROWS)
        vectors = torch.cat([self.table(part) for part in parts])
        return vectors, self.reader.pairs.halves(vectors)


class NextPairs(PickByScore):
    """The task: which item comes next (or is missing), by the scores of pairs."""

    def __init__(
        self,
        net: Net,
        config: NeuralCFConfig,
        windows: Windows,
        whole: History,
        ahead: Ahead,
        held: Held,
        known: Bools,
        read: Callable[[History], Sparse],
    ) -> None:
        """``whole``: what ``windows`` are stretches of; ``read``: histories to weights ``float32[B, n]``, as when a
        list is asked for.
        """
        if config.form != "gmf" and config.loss == "auto":
            config = config.model_copy(update={"loss": "sampled"})
        if config.form != "gmf" and config.loss == "softmax" and known.sum() > WIDE:
            remedy = 'Take loss = "sampled", or form = "gmf".'
            raise CannotFit(f"a net cannot be asked for more than {WIDE} items", value=int(known.sum()), remedy=remedy)
        super().__init__(net, config, held, known, np.bincount(windows.history.items, minlength=len(known)))
        self.windows, self.whole, self.ahead, self.read = windows, whole, ahead, read

    def batches(self, rng: np.random.Generator) -> Sequence[Longs]:
        """The rows of each batch."""
        return self.windows.shuffled(rng, self.config.batch)

    def loss(self, rows: Longs) -> tuple[Tensor, Tensor]:
        """The sum of the losses of a batch, and the sum of their weights."""
        batch = self._batch(rows)
        table, reader = self.module.table, self.module.reader
        users, targets = reader.taste(batch.means(table(batch.items))), batch.targets.numbered(self.number)
        if reader.pairs.deep is None:
            states = reader.pairs.product * users
            return self.objective(states, lambda items: table(self.candidates[items]), targets), targets.total
        logits = self.objective.of_pairs(lambda items: reader.pairs(users, table(self.candidates[items])), targets)
        return logits, targets.total

    def _batch(self, rows: Longs) -> MeanBatch:
        history = self.windows.history.take(rows)
        if self.ahead.ordered:
            return MeanBatch.of(history, self.ahead, self.device)
        return MeanBatch.without_order(history, self.whole.take(self.windows.rows[rows]), self.ahead, self.device)

    def _scorer(self) -> Callable[[Longs], Floats]:
        vectors, halves = self.module.shown()
        return lambda rows: self.module.reader.scores(self.read(self.held.history.take(rows)), vectors, halves)
