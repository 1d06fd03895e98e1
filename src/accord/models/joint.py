"""Joint: one model over shared item vectors that learns from the set of what was done and from its order at once."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from accord.core.arrays import Bools, Floats, Ints, Longs, Sparse
from accord.core.history import History
from accord.core.part import State, under
from accord.core.queries import Queries
from accord.learn.balance import Balance
from accord.learn.weights import saved_weights, with_weights
from accord.models.graph import positive_part
from accord.models.history_means import Ahead, MeanBatch, Taste, mean_rows
from accord.models.item_table import ItemTable
from accord.models.logged import Cut, Log
from accord.models.next_items import Net, NextItems
from accord.models.sequences import Windows
from accord.models.sequential import Sequential, SequentialConfig
from accord.models.tasks import LEARNED

COLLABORATIVE, DEEP = "collaborative", "deep"


class JointConfig(SequentialConfig):
    """Both heads, what they count, and how they are trained; the deep one is configured as ``sequential``."""

    collaborative: float = Field(default=1.0, ge=0)
    """What the loss of the mean of the history counts: a; 0: the deep head alone is trained, and scores."""
    deep: float = Field(default=1.0, ge=0)
    """What the loss of the reader of sequences counts: b; 0: the collaborative head alone is trained, and scores."""
    weights: Literal["given", "learned"] = "given"
    """``learned``: both are multiplied by what the training finds of how much each loss leaves open (Kendall et al.,
    CVPR 2018)."""
    mix: float = Field(default=0.5, ge=0, le=1)
    """The share of the deep head in the score; the rest is that of the collaborative one."""
    recency: float = Field(default=10.0, gt=0)
    """In the mean of the history an event that ``d`` newer ones followed counts ``exp(-d / recency)``."""

    @model_validator(mode="after")
    def _trains_something(self) -> Self:
        if not (self.collaborative or self.deep):
            raise ValueError("at least one of collaborative and deep must count")
        if self.mode == "masked":
            raise ValueError("both heads say what comes next: mode 'masked' is for sequential alone")
        if not self.deep and (self.tasks == LEARNED or len(self.tasks) > 1):
            raise ValueError("further tasks are learned by the deep head: it must count, or leave them out")
        return self

    @property
    def shares(self) -> dict[str, np.float32]:
        """What each head counts in the score."""
        deep = self.mix if self.collaborative and self.deep else float(self.deep > 0)
        return {COLLABORATIVE: np.float32(1 - deep), DEEP: np.float32(deep)}


class Joint(Sequential):
    """``score(u, j) = (mix h(u) + (1 - mix) c(u)) . v_j``, trained with ``a L_collaborative + b L_deep``.

    ``L_collaborative`` is the loss of ``c(u) . v_j``, c a small net of the recency-weighted mean of the history's item
    vectors, which knows no order but age; ``L_deep`` that of ``h(u) . v_j``, h the last state of a network over the
    same events, as in ``Sequential`` (with the losses of its further tasks). Both predict what comes next.

    What is shared is the item table, ids and content, in both of its uses, as what is read and as what is picked: each
    head regularises the vectors of the other, and their scores add up to one product. What is not shared is all that
    makes a state of the vectors read: the heads are to differ there, for the sum of two that err alike is worth
    nothing. A third loss over the same table (of a policy, say) is one more entry of what ``Balance`` is given.
    """

    Config = JointConfig
    evidence = "behaviour and its order"
    taste: Taste
    counted: dict[str, float]
    """What each loss counted in the end; not saved."""

    def _net(self, table: ItemTable, log: Log) -> Net:
        config: JointConfig = self.config
        both = {COLLABORATIVE: config.collaborative, DEEP: config.deep}
        balance = Balance({name: w for name, w in both.items() if w}, learned=config.weights == "learned")
        return JointNet(super()._net(table, log), config, balance)

    def _task(self, net: Net, windows: Windows, log: Log, cut: Cut, known: Bools) -> NextItems:
        return JointItems(net, self.config, windows, log, cut, known)

    def _keep(self, net: Net, known: Bools) -> None:
        super()._keep(net, known)
        if isinstance(net, JointNet):
            self.taste, self.counted = net.taste, net.both.shares

    def _states(self, queries: Queries) -> Floats:
        deep, shares = super()._states(queries), self.config.shares
        history = queries.history.keep(self.placed[queries.history.items])
        read = faded(history, self.config, self.n_items)
        return shares[DEEP] * deep + shares[COLLABORATIVE] * tastes(self.taste, read, self.vectors)

    def _said(self, task: str, queries: Queries, items: Ints) -> Floats:
        """What further tasks say is read from the state of the deep head alone, as it was learned."""
        deep = copy(self)
        deep.config = self.config.model_copy(update={"collaborative": 0.0, "deep": 1.0})
        return super(Joint, deep)._said(task, queries, items)

    def state(self) -> State:
        """The learned arrays, and the weights of both heads."""
        return super().state() | saved_weights(self.taste, TASTE)

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave. Raises ``ArtefactError`` where an array is missing or of another shape."""
        super().load_state(arrays)
        self.taste = with_weights(Taste(self.config.dim, self.config.dropout), under(arrays, TASTE))
        return self


TASTE = "taste/"


def faded(history: History, config: JointConfig, n_items: int) -> Sparse:
    """``float32[B, n_items]``: what the collaborative head reads of histories, by how much it counts."""
    return positive_part(history.last(config.last).matrix(n_items, config.recency))


@torch.no_grad()
def tastes(taste: Taste, read: Sparse, vectors: Floats) -> Floats:
    """``float32[B, dim]``: states of the collaborative head; zero where nothing was read."""
    device = next(taste.parameters()).device
    states = taste(torch.from_numpy(mean_rows(read, vectors)).to(device)).cpu().numpy()
    states[np.diff(read.indptr) == 0] = 0
    return states


class JointNet(Net):
    """What is trained together: the net of the deep head, and over the same table the collaborative one."""

    def __init__(self, deep: Net, config: JointConfig, both: Balance) -> None:
        super().__init__(deep.table, deep.reader, deep.heads, deep.balance)
        self.taste, self.both = Taste(config.dim, config.dropout), both


class JointItems(NextItems):
    """The task: which items come next, by either head."""

    def loss(self, rows: Longs) -> tuple[Tensor, Tensor]:
        """The sum of the losses of a batch, and the sum of their weights."""
        losses = {COLLABORATIVE: self._collaborative, DEEP: super().loss}
        return self.module.both({name: losses[name](rows) for name in self.module.both.weights})

    def _collaborative(self, rows: Longs) -> tuple[Tensor, Tensor]:
        config, table = self.config, self._table()
        places, chosen = self.windows.history.take(rows), self.log.chosen
        wanted = None if chosen is None else chosen[places.items]
        ahead = Ahead(True, config.recency, config.ahead)
        batch = MeanBatch.of(self.log.read(places), ahead, self.device, wanted)
        states, targets = self.module.taste(batch.means(table(batch.items))), batch.targets.numbered(self.number)
        return self.objective(states, lambda items: table(self.candidates[items]), targets), targets.total

    def _reader(self) -> tuple[Floats, Callable[[Longs], Floats]]:
        vectors, deep = super()._reader()
        shares = self.config.shares

        def states(rows: Longs) -> Floats:
            read = faded(self.held.history.take(rows), self.config, len(vectors))
            return shares[DEEP] * deep(rows) + shares[COLLABORATIVE] * tastes(self.module.taste, read, vectors)

        return vectors, states
