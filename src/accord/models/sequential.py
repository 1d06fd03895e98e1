"""Sequential: a network that reads the history in its order and says what comes next."""

from __future__ import annotations

from typing import Annotated, Literal, Self, cast

import numpy as np
import torch
from pydantic import AfterValidator, Field, model_validator
from scipy.special import expit
from torch import nn

from accord.core.arrays import Bools, Floats, Ints, Longs
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit, InputError
from accord.core.history import History
from accord.core.part import State, under
from accord.core.queries import CELLS, Queries
from accord.core.run import Run
from accord.core.slate import EMPTY
from accord.data.choices import SHOWN
from accord.learn.group import device_of
from accord.learn.heads import PairHead
from accord.learn.loop import Loop, first_weights
from accord.learn.objective import PatientConfig
from accord.learn.weights import saved_weights, with_weights
from accord.models.attended import by_event, noting
from accord.models.bodies import Kind, Positions
from accord.models.features import Clock, Features
from accord.models.item_table import Form, ItemTable
from accord.models.logged import Cut, Log
from accord.models.neural import NeuralSource, placed_at
from accord.models.next_items import Net, NextItems, net_of
from accord.models.reader import Known, Reader
from accord.models.sequences import Windows, inputs_of
from accord.models.tasks import (
    CLICK,
    RATING,
    Tasks,
    checked,
    choices_of,
    heads_of,
    heads_of_state,
    marks_of,
    weights_of,
)


class SequentialConfig(PatientConfig):
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
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of numbers that are dropped while training."""
    weight_decay: float = Field(default=0.3, ge=0)
    """Decoupled decay of all weights."""
    last: int = Field(default=50, ge=2)
    """Only the newest so many events are read."""
    gaps: bool = True
    """Whether the time since the event before is read, where the log has a clock."""
    kinds: bool = True
    """Whether it is read what was done (a view, a purchase), where the log has kinds of events."""
    values: bool = True
    """Whether the values of events are read (ratings, prices), where the log has any."""
    context: tuple[str, ...] = ()
    """Columns of events: circumstances of what is asked for, by name in ``Queries.context``."""
    clock: tuple[Clock, ...] = ()
    """``hour`` and ``weekday`` (UTC) of what is asked for."""
    unknown: float = Field(default=0.1, ge=0, lt=1)
    """In this share of the rows kinds and values, and of the targets each circumstance, are not told while training."""
    tasks: Annotated[Tasks, AfterValidator(checked)] = Field(default={"next": 1.0})
    """What is learned beside the ``next`` item, and what each counts: ``rating`` (the value of an event), ``click``
    (whether an item that was shown is chosen; what was not is no next item then). ``learned``: all that the log can
    feed, weighed by what each leaves open."""
    shown: tuple[str, ...] = SHOWN
    """For the task ``click``: kinds of events that say an item was shown, not that it was chosen."""
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

    @model_validator(mode="after")
    def _reads_both_sides(self) -> Self:
        if self.mode == "masked" and self.body != "transformer":
            raise ValueError(f"the body {self.body!r} reads forwards alone: mode 'masked' needs the transformer")
        return self


class Sequential(NeuralSource):
    """``score(u, j) = h(u) . v_j`` with h the last state of a network over the newest events, and v the item table.

    Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018 (causal); Sun et al., "BERT4Rec", CIKM 2019
    (masked); several targets a state as in PinnerFormer (Pancha et al., KDD 2022). Only items with events are
    candidates while training; an item without events is placed by its content, or gets the lowest score of the others.
    """

    Config = SequentialConfig
    needs_order = True
    evidence = "the order of what was done"
    learned = ("vectors", "placed", "met")
    vectors: Floats
    """``float32[n, dim]``: the item table as it was trained."""
    reader: Reader
    heads: nn.ModuleDict
    """What was learned beside the next item, by task."""
    features: Features
    """What circumstances are told apart."""

    def _fit(self, data: Dataset, run: Run) -> None:
        config: SequentialConfig = self.config
        if config.dim % (2 * config.heads):
            raise CannotFit(
                "dim must be a multiple of twice the heads", value=f"dim {config.dim}, heads {config.heads}"
            )
        known = data.item_counts > 0
        self.features = Features.of(data, (), config.context, config.clock)
        log = self._log(data)
        cut = Cut.of(data, log, run.rng("held back"), wanted=config.patience > 0)
        windows = (Windows.of if config.mode == "causal" else Windows.apart)(cut.rows, config.last)
        if not len(windows.history):
            raise CannotFit("no user has two events")
        with first_weights(run):
            net = self._net(self._table(data, known, run), log).to(device_of(run.device))
        task = self._task(net, windows, log, cut, known)
        self.trained = Loop(task, config, run, type(self).__name__.lower(), (data.digest,)).train()
        self._keep(net.cpu().eval(), known)

    def _net(self, table: ItemTable, log: Log) -> Net:
        """What is trained."""
        config: SequentialConfig = self.config
        counts = weights_of(config.tasks, log.marks, log.chosen)
        reader = Reader(config, Known.of(log.kinds, log.values, self.features.sizes))
        return net_of(table, reader, heads_of(log, config.dim, len(table.rows), counts), counts, config.tasks)

    def _task(self, net: Net, windows: Windows, log: Log, cut: Cut, known: Bools) -> NextItems:
        """What it is trained on."""
        return NextItems(net, self.config, windows, log, cut, known)

    def _log(self, data: Dataset) -> Log:
        config: SequentialConfig = self.config
        return Log(
            data.event_items,
            data.event_kinds if config.kinds else None,
            data.event_values if config.values else None,
            self.features.of_events(data),
            marks_of(data, config.tasks),
            choices_of(data, config.tasks, config.shown),
        )

    def _keep(self, net: Net, known: Bools) -> None:
        """Work out the table once: scoring needs nothing else of it, and growing only what reads content."""
        with torch.no_grad():
            parts = torch.arange(len(known)).split(ROWS)
            self.vectors = np.concatenate([net.table(part).numpy() for part in parts])
        self.reader, self.heads, self.content = net.reader, net.heads, net.table.content_state()
        self.placed, self.met = known | np.any(self.vectors != 0, axis=1), known

    @property
    def reads_told(self) -> bool:
        """Whether the fitted source reads the kinds or values of the events of a history."""
        return self.reader.reads_told

    def _place(self, items: Longs, first: Floats) -> None:
        self.vectors = placed_at(self.vectors, items, first)

    @property
    def _shown(self) -> Floats:
        return self.vectors

    def _states(self, queries: Queries) -> Floats:
        states = np.zeros((len(queries), self.config.dim), np.float32)
        history = queries.history.keep(self.placed[queries.history.items])  # of others nothing is known
        rows = np.flatnonzero(history.lengths)
        if len(rows):
            states[rows] = self._read(history.take(rows), self.features.of_queries(queries)[rows])
        return states

    def _read(self, history: History, classes: Longs) -> Floats:
        """``float32[B, dim]``: the last state of each history, none of them empty, in its circumstances.

        So many histories are read at a time that what the network holds of them stays below a few hundred MB.
        """
        history, config = history.last(self.config.last), self.config
        longest = int(history.lengths.max()) + 1
        step = max(1, CELLS // (longest * (WIDTHS * config.dim + config.heads * longest)))
        blocks = [np.arange(start, min(start + step, len(history))) for start in range(0, len(history), step)]
        return np.concatenate([self._read_block(history.take(rows), classes[rows]) for rows in blocks])

    def _read_block(self, history: History, classes: Longs) -> Floats:
        packed, items, told = inputs_of(history, torch.device("cpu"))
        with torch.no_grad():
            states = self.reader.last(torch.from_numpy(self.vectors)[items], told, packed)
            return self.reader.asking(states, torch.from_numpy(classes)).numpy()

    def ratings(self, queries: Queries, items: Ints) -> Floats:
        """``float32[B, K]``: the expected values of events on given items, NaN at ``EMPTY``.

        Raises ``InputError`` where ``rating`` was no task.
        """
        return self._said(RATING, queries, items)

    def clicks(self, queries: Queries, items: Ints) -> Floats:
        """``float32[B, K]``: the probabilities that given items are chosen once shown, NaN at ``EMPTY``.

        Raises ``InputError`` where ``click`` was no task.
        """
        return expit(self._said(CLICK, queries, items))

    @property
    def predicts(self) -> tuple[str, ...]:
        """The tasks beside the next item."""
        return tuple(self.heads)

    def predict(self, measure: str, queries: Queries, items: Ints) -> Floats:
        """``ratings`` or ``clicks``, by the name of the task."""
        return self.ratings(queries, items) if measure == RATING else self.clicks(queries, items)

    def _said(self, task: str, queries: Queries, items: Ints) -> Floats:
        if task not in self.heads:
            have = ", ".join(self.heads) or "the next item alone"
            remedy = f"Add {task!r} to the tasks and train again."
            raise InputError("the source has not learned to say this", place="tasks", value=have, remedy=remedy)
        out = np.full(items.shape, np.nan, np.float32)
        step = max(1, CELLS // max(1, items.shape[1] * self.config.dim))
        states = self.user_vectors(queries)
        for start in range(0, len(items), step):
            out[start : start + step] = self._part(task, states[start : start + step], items[start : start + step])
        return out

    def _part(self, task: str, states: Floats, items: Ints) -> Floats:
        known = np.where(items == EMPTY, 0, items).astype(np.int64)
        there = known < len(self.vectors)
        vectors = self.vectors[np.where(there, known, 0)] * there[..., None]
        with torch.no_grad():
            head = cast("PairHead", self.heads[task])
            wide = torch.from_numpy(states)[:, None]
            said = head.told(head(wide, torch.from_numpy(vectors), torch.from_numpy(known))).numpy()
        return np.where(items == EMPTY, np.nan, said).astype(np.float32)

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
        return by_event(noted, history, read)

    def state(self) -> State:
        """The learned arrays, what reads content and circumstances, and the weights of the network and its heads."""
        weights = saved_weights(self.reader, READER) | saved_weights(self.heads, HEADS)
        return super().state() | weights | (self.features.state() if self._circumstances else {})

    @property
    def _circumstances(self) -> bool:
        return bool(self.config.context or self.config.clock)

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave. Raises ``ArtefactError`` where an array is missing or of another shape."""
        super().load_state(arrays)
        config, own = self.config, under(arrays, READER)
        named = ((), config.context, config.clock)
        self.features = Features.of_state(arrays, *named, "Sequential") if self._circumstances else NO_FEATURES
        self.reader = with_weights(Reader(config, Known.of_state(own, self.features.sizes)), own)
        self.heads = heads_of_state(under(arrays, HEADS), config.dim)
        return self


READER, HEADS = "reader/", "heads/"
NO_FEATURES = Features((), (), (), (), np.empty(0, np.int64), np.empty((0, 0), np.int64))
ROWS = 1 << 14
"""Items whose vectors are worked out at a time."""
WIDTHS = 8
"""How many numbers a network holds of an event at once, in widths of its vectors; the widest layer has four."""
