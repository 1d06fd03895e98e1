"""Sequential: a network that reads the history in its order and says what comes next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from accord.core.arrays import Bools, Floats, Longs
from accord.core.dataset import Dataset
from accord.core.errors import ArtefactError, CannotFit
from accord.core.history import History
from accord.core.part import State
from accord.core.queries import Queries
from accord.core.run import Run
from accord.learn.group import device_of
from accord.learn.loop import Loop, first_weights
from accord.learn.objective import ObjectiveConfig
from accord.models.attended import by_event, noting
from accord.models.bodies import Kind, Positions
from accord.models.item_table import Form, ItemTable
from accord.models.neural import NeuralSource, PickItems, under
from accord.models.reader import Reader
from accord.models.sequences import Batch, Held, Windows, held_back, inputs_of


class SequentialConfig(ObjectiveConfig):
    """The network, what it reads, and how it is trained."""

    dim: int = Field(default=64, ge=2)
    """Width of all vectors."""
    body: Kind = "transformer"
    """``transformer``, ``gated`` (attention without softmax, as HSTU), ``gru`` or ``caser`` (convolutions)."""
    mode: Literal["causal", "masked"] = "causal"
    """``causal``: each event predicts those after it. ``masked``: hidden events are guessed from both sides
    (BERT4Rec)."""
    blocks: int = Field(default=1, ge=1)
    """Layers of the body."""
    heads: int = Field(default=2, ge=1)
    """Heads of attention; ``dim`` is a multiple of it."""
    positions: Positions = "relative"
    """How a transformer knows the places: a bias by distance, ``rotary``, ``learned`` vectors, or not at all."""
    dropout: float = Field(default=0.4, ge=0, lt=1)
    """Share of numbers that are dropped while training."""
    last: int = Field(default=50, ge=2)
    """Only the newest so many events are read."""
    gaps: bool = True
    """Whether the time since the event before is read, where the log has a clock."""
    item: Form = "sum"
    """What an item is: ``id`` (a vector of its own), ``content``, ``sum`` of both, or ``bounded`` (content with a
    correction of limited length)."""
    columns: tuple[str, ...] = ()
    """The encoded item columns that are read as content; none: only ``id`` makes sense, and is used."""
    bound: float = Field(default=0.5, gt=0)
    """The longest correction of ``bounded``."""
    ahead: int = Field(default=4, ge=1)
    """How many of the coming events each state predicts."""
    tau: float = Field(default=1.5, gt=0)
    """The k-th of them counts ``exp(-k / tau)``."""
    masking: float = Field(default=0.3, gt=0, lt=1)
    """Share of events that mode ``masked`` hides."""


class Sequential(NeuralSource):
    """``score(u, j) = h(u) . v_j`` with h the last state of a network over the newest events, and v the item table.

    Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018 (causal); Sun et al., "BERT4Rec", CIKM 2019
    (masked); several targets a state as in PinnerFormer (Pancha et al., KDD 2022). Only items with events are
    candidates while training; an item without events is placed by its content, or gets the lowest score of the others.
    """

    Config = SequentialConfig
    needs_order = True
    evidence = "the order of what was done"
    learned = ("vectors", "placed")
    vectors: Floats
    """``float32[n, dim]``: the item table as it was trained."""
    reader: Reader

    def _fit(self, data: Dataset, run: Run) -> None:
        config: SequentialConfig = self.config
        if config.dim % (2 * config.heads):
            raise CannotFit(
                "dim must be a multiple of twice the heads", value=f"dim {config.dim}, heads {config.heads}"
            )
        known = data.item_counts > 0
        history, held = held_back(data, run.rng("held back"), wanted=config.patience > 0)
        windows = Windows.of(history, config.last)
        if not len(windows.history):
            raise CannotFit("no user has two events")
        with first_weights(run):
            net = Net(self._table(data, known), Reader(config)).to(device_of(run.device))
        task = NextItems(net, config, windows, held, known)
        self.trained = Loop(task, config, run, "sequential", (data.digest,)).train()
        self._keep(net.cpu().eval(), known)

    def _keep(self, net: Net, known: Bools) -> None:
        """Work out the table once: scoring needs nothing else of it, and growing only what reads content."""
        with torch.no_grad():
            parts = torch.arange(len(known)).split(ROWS)
            self.vectors = np.concatenate([net.table(part).numpy() for part in parts])
        self.reader, self.content = net.reader, net.table.content_state()
        self.placed = known | np.any(self.vectors != 0, axis=1)

    def _append(self, first: Floats) -> None:
        self.vectors = np.concatenate([self.vectors, first])

    @property
    def _shown(self) -> Floats:
        return self.vectors

    def _states(self, queries: Queries) -> Floats:
        states = np.zeros((len(queries), self.config.dim), np.float32)
        history = queries.history.keep(self.placed[queries.history.items])  # of others nothing is known
        rows = np.flatnonzero(history.lengths)
        if len(rows):
            states[rows] = self._read(history.take(rows))
        return states

    def _read(self, history: History) -> Floats:
        """``float32[B, dim]``: the last state of each history, none of them empty."""
        packed, items, gaps, weights = inputs_of(history.last(self.config.last), torch.device("cpu"))
        with torch.no_grad():
            return self.reader.last(torch.from_numpy(self.vectors)[items], gaps, weights, packed).numpy()

    def attention(self, queries: Queries) -> Floats | None:
        """``float32[B, H]``: the share of each event (padded to the longest, H) in what the last state takes in.

        The mean over the heads of the last block; a masked network attends to the hidden place too. None where the
        body does not weigh by shares, or nothing was read.
        """
        history = queries.history
        with noting(self.reader) as noted:
            self.user_vectors(queries)
        if not noted:
            return None
        read = history.items < len(self.vectors)
        read[read] = self.placed[history.items[read]]
        read[read] = history.keep(read).age < self.config.last
        return by_event(noted[0], history, read)

    def state(self) -> State:
        """The learned arrays, what reads content, and the weights of the network."""
        weights = self.reader.state_dict()
        return super().state() | {f"{READER}{name}": values.numpy() for name, values in weights.items()}

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave. Raises ``ArtefactError`` where an array is missing or of another shape."""
        super().load_state(arrays)
        self.reader = Reader(self.config).eval()
        try:
            weights = {name: torch.from_numpy(values.copy()) for name, values in under(arrays, READER).items()}
            self.reader.load_state_dict(weights)
        except RuntimeError as error:
            raise ArtefactError(f"the saved network does not fit ({error})", remedy="Train it again.") from None
        return self


READER = "reader/"
ROWS = 1 << 14
"""Items whose vectors are worked out at a time."""


class Net(nn.Module):
    """What is trained together: the item table and the reader of sequences."""

    def __init__(self, table: ItemTable, reader: Reader) -> None:
        super().__init__()
        self.table, self.reader = table, reader


class NextItems(PickItems):
    """The task: which items come next, among all items with events."""

    def __init__(self, net: Net, config: SequentialConfig, windows: Windows, held: Held, known: Bools) -> None:
        counts = np.bincount(windows.history.items, minlength=len(known))
        super().__init__(net, config, held, known, counts)
        self.windows = windows

    def batches(self, rng: np.random.Generator) -> Sequence[Longs]:
        """The rows of each batch."""
        return self.windows.shuffled(rng, self.config.batch)

    def loss(self, rows: Longs) -> tuple[Tensor, Tensor]:
        """The sum of the losses of a batch, and the sum of their weights."""
        batch = Batch.of(self.windows, rows, self.config.ahead, self.config.tau, self.device)
        reader, table = self.module.reader, self._table()
        hidden = None
        if self.config.mode == "masked":
            batch, hidden = batch.masked(self.config.masking)
        states = reader(table(batch.items), batch.gaps, batch.weights, batch.packed, hidden)
        states = states if hidden is None else states[hidden]
        targets = batch.targets.numbered(self.number)
        return self.objective(states, lambda items: table(self.candidates[items]), targets), targets.total

    def _reader(self) -> tuple[Floats, Callable[[Longs], Floats]]:
        vectors: Tensor = self.module.table(torch.arange(len(self.number), device=self.device))

        def states(rows: Longs) -> Floats:
            history = self.held.history.take(rows).last(self.config.last)
            packed, items, gaps, weights = inputs_of(history, self.device)
            return self.module.reader.last(vectors[items], gaps, weights, packed).cpu().numpy()

        return vectors.cpu().numpy(), states
