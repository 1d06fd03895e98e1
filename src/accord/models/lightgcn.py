"""LightGCN: vectors of items handed on along the graph of users, items and what they are linked to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, normalize

from accord.core.arrays import Bools, Floats, Longs, Sparse, take_index
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.part import State
from accord.core.queries import Queries
from accord.core.run import Run
from accord.learn.group import device_of
from accord.learn.loop import Loop, first_weights
from accord.learn.objective import PatientConfig
from accord.learn.targets import Targets
from accord.models.content_rows import row_lengths
from accord.models.graph import inverse_power, positive_part
from accord.models.item_table import Form, ItemTable
from accord.models.linear import HistoryConfig, HistoryReader
from accord.models.linked_people import LinkedPeople
from accord.models.neural import NeuralSource, PickItems, placed_at
from accord.models.node_links import Link, link_edges
from accord.models.propagation import Propagation, Vectors, user_vectors
from accord.models.sequences import Held, held_back


class LightGCNConfig(PatientConfig, HistoryConfig):
    """The graph, the vectors, and how they are trained."""

    dim: int = Field(default=64, ge=1)
    """Width of all vectors."""
    layers: int = Field(default=2, ge=1)
    """How far vectors are handed on."""
    item: Form = "sum"
    """What an item is in layer 0: ``id`` (a vector of its own), ``content``, ``sum`` of both, or ``bounded`` (content
    with a correction of limited length)."""
    columns: tuple[str, ...] = ()
    """The encoded item columns that are read as content; none: only ``id`` makes sense, and is used."""
    bound: float = Field(default=0.5, gt=0)
    """The longest correction of ``bounded``."""
    links: dict[str, float | Link] = Field(default_factory=dict)
    """Links tables that are edges too: what a link counts beside an event, or ``{ weight, head, tail }``."""
    similarity: Literal["dot", "cosine"] = "dot"
    """How the vector of a person and that of an item are compared."""
    temperature: float = Field(default=0.1, gt=0)
    """What similarities are divided by while training."""
    reg: float = Field(default=0.0, ge=0)
    """Half of it times the mean squared length of the items' layer 0 is added to the loss of each pair."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of a person's other events that are not read while one of them is predicted."""
    batch: int = Field(default=1024, ge=1)
    """Pairs of user and item a batch; each batch costs one propagation over the whole graph."""


class LightGCN(NeuralSource, HistoryReader):
    """``score(u, j) = s(sum_i w_i read_i / sqrt(sum_i w_i), shown_j)``; s: the dot product, or the cosine.

    ``read`` and ``shown`` are the propagated vectors of the items (``Propagation.vectors``). The sum over the history
    is what propagation gives a user node with these neighbours in the mean of its layers, where layer 0 of users is
    zero: He et al., "LightGCN", SIGIR 2020, without free vectors of users, so that people it has met and people it has
    not are answered alike. Each event is predicted from the others of its user. Links between users, items and other
    things hand vectors on as events do; to somebody known at the fit who has links they add what the graph says
    (``LinkedPeople``), which half of the predictions do without while training. Events of negative weight are left
    out. An item without edges is placed by its content, or gets the lowest score of the others.
    """

    Config = LightGCNConfig
    evidence = "behaviour along the graph"
    learned = ("read", "shown", "placed", "met", "ordered")
    read: Floats
    """``float32[n, dim]``: what an item adds to the vector of somebody who has it."""
    shown: Floats
    """``float32[n, dim]``: what an item is when it is scored."""
    people: LinkedPeople | None = None
    """What links add for those who have any; None: the source has no links."""

    def _fit(self, data: Dataset, run: Run) -> None:
        config: LightGCNConfig = self.config
        edges = positive_part(data.matrix)
        fair = data.histories.weights > 0
        kept, held = held_back(data, run.rng("held back"), wanted=config.patience > 0, fair=fair)
        learned_from = positive_part(kept.history.matrix(data.n_items))
        if not np.any(np.diff(learned_from.indptr) > 1):
            raise CannotFit("no user has two events of positive weight")
        links, others = link_edges(data, {name: _link(told) for name, told in config.links.items()})
        known = np.bincount(edges.indices, minlength=data.n_items) > 0
        device = device_of(run.device)
        with first_weights(run):
            net = Net(self._table(data, known, run), others, config.dim).to(device)
        graph = Propagation(learned_from, links, config.layers, device)
        asked = data.histories.rows[held.places]
        task = LeftOut(net, config, graph, learned_from, held, asked, known)
        self.trained = Loop(task, config, run, "lightgcn", (data.digest,)).train()
        self._keep(net.cpu().eval(), Propagation(edges, links, config.layers, torch.device("cpu")), data)

    def _keep(self, net: Net, graph: Propagation, data: Dataset) -> None:
        """Hand the learned vectors on once along all edges, those held back too."""
        with torch.no_grad():
            found = graph.vectors(*net())
            alone = self._alone_in_the_graph(net()[0].numpy())
        self.read, self.shown = found.read.numpy(), self._compared(found.shown.numpy())
        self.placed, self.met = np.any(self.shown != 0, axis=1), np.any(found.shown.numpy() != alone, axis=1)
        self.content = net.table.content_state()
        self.people = None
        if found.linked is not None:
            self.people = LinkedPeople.of(data.user_ids, found.linked.numpy(), graph.of_links)

    def _compared(self, vectors: Floats) -> Floats:
        if self.config.similarity == "dot":
            return vectors
        return (vectors / np.maximum(row_lengths(vectors), 1e-12)[:, None]).astype(np.float32)

    def _place(self, items: Longs, first: Floats) -> None:
        handed = self._alone_in_the_graph(first)
        self.read = placed_at(self.read, items, handed)
        self.shown = placed_at(self.shown, items, self._compared(handed))

    def _alone_in_the_graph(self, first: Floats) -> Floats:
        """The mean of the layers of a node without edges: nothing comes after its layer 0."""
        return first / np.float32(self.config.layers + 1)

    @property
    def _shown(self) -> Floats:
        return self.shown

    def _states(self, queries: Queries) -> Floats:
        events = positive_part(self._read(queries.history)[1])
        linked = (None, None) if self.people is None else self.people.found(queries.users)
        return self._compared(user_vectors(events, self.read, *linked))

    def state(self) -> State:
        """The learned arrays, what reads content, and what links say of people."""
        return super().state() | ({} if self.people is None else self.people.state())

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave. Raises ``ArtefactError`` where an array is missing."""
        super().load_state(arrays)
        self.people = LinkedPeople.of_state(arrays, type(self).__name__)
        return self


TOLD = 0.5
"""Share of the pairs in which the links of the user are read, so that strangers are learned for too."""
TINY = 1e-6
"""Less than this is a rounding error of nothing."""


def _link(told: float | Link) -> Link:
    return told if isinstance(told, Link) else Link(weight=told)


class Net(nn.Module):
    """Layer 0: the vectors of items, and of things that are neither items nor users."""

    def __init__(self, table: ItemTable, others: int, dim: int) -> None:
        super().__init__()
        self.table = table
        self.others = nn.Embedding(others, dim) if others else None
        if self.others is not None:
            nn.init.normal_(self.others.weight, std=dim**-0.5)

    def forward(self) -> tuple[Tensor, Tensor | None]:
        """``float32[n, dim]`` of all items, ``float32[others, dim]``."""
        items = self.table(torch.arange(len(self.table.rows), device=self.table.rows.device)).float()
        return items, None if self.others is None else self.others.weight


class LeftOut(PickItems):
    """The task: each event from the others of its user, among all items with events."""

    def __init__(
        self,
        net: Net,
        config: LightGCNConfig,
        graph: Propagation,
        edges: Sparse,
        held: Held,
        asked: Longs,
        known: Bools,
    ) -> None:
        """``asked``: the users of what is held back."""
        super().__init__(net, config, held, known, np.bincount(edges.indices, minlength=len(known)))
        self.graph, self.edges, self.asked = graph, edges, asked
        self.offsets, self.items = edges.indptr.astype(np.int64), edges.indices.astype(np.int64)
        lengths = np.diff(self.offsets)
        self.users = np.repeat(np.arange(len(lengths)), lengths)
        self.pairs = np.flatnonzero(lengths[self.users] > 1)
        """Places of the events that their user has others beside."""

    def batches(self, rng: np.random.Generator) -> Sequence[Longs]:
        """The events of each batch, by their place among the edges."""
        order = rng.permutation(self.pairs)
        return [order[at : at + self.config.batch] for at in range(0, len(order), self.config.batch)]

    def loss(self, events: Longs) -> tuple[Tensor, Tensor]:
        """The sum of the losses of a batch, and the sum of their weights."""
        layer, others = self.module()
        found = self.graph.vectors(layer, others)
        states = self._states(events, found)
        shown = found.shown
        if self.config.similarity == "cosine":
            states, shown = normalize(states), normalize(shown)
        targets = self._targets(events)
        loss = self.objective(states / self.config.temperature, lambda items: shown[self.candidates[items]], targets)
        if self.config.reg:
            loss = loss + 0.5 * self.config.reg * targets.total * layer[self.candidates].square().sum(dim=1).mean()
        return loss, targets.total

    def _states(self, events: Longs, found: Vectors) -> Tensor:
        """``float32[N, dim]``: the vector of each event's user as it were without the event."""
        users, row = np.unique(self.users[events], return_inverse=True)
        index, offsets = take_index(self.offsets, users)
        place = offsets[row] + events - self.offsets[users[row]]
        worth = self._worth(index)
        mass = np.add.reduceat(worth, offsets[:-1])[row] - worth[place]
        own = self._tensor(worth[place])[:, None] * found.read[self._tensor(self.items[events])]
        items, starts, weights = (self._tensor(part) for part in (self.items[index], offsets[:-1], worth))
        sums = embedding_bag(items, found.read, starts, per_sample_weights=weights, mode="sum")[self._tensor(row)] - own
        if found.linked is not None:
            told = self._tensor((torch.rand(len(events)) < TOLD).numpy())
            sums = sums + told[:, None] * found.linked[self._tensor(users[row])]
            mass = mass + told.cpu().numpy() * self.graph.of_links[users[row]]
        return sums * self._tensor(inverse_power(np.where(mass > TINY, mass, 0), 0.5))[:, None]

    def _worth(self, index: Longs) -> Floats:
        """How much each event counts that is read; some of them nothing, at random."""
        worth = self.edges.data[index]
        if not self.config.dropout:
            return worth
        return worth * (torch.rand(len(worth)) >= self.config.dropout).numpy()

    def _targets(self, events: Longs) -> Targets:
        """One item an event, which counts as much as the event; what else its user has is no choice."""
        index, offsets = take_index(self.offsets, self.users[events])
        rows = np.repeat(np.arange(len(events)), np.diff(offsets))
        parts = (self.items[events][:, None], self.edges.data[events][:, None], rows, self.items[index])
        return Targets(*(self._tensor(part) for part in parts)).numbered(self.number)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def _reader(self) -> tuple[Floats, Callable[[Longs], Floats]]:
        found: Vectors = self.graph.vectors(*self.module())
        shown = normalize(found.shown) if self.config.similarity == "cosine" else found.shown
        read, shown = found.read.cpu().numpy(), shown.cpu().numpy()
        linked = None if found.linked is None else found.linked.cpu().numpy()

        def states(rows: Longs) -> Floats:
            users = self.asked[rows]
            links = (None, None) if linked is None else (linked[users], self.graph.of_links[users])
            return user_vectors(positive_part(self.held.history.take(rows).matrix(len(shown))), read, *links)

        return shown, states
