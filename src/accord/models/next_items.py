"""What a sequence model is trained on: the items that come next, and what else its heads are to say of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from accord.core.arrays import Bools, Floats, Longs
from accord.learn.balance import Balance
from accord.learn.packed import Packed
from accord.models.features import UNKNOWN
from accord.models.item_table import ItemTable
from accord.models.logged import Cut, Log
from accord.models.neural import PickItems
from accord.models.reader import Reader
from accord.models.sequences import Batch, Windows, inputs_of, ranges
from accord.models.tasks import CLICK, LEARNED, NEXT, RATING
from accord.models.told import Told, tensor


class Net(nn.Module):
    """What is trained together: the item table, the reader of sequences, and the heads with what each counts."""

    def __init__(self, table: ItemTable, reader: Reader, heads: nn.ModuleDict, balance: Balance) -> None:
        super().__init__()
        self.table, self.reader, self.heads, self.balance = table, reader, heads, balance


def net_of(table: ItemTable, reader: Reader, heads: nn.ModuleDict, counts: Mapping[str, float], tasks: Any) -> Net:
    """A net whose tasks count as a configuration says."""
    return Net(table, reader, heads, Balance(counts, learned=tasks == LEARNED))


class NextItems(PickItems):
    """The task: which items come next, among all items with events; and the tasks of the heads beside it."""

    def __init__(self, net: Net, config: Any, windows: Windows, log: Log, cut: Cut, known: Bools) -> None:
        """``windows``: of rows of the log."""
        counts = np.bincount(log.items[windows.history.items], minlength=len(known))
        super().__init__(net, config, cut.held, known, counts)
        self.windows, self.log, self.cut = windows, log, cut

    def batches(self, rng: np.random.Generator) -> Sequence[Longs]:
        """The rows of each batch."""
        return self.windows.shuffled(rng, self.config.batch)

    def loss(self, rows: Longs) -> tuple[Tensor, Tensor]:
        """The sum of the losses of a batch, and the sum of their weights."""
        net, table = self.module, self._table()
        batch, asked, hidden = self._batch(rows)
        told = self._forgetful(batch.told, batch.packed)
        states = net.reader(table(batch.items), told, batch.packed, hidden)
        states = net.reader.asking(states if hidden is None else states[hidden], self._classes(asked))
        targets = batch.targets.numbered(self.number)
        following = self.objective(states, lambda items: table(self.candidates[items]), targets), targets.total
        return net.balance({NEXT: following, **self._told(states, table, asked)}) if net.heads else following

    def _batch(self, rows: Longs) -> tuple[Batch, Longs, Tensor | None]:
        """Some windows, the row of the log that each state is to say something of, and which events are hidden."""
        config, chosen = self.config, self.log.chosen
        places = self.windows.history.take(rows)
        window = self.log.read(places)
        if config.mode == "causal":
            wanted = None if chosen is None else chosen[places.items]
            batch = Batch.of(window, config.ahead, config.tau, self.device, wanted)
            return batch, places.items[ranges(places.offsets[:-1] + 1, places.offsets[1:])].astype(np.int64), None
        batch, hidden = Batch.masked(window, config.masking, self.device)
        own = places.items[hidden.cpu().numpy()]
        if chosen is not None:
            batch = batch.counting(tensor(chosen[own].astype(np.float32), self.device))
        return batch, own.astype(np.int64), hidden

    def _forgetful(self, told: Told, packed: Packed) -> Told:
        """Kinds and values of some rows are not told, so that histories without any can be read."""
        if not self.module.reader.reads_told:
            return told
        return told.without((torch.rand(len(packed.lengths), device=self.device) < self.config.unknown)[packed.rows])

    def _classes(self, asked: Longs) -> Tensor:
        """``int64[M, F]``: the circumstances of some rows of the log, some of them not told."""
        classes = tensor(self.log.classes[asked], self.device)
        if not classes.shape[1]:
            return classes
        return classes.masked_fill(torch.rand(classes.shape, device=self.device) < self.config.unknown, UNKNOWN)

    def _told(
        self, states: Tensor, table: Callable[[Tensor], Tensor], asked: Longs
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """The losses of the heads, and their weights."""
        items = tensor(self.log.items[asked].astype(np.int64), self.device)
        said = {name: head(states, table(items), items) for name, head in self.module.heads.items()}
        losses = dict[str, tuple[Tensor, Tensor]]()
        if RATING in said and self.log.marks is not None:
            marks = tensor(self.log.marks[asked], self.device)
            losses[RATING] = self.module.heads[RATING].squared(said[RATING], marks)
        if CLICK in said and self.log.chosen is not None:
            chosen = tensor(self.log.chosen[asked].astype(np.float32), self.device)
            losses[CLICK] = self.module.heads[CLICK].crossed(said[CLICK], chosen)
        return losses

    def _reader(self) -> tuple[Floats, Callable[[Longs], Floats]]:
        reader = self.module.reader
        vectors: Tensor = self.module.table(torch.arange(len(self.number), device=self.device))

        def states(rows: Longs) -> Floats:
            packed, items, told = inputs_of(self.held.history.take(rows).last(self.config.last), self.device)
            classes = tensor(self.log.classes[self.cut.held_rows[rows]], self.device)
            return reader.asking(reader.last(vectors[items], told, packed), classes).cpu().numpy()

        return vectors.cpu().numpy(), states
