"""What neural sources share: items that are placed by their content, and a task of picking items."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Self, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from accord.core.arrays import Bools, Floats, Longs
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.part import State, prefixed, under
from accord.core.queries import CELLS
from accord.core.roles import Recommender
from accord.core.run import Run
from accord.learn.judged import ndcg_at_10
from accord.learn.objective import Objective
from accord.learn.training import Trained
from accord.models.item_table import ItemTable, projected
from accord.models.sequences import Held
from accord.models.vectors import VectorSource

CONTENT = "content/"
Array = TypeVar("Array", bound=NDArray[Any])


class TableSource(Recommender, ABC):
    """A source whose items begin in an ``ItemTable``; its configuration has ``dim``, ``item``, ``columns``, ``bound``.

    A subclass keeps ``content`` of the trained table, and writes ``_place``.
    """

    placed: Bools
    """``bool[n]``: items that have a vector."""
    met: Bools
    """``bool[n]``: items whose vector is more than what their content says; it stays until the next fit."""
    content: State
    """What turns content into vectors, by ``column.array``; nothing where only ids are read."""
    trained: Trained | None = None
    """How the training went; not saved."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The encoded item columns that are read."""
        return self.config.columns

    def _table(self, data: Dataset, known: Bools, run: Run, parts: int = 1) -> ItemTable:
        """Untrained vectors of items, ``parts`` times as long as ``dim``; ``known``: ``bool[n]``, those with an own.

        Columns that the data lacks are left out, and that is said; where none is left only ids are read. Raises
        ``CannotFit`` where items are their content and there is none.
        """
        config = self.config
        missing = [name for name in config.columns if name not in data.vectors]
        if missing:
            kind = type(self).__name__
            run.progress.note(f"{kind} does without the item columns {', '.join(missing)}: they are not there")
        columns = {name: data.vectors[name] for name in config.columns if name not in missing}
        if missing and config.item == "content" and not columns:
            raise CannotFit(f"there are no item columns {', '.join(missing)}", value=sorted(data.vectors))
        return ItemTable(known, parts * config.dim, config.item if columns else "id", columns, config.bound)

    @property
    def _told_by(self) -> list[str]:
        """The columns that the trained table reads."""
        return [name for name in self.reads if f"{name}.weight" in self.content]

    def _grow(self, data: Dataset, added: Longs, edited: Longs) -> None:
        told_by = self._told_by
        if not told_by:
            super()._grow(data, added, edited)
            return
        items = np.concatenate([edited[~self.met[edited]], added])
        first = projected(self.content, {name: data.vector(name)[items] for name in told_by})
        self.met = placed_at(self.met, added, np.zeros(len(added), dtype=bool))
        self.placed = placed_at(self.placed, items, np.any(first != 0, axis=1))
        self._place(items, first)

    @abstractmethod
    def _place(self, items: Longs, first: Floats) -> None:
        """Give items of this copy other vectors, in new arrays; those that are new come last.

        ``first``: ``float32[m, dim]``, what the table says of them.
        """

    def state(self) -> State:
        """The learned arrays, and what reads content."""
        return super().state() | prefixed(CONTENT, self.content)

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave; an item that has a vector keeps it where an earlier version saved no ``met``.

        Raises ``ArtefactError`` where an array is missing.
        """
        super().load_state({name: arrays["placed"] for name in ("met",) if "placed" in arrays} | arrays)
        self.content = under(arrays, CONTENT)
        return self


def placed_at(values: Array, items: Longs, rows: Array) -> Array:
    """A copy with other rows at some places, of which the last may be new ones."""
    out = np.zeros((max(len(values), int(items.max(initial=-1)) + 1), *values.shape[1:]), values.dtype)
    out[: len(values)], out[items] = values, rows
    return cast("Array", out)


class NeuralSource(TableSource, VectorSource):
    """Such a source whose score is the product of a vector of the query and one of the item."""


class PickByScore(ABC):
    """A task for the training loop whose loss picks some of the items with events; judged by what was held back.

    A subclass writes ``batches`` and ``loss``, and ``_scorer``.
    """

    module: Any

    def __init__(self, module: nn.Module, config: Any, held: Held, known: Bools, counts: Longs) -> None:
        """``known``: ``bool[n]``, the candidates; ``counts``: ``int64[n]``, how often each comes up."""
        self.module, self.config, self.held = module, config, held
        self.device = next(module.parameters()).device
        self.unknown = np.flatnonzero(~known)
        self.candidates = torch.from_numpy(np.flatnonzero(known)).to(self.device)
        self.number = torch.from_numpy(np.cumsum(known) - 1).to(self.device)
        """``int64[n]``: the place of each item among the candidates."""
        often = torch.from_numpy(counts[known].astype(np.float32))
        # negatives are drawn from torch's own generator, which the loop seeds, and sets again after a kill
        self.objective = Objective(config, often, torch.default_generator)

    @abstractmethod
    def _scorer(self) -> Callable[[Longs], Floats]:
        """What gives rows of ``held`` scores of all items as they are now, fresh: ``float32[b, n]``."""

    def judge(self) -> float:
        """Mean NDCG@10 of the events held back, among items with events that the person has not met."""
        return ndcg_at_10(self._scores(), self.held.items)

    def _scores(self) -> Iterator[Floats]:
        score = self._scorer()
        history, step = self.held.history, max(1, CELLS // len(self.number))
        for start in range(0, len(history), step):
            rows = np.arange(start, min(start + step, len(history)))
            part, scores = history.take(rows), score(rows)
            scores[part.rows, part.items] = scores[:, self.unknown] = -np.inf
            yield scores


class PickItems(PickByScore):
    """Such a task whose scores are products of vectors; a subclass writes ``_reader`` in place of ``_scorer``."""

    def _table(self) -> Callable[[Tensor], Tensor]:
        """What turns numbers of items with events into vectors; made once a batch where the loss is over all items."""
        if self.objective.kind != "softmax":
            return self.module.table
        every = self.module.table(self.candidates)
        return lambda items: every[self.number[items]]

    @abstractmethod
    def _reader(self) -> tuple[Floats, Callable[[Longs], Floats]]:
        """Vectors of all items as they are now, ``float32[n, dim]``, and what turns rows of ``held`` into states."""

    def _scorer(self) -> Callable[[Longs], Floats]:
        vectors, states = self._reader()
        return lambda rows: states(rows) @ vectors.T
