"""Bridge: an item that nobody has touched borrows what is known of its neighbours by content."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field
from scipy.sparse import csr_array, diags_array, vstack

from accord.core.arrays import Bools, Floats, Longs, Matrix, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.models.content import nearest, without_self
from accord.models.content_rows import unit_rows
from accord.models.cosines import Lengths
from accord.models.item_knn import Neighbourhood, similarities
from accord.models.linear import LinearItems, keep_largest
from accord.models.placed import Block, Placed, resized
from accord.models.shared import shared

BLOCK_ENTRIES = 4_000_000
"""The most borrowed entries that are worked out at a time."""


class BridgeConfig(Neighbourhood):
    """Content neighbours, and the collaborative rows they lend."""

    column: str = "tfidf"
    """The encoded item column."""
    centre: bool = False
    """Take the mean content vector away first (dense columns only)."""
    neighbours: int = Field(default=10, ge=1)
    """How many touched items each item borrows from."""
    power: float = Field(default=1.0, gt=0)
    """Cosines are raised to this power: the higher, the more the nearest neighbours count."""
    own: float = Field(default=5.0, gt=0)
    """An item with k events keeps ``k / (k + own)`` of its own rows and borrows the rest."""
    entries: int = Field(default=1_000, ge=1)
    """How many items may speak for each item at most: the largest entries of each column are kept."""


class Bridge(LinearItems):
    """Item-kNN whose column j is mixed from item j's own similarities and those of its content neighbours.

    ``W[:, j] = a_j S[:, j] + (1 - a_j) c sum_n T[j, n] S[:, n]`` with ``a_j = k_j / (k_j + own)``; T holds the
    row-normalised cosines with touched items. The scale c makes the borrowed columns of items with about five events as
    long as their own (median), so that a new item is neither drowned nor lifted by its length.
    """

    Config = BridgeConfig
    evidence = "behaviour around like content"
    edits = "columns"
    learned_lately = ("lenders", "alike", "scale")
    lenders: Bools | None = None
    """``bool[n]``: the items that lend, those with events at the fit."""
    alike: Sparse | None = None
    """``float32[n, n]``: S."""
    scale: Floats | None = None
    """``float32[]``: c."""
    _lengths: Lengths | None = None
    _own: Sparse | None = None
    """What growing works out once, for the items that come next."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The encoded item column."""
        return (self.config.column,)

    def _fit(self, data: Dataset, run: Run) -> None:
        column = data.vector(self.config.column)
        fields = self.config.model_dump(exclude=set(self.read_late))
        settings = ("bridge", data.order, *fields.values())
        self._kept = shared([data.events, column], settings, lambda: _mixed(data, column, self.config))
        self.weights, self.alike, self.scale = self._kept.weights, self._kept.alike, np.asarray(self._kept.scale)
        self.lenders, self._lengths, self._own = data.item_counts > 0, None, None

    def _placing(self, data: Dataset, items: Longs, placed: Placed) -> Block | None:
        if self.lenders is None or self.alike is None or self.scale is None:
            return None
        config, n = self.config, placed.fitted
        column = data.vector(config.column)
        self._lengths = Lengths.kept(self._lengths, column, items, centre=config.centre, over=n)
        self._own = csr_array(self.alike.T) if self._own is None else self._own
        lent = np.pad(self.lenders, (0, data.n_items - n))
        cosines = without_self(_only(self._lengths.cosines(column, items), lent), int(items[0]))
        found = csr_array(keep_largest(cosines, config.neighbours, int(items[0]))[:, :n])
        own = self._own
        counts = np.where(items < n, data.item_counts[items], 0)
        share = (counts / (counts + config.own)).astype(np.float32)
        borrowed = ((1 - share) * self.scale).astype(np.float32)
        mixed = csr_array(diags_array(borrowed) @ (_row_normalised(found, config.power) @ own))
        if counts.any():
            mixed = csr_array(mixed + diags_array(share) @ own[np.minimum(items, n - 1)])
        largest = keep_largest(without_self(mixed, int(items[0])), config.entries, int(items[0]))
        return Block.of(resized(largest, len(items), data.n_items).T)


@dataclass(frozen=True)
class Mixed:
    """What several bridges learn alike."""

    weights: Sparse
    alike: Sparse
    """S of the class's docstring."""
    scale: np.float32
    """c."""


def _mixed(data: Dataset, column: Matrix, config: BridgeConfig) -> Mixed:
    """Own and borrowed columns mixed, worked out as rows of the transpose in bounded blocks."""
    counts = data.item_counts
    if not counts.any():
        raise CannotFit("there is no event to borrow from")
    vectors = unit_rows(column, centre=config.centre)
    alike = similarities(data, config)
    own = csr_array(alike.T)
    touched = np.flatnonzero(counts).astype(np.int32)
    found = nearest(vectors, vectors, config.neighbours, exclude_self=True, eligible=touched)
    lenders = _row_normalised(found, config.power)
    share = (counts / (counts + config.own)).astype(np.float32)
    scale = _calibration(own, lenders, counts)
    lent = ((1 - share) * scale).astype(np.float32)
    step, blocks = max(1, BLOCK_ENTRIES // (config.neighbours * config.k)), list[Sparse]()
    for start in range(0, len(counts), step):
        rows = slice(start, start + step)
        mixed = csr_array(diags_array(share[rows]) @ own[rows] + diags_array(lent[rows]) @ (lenders[rows] @ own))
        blocks.append(keep_largest(without_self(mixed, start), config.entries, start))
    stacked = csr_array(vstack(blocks, format="csr"))
    blocks.clear()  # large catalogues: the blocks, their stack and its transpose need not lie in memory together
    return Mixed(csr_array(stacked.T), alike, scale)


def _only(cosines: Matrix, columns: Bools) -> Matrix:
    """Cosines in some columns, 0 in the others; in place."""
    if isinstance(cosines, csr_array):
        cosines.data[~columns[cosines.indices]] = 0
    else:
        cosines[:, ~columns] = 0
    return cosines


def _row_normalised(cosines: Sparse, power: float) -> Sparse:
    powered = csr_array((cosines.data**power, cosines.indices, cosines.indptr), shape=cosines.shape)
    sums = np.asarray(powered.sum(axis=1))
    return csr_array(diags_array(1 / np.maximum(sums, 1e-9)) @ powered)


def _calibration(own: Sparse, lenders: Sparse, counts: Longs) -> np.float32:
    """What borrowed rows must be multiplied with to be as long as the own ones, on items with about 5 events."""
    known = np.flatnonzero((counts >= 3) & (counts <= 8))
    parts = [_row_norms(csr_array(lenders[rows] @ own)) for rows in np.array_split(known, 1 + len(known) // 1_000)]
    mine, theirs = _row_norms(own[known]), np.concatenate(parts)
    both = (mine > 0) & (theirs > 0)
    return np.float32(np.median(mine[both] / theirs[both])) if both.any() else np.float32(1.0)


def _row_norms(matrix: Sparse) -> Floats:
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1))).astype(np.float32)
