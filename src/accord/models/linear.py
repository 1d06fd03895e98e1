"""What all item-to-item models share: a history that is read, and a score that is a weighted sum over it."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self, cast

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array

from accord.core.alone import FewScores
from accord.core.arrays import Bools, Floats, Ints, Longs, Sparse, offsets_of, scrambled, take_index
from accord.core.config import Config
from accord.core.dataset import Dataset
from accord.core.history import History
from accord.core.part import State
from accord.core.queries import CELLS, Eligibility, Queries
from accord.core.roles import Recommender
from accord.core.run import Run
from accord.core.scored import Scored
from accord.core.topk import top_k
from accord.models.placed import Block, Placed, runs, with_items_replaced


class HistoryConfig(Config):
    """How the history is read when a list is asked for; changing it needs no new fit."""

    tau: float = Field(default=math.inf, gt=0)
    """Recency: an event that ``d`` newer ones followed counts ``exp(-d / tau)``; inf: all count alike."""
    last: int = Field(default=200, ge=1)
    """Only the newest so many events are read."""


class HistoryReader(Recommender):
    """What sources share that read the newest events of the history, the newer ones counting more."""

    read_late = frozenset({"tau", "last"})
    reads_order = frozenset({"tau", "last"})
    ordered: Bools
    """``bool[]``: whether the log had an order; without one the place of an event in a history says nothing."""

    def fit(self, data: Dataset, run: Run) -> Self:
        """Learn from the data. Raises ``CannotFit`` where the data lacks what the source needs."""
        self.ordered = np.asarray(data.order != "none")
        return super().fit(data, run)

    def _read(self, history: History) -> tuple[History, Sparse]:
        """The events that are read, and their weights as ``float32[B, n_items]``."""
        kept, tau = self._reading(history)
        return kept, kept.matrix(self.n_items, tau)

    def _reading(self, history: History) -> tuple[History, float]:
        """The events that are read, and how fast they fade."""
        return (history.last(self.config.last), self.config.tau) if self.ordered else (history, math.inf)


class LinearItems(HistoryReader):
    """``score(u, j) = sum over history items i of w_i W[i, j]`` with a learned item-to-item matrix W.

    A subclass learns ``weights``: ``float32[n, n]``, dense or sparse; row i is what having item i says of each other.
    """

    learned = ("weights", "ordered")
    reads_order = frozenset({"tau", "last", "near", "back"})
    edits: ClassVar[Literal["nothing", "columns", "all"]] = "nothing"
    """What of the fitted matrix follows where the content of a fitted item changes."""
    weights: Floats | Sparse
    placed: Placed | None = None
    """Items that came after the fit; ``weights`` is as it was."""

    def fit(self, data: Dataset, run: Run) -> Self:
        """Learn from the data. Raises ``CannotFit`` where the data lacks what the source needs."""
        self.placed = None
        return super().fit(data, run)

    def _scores(self, queries: Queries) -> Floats:
        read = self._read(queries.history)[1]
        if self.placed is None:
            return self._fitted(read)
        n = self.placed.fitted
        late = read[:, n:]
        old = self._fitted(csr_array(read[:, :n]))
        if late.nnz:
            old += (late @ self.placed.rows).toarray()
        return np.concatenate([old, (read @ self.placed.columns).toarray()], axis=1)

    def _alone(self, queries: Queries, rules: Eligibility) -> Scored | None:
        kept, tau = self._reading(queries.history)
        items, weights, _ = kept.newest(self.n_items, tau)
        told = self._told(items, weights)
        return None if told is None else FewScores.under(*told, rules, rules.tie_keys)

    def _told(self, items: Ints, weights: Floats) -> tuple[Longs, Floats] | None:
        """Item numbers, ascending, and scores that are not zero, for one history; None: too many, or all."""
        matrix = self.__dict__.get("weights")
        if not isinstance(matrix, csr_array):
            return None
        parts = (
            [entries_of(matrix, items, weights)]
            if self.placed is None
            else self._told_of_placed(matrix, items, weights)
        )
        if sum(len(columns) for columns, _ in parts) * FEW > self.n_items:
            return None
        return summed(parts)

    def _told_of_placed(self, matrix: Sparse, items: Ints, weights: Floats) -> list[tuple[Ints, Floats]]:
        placed = cast("Placed", self.placed)
        n = placed.fitted
        old, late = items < n, items >= n
        columns, values = entries_of(placed.columns, items, weights)
        return [
            entries_of(matrix, items[old], weights[old]),
            entries_of(placed.rows, items[late] - n, weights[late]),
            (columns + n, values),
        ]

    def _fitted(self, read: Sparse) -> Floats:
        """``float32[B, n]``, fresh: scores of the n fitted items from what was read of them."""
        product = read @ self.weights
        return product.toarray() if isinstance(product, csr_array) else np.asarray(product)

    def _grow(self, data: Dataset, added: Longs, edited: Longs) -> None:
        n = data.n_items
        placed = (self.placed or Placed.nothing(n - len(added))).with_room(n)
        early, late = edited[edited < placed.fitted], edited[edited >= placed.fitted]
        for items in runs(np.concatenate([late, added]), block_rows(n)):
            block = self._placing(data, items, placed)
            if block is None:
                break
            known = items[0] < n - len(added)
            placed = self._trimmed(placed.with_block(items, block) if known else placed.with_new(items, block))
        self.placed = self._edited(data, early, placed) if len(early) and self.edits != "nothing" else placed

    def _edited(self, data: Dataset, items: Longs, placed: Placed) -> Placed:
        """Put what content now says of fitted items in the place of what it said, in new arrays."""
        for run in runs(items, block_rows(data.n_items)):
            block = self._placing(data, run, placed)
            if block is not None:
                rows = self.edits == "all"
                self.weights = with_items_replaced(cast("Sparse", self.weights), run, block, rows=rows)
                placed = self._trimmed(placed.with_voices(run, block)) if rows else placed
        return placed

    def _placing(self, data: Dataset, items: Longs, placed: Placed) -> Block | None:
        """What content says of some items in a row; None where the source reads none: nothing is known of them then."""
        return None

    def _trimmed(self, placed: Placed) -> Placed:
        """What stays of the columns when new items have had their say in them."""
        return placed

    def state(self) -> State:
        """The learned arrays, and what is known of items that came after the fit."""
        return super().state() | (self.placed.state() if self.placed is not None else {})

    def load_state(self, arrays: State) -> Self:
        """Put back what ``state`` gave. Raises ``ArtefactError`` where an array is missing."""
        super().load_state(arrays)
        self.placed = Placed.of_state(arrays, self.n_items, type(self).__name__)
        return self

    def parts(self, queries: Queries, items: Ints) -> Floats:
        """``float32[B, K, H]``: what each history event adds to each item's score (an older repeat adds nothing)."""
        out = np.zeros((*items.shape, int(queries.history.lengths.max(initial=0))), np.float32)
        for row, places in enumerate(items):
            history = queries.take(np.array([row])).history
            kept, read = self._read(history)
            older = len(history.items) - len(kept.items)
            newest = {int(item): older + place for place, item in enumerate(kept.items)}
            if newest:
                rows = np.array(list(newest))
                parts = read.toarray()[0, rows][:, None] * self._between(rows, np.maximum(places, 0))
                out[row, :, list(newest.values())] = parts
        return out

    def _between(self, rows: Longs, columns: Longs | Ints) -> Floats:
        """``float32[R, C]``: what some items say of others, whether they were fitted or placed."""
        if self.placed is None:
            return self._block(rows, columns)
        n, out = self.placed.fitted, np.zeros((len(rows), len(columns)), np.float32)
        old, near = rows < n, columns < n
        out[np.ix_(old, near)] = self._block(rows[old], columns[near])
        out[np.ix_(~old, near)] = self.placed.rows[rows[~old] - n][:, columns[near]].toarray()
        out[:, ~near] = self.placed.columns[rows][:, columns[~near] - n].toarray()
        return out

    def _block(self, rows: Longs, columns: Longs | Ints) -> Floats:
        """``float32[R, C]``: the given rows and columns of W; a row at a time would take many times longer."""
        if isinstance(self.weights, csr_array):
            return self.weights[rows][:, columns].toarray()
        return self.weights[rows[:, None], columns]


FEW = 16
"""A history that says something of at most one item in so many is summed up entry by entry."""


def entries_of(matrix: Sparse, rows: Ints, weights: Floats) -> tuple[Ints, Floats]:
    """Columns and weighted values of all entries of some rows."""
    index, offsets = take_index(cast("Longs", matrix.indptr), rows)
    return matrix.indices[index], matrix.data[index] * np.repeat(weights, np.diff(offsets))


def summed(parts: list[tuple[Ints, Floats]]) -> tuple[Longs, Floats]:
    """Ascending columns, each once, with the sum of its values."""
    columns = np.concatenate([columns for columns, _ in parts])
    values = np.concatenate([values for _, values in parts])
    order = np.argsort(columns, kind="stable")
    columns = columns[order]
    first = np.ones(len(columns), dtype=bool)
    np.not_equal(columns[1:], columns[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    sums = np.add.reduceat(values[order], starts) if len(starts) else values
    return columns[starts].astype(np.int64), sums.astype(np.float32)


def block_rows(n_columns: int) -> int:
    """How many rows of ``n_columns`` fit one block of bounded size."""
    return max(1, CELLS // max(1, n_columns))


SPARSE = 0.5
"""Blocks with a smaller share of entries are searched entry by entry."""


def keep_largest(block: Floats | Sparse, k: int, first: int = 0) -> Sparse:
    """The ``k`` largest positive entries of each row, as a sparse matrix.

    Which of equal entries stay at the cut is drawn at random, the same way every time: their numbers are no signal.
    ``first`` is the number of the block's first row, so that the draw does not depend on how blocks are cut.
    """
    n_rows, n = cast("tuple[int, int]", block.shape)
    if isinstance(block, csr_array):
        if block.nnz < SPARSE * n_rows * n:
            return _largest_entries(block, k, first)
        block = cast("Floats", block.toarray())
    if (np.count_nonzero(block > 0, axis=1) < k).any():  # zeros at the cut would be drawn, one row at a time
        block = np.where(block > 0, block, np.float32(-np.inf))
    picked, values = top_k(block.astype(np.float32, copy=False), k, np.arange(first, first + n_rows))
    rows, places = np.nonzero(values > 0)
    return csr_array((values[rows, places], (rows, picked[rows, places])), shape=(n_rows, n))


def _largest_entries(block: Sparse, k: int, first: int) -> Sparse:
    """As ``keep_largest``; only rows where more than ``k`` entries reach the k-th largest must be sorted."""
    block = _reaching(block, k)
    lengths = np.diff(block.indptr)
    crowded = lengths > k
    if not crowded.any():
        return block
    rows = np.repeat(np.arange(len(lengths)), lengths)
    keep = ~crowded[rows]
    tied = np.flatnonzero(~keep)
    drawn = scrambled(block.indices[tied], cast("np.uint32", (rows[tied] + first).astype(np.uint32)))  # as in top_k
    order = np.lexsort((drawn, -block.data[tied], rows[tied]))
    rank = np.arange(len(order)) - np.repeat(offsets_of(lengths[crowded])[:-1], lengths[crowded])
    keep[tied[order[rank < k]]] = True
    return _entries(block, rows, keep)


def _reaching(block: Sparse, k: int) -> Sparse:
    """Only the positive entries that reach the k-th largest of their row: few are left to be sorted."""
    bounds = np.zeros(block.shape[0], np.float32)
    for row in np.flatnonzero(np.diff(block.indptr) > k).tolist():
        values = block.data[block.indptr[row] : block.indptr[row + 1]]
        bounds[row] = np.partition(values, len(values) - k)[len(values) - k]
    rows = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
    return _entries(block, rows, (block.data > 0) & (block.data >= bounds[rows]))


def _entries(block: Sparse, rows: Longs, keep: Bools) -> Sparse:
    """Some entries of a matrix; ``rows`` holds the row of each."""
    offsets = offsets_of(np.bincount(rows[keep], minlength=block.shape[0]))
    values, columns = block.data[keep].astype(np.float32, copy=False), block.indices[keep].astype(np.int32, copy=False)
    short = offsets.astype(np.int32) if len(values) < np.iinfo(np.int32).max else offsets  # 8 bytes an entry, not 12
    return csr_array((values, columns, short), shape=block.shape)
