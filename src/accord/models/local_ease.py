"""Local EASE: the ridge regression of each item on its own neighbours only, for catalogues of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from pydantic import Field
from scipy.linalg import lapack
from scipy.sparse import csr_array, diags_array, vstack

from accord.core.arrays import Doubles, Floats, Ints, Longs, Matrix, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.models.content import without_self
from accord.models.linear import HistoryConfig, LinearItems, block_rows, keep_largest
from accord.models.memory import dense_fits
from accord.models.placed import Block, Placed, resized
from accord.models.shared import shared

COMMON = 2_000
"""A word or attribute of more items than this tells hardly anything of each, and would cost the square of its items."""


class LocalEaseConfig(HistoryConfig):
    """Regularisation, side information, and how far an item looks."""

    reg: float = Field(default=100.0, gt=0)
    """Added to the diagonal of the Gram matrix."""
    side: dict[str, float] = Field(default_factory=dict[str, float])
    """Weights of item columns (attributes, text vectors) stacked as further rows under the users; a column that the
    data lacks is left out, and so is a word or attribute that more than 2,000 items have."""
    neighbours: int = Field(default=100, ge=1)
    """How many other items each item is regressed on: those of the highest cosine."""
    entries: int = Field(default=300, ge=1)
    """How many entries of each row of the Gram matrix are kept; the others count as 0 in all regressions."""
    min_items: int = Field(default=0, ge=0)
    """Refused up to so many items where dense matrices fit the memory: there ``ease`` is exact. 0: never refused."""


class LocalEase(LinearItems):
    """``W[N, j] = (G[N, N] + reg I)^-1 G[N, j]`` for the neighbours N of item j, ``G = X'X + sum_s w_s^2 F_s F_s'``.

    With all items as neighbours this is EASE (Steck, WWW 2019). Feature selection by neighbourhood is Ning and Karypis,
    "SLIM: Sparse Linear Methods for Top-N Recommender Systems", ICDM 2011 (fsSLIM). The time grows with
    ``n neighbours^3``, the memory with ``n (neighbours + entries)``; nothing dense is formed over all items.
    """

    Config = LocalEaseConfig
    learned_lately = ("rests",)
    rests: Doubles | None = None
    """``float64[n]``: what the regression of each item leaves of its diagonal, reg included."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The side columns."""
        return tuple(self.config.side)

    def _fit(self, data: Dataset, run: Run) -> None:
        config = self.config
        if data.n_items <= config.min_items and dense_fits(data.n_items, copies=2):
            raise CannotFit(f"{data.n_items:,} items fit a dense inverse, which is exact", remedy="Use ease.")
        columns = [data.vectors[name] for name in config.side if name in data.vectors]
        fields = config.model_dump(exclude={"tau", "last", "min_items", "side"})
        settings = ("local ease", *fields.values(), *config.side.items(), data.n_users, data.n_items)
        self._kept = shared([data.events, *columns], settings, lambda: _learned(data, config))
        self.weights, self.rests = self._kept.weights, self._kept.rests

    def _placing(self, data: Dataset, items: Longs, placed: Placed) -> Block | None:
        rows = _rows(data, self.config, placed.fitted)
        if len(rows) == 1 or self.rests is None:
            return None
        norms = _norms(rows)
        others = [_across(cast("Matrix", matrix[: placed.fitted])) for matrix, _ in rows]
        products: list[Any] = [csr_array(w * (m[items] @ other)) for (m, w), other in zip(rows, others, strict=True)]
        total: Any = sum(products[1:], products[0])
        gram = csr_array(total)
        cosines = csr_array(gram @ diags_array(1 / np.maximum(norms[: placed.fitted], 1e-9)))
        nearest = keep_largest(keep_largest(cosines, self.config.entries, int(items[0])), self.config.neighbours)
        columns, voices = nearest.copy(), nearest.copy()
        for row, item in enumerate(items.tolist()):
            part = slice(nearest.indptr[row], nearest.indptr[row + 1])
            near = nearest.indices[part]
            target = gram[[row]][:, near].toarray()[0].astype(np.float64)
            among = _gram_among(rows, near)
            among[np.diag_indices_from(among)] += self.config.reg
            solution = np.linalg.solve(among, target)
            columns.data[part] = solution
            voices.data[part] = solution * self.rests[near] / (norms[item] ** 2 + self.config.reg - target @ solution)
        shape = len(items), data.n_items
        return Block.of(resized(columns, *shape).T, resized(voices, *shape))


@dataclass(frozen=True)
class Learned:
    """What several sources of one configuration learn alike."""

    weights: Sparse
    rests: Doubles


def _rows(data: Dataset, config: LocalEaseConfig, n: int) -> list[tuple[Matrix, float]]:
    """Everything stacked, items down, with squared weights; the first ``n`` items say which words are common."""
    side = [(name, weight) for name, weight in config.side.items() if name in data.vectors]
    return [(csr_array(data.matrix.T), 1.0), *((_telling(data.vectors[name], n), weight**2) for name, weight in side)]


def _gram_among(rows: list[tuple[Matrix, float]], items: Ints) -> Doubles:
    """``float64[m, m]``: products of a few items."""
    total = np.zeros((len(items), len(items)))
    for matrix, weight in rows:
        part: Any = matrix[items]
        product = part @ part.T
        total += weight * (product.toarray() if isinstance(product, csr_array) else product)
    return total


def _learned(data: Dataset, config: LocalEaseConfig) -> Learned:
    """Column j holds what each neighbour says of item j."""
    rows = _rows(data, config, data.n_items)
    norms = _norms(rows)
    blocks, rest = zip(*_gram(rows, norms, config.entries), strict=True)
    gram = csr_array(vstack(blocks, format="csr"))
    solver = _Regressions(gram, norms**2 + config.reg, np.concatenate(rest))
    nearest = keep_largest(csr_array(gram @ diags_array(1 / np.maximum(norms, 1e-9))), config.neighbours)
    columns, offsets = nearest.indices, nearest.indptr
    solved = [solver.solve(item, columns[offsets[item] : offsets[item + 1]]) for item in range(data.n_items)]
    values = np.concatenate([weights for weights, _ in solved]) if solved else np.empty(0, np.float32)
    weights = csr_array(csr_array((values, columns, offsets), shape=nearest.shape).T)
    return Learned(weights, norms**2 + config.reg - np.array([explained for _, explained in solved]))


def _telling(column: Matrix, n: int) -> Matrix:
    """A sparse column without the features that more than ``COMMON`` items have; a dense one as it is."""
    if not isinstance(column, csr_array):
        return column
    counts = np.bincount(column.indices[: column.indptr[n]], minlength=column.shape[1])
    return csr_array(column[:, counts <= COMMON])


def _norms(rows: list[tuple[Matrix, float]]) -> Doubles:
    """``float64[n]``: the length of each item over all stacked rows; its square is the diagonal of the Gram matrix."""
    squares = [weight * np.asarray(_squared(matrix).sum(axis=1), np.float64) for matrix, weight in rows]
    return np.sqrt(np.sum(squares, axis=0))


def _squared(matrix: Matrix) -> Any:
    return matrix.multiply(matrix) if isinstance(matrix, csr_array) else matrix * matrix


def _gram(rows: list[tuple[Matrix, float]], norms: Doubles, entries: int) -> Iterator[tuple[Sparse, Doubles]]:
    """Blocks of rows of the Gram matrix without its diagonal: entries of the highest cosine, and the others' sum."""
    n, scale = len(norms), np.maximum(norms, 1e-9).astype(np.float32)
    others = [_across(matrix) for matrix, _ in rows]
    for start in range(0, n, block_rows(n)):
        part = slice(start, min(start + block_rows(n), n))
        products: Any = [
            csr_array(weight * (matrix[part] @ other)) for (matrix, weight), other in zip(rows, others, strict=True)
        ]
        total: Any = sum(products[1:], products[0])
        block = csr_array(without_self(total, start))
        cosines = keep_largest(csr_array(block @ diags_array(1 / scale)), entries, start)
        kept = csr_array(cosines @ diags_array(scale))
        yield kept.astype(np.float32), np.maximum(np.asarray(block.sum(axis=1) - kept.sum(axis=1)), 0)


def _across(matrix: Matrix) -> Matrix:
    """The transpose, ready to be multiplied from the left."""
    return csr_array(matrix.T) if isinstance(matrix, csr_array) else np.asarray(matrix.T)


class _Regressions:
    """Solves one small ridge regression an item."""

    def __init__(self, gram: Sparse, diagonal: Doubles, rest: Doubles) -> None:
        self.columns, self.values = _padded(gram)
        self.diagonal = diagonal
        self.rest = rest / np.sqrt(max(float(rest.sum()), 1e-9))
        """An entry that was left out is taken for ``rest_a rest_b / sum(rest)``: independence, given the row sums."""
        self.place = np.full(len(diagonal) + 1, -1, np.int32)
        """Where an item stands among the neighbours at hand; -1: it is none, and the last place stands for no item."""

    def solve(self, item: int, neighbours: Ints) -> tuple[Floats, float]:
        """``float32[m]``: the weights of the item's neighbours, which are entries of its row; and what they explain."""
        m = len(neighbours)
        if not m:
            return np.empty(0, np.float32), 0.0
        self.place[neighbours] = np.arange(m, dtype=np.int32)
        matrix = self._among(neighbours)
        target = np.zeros(m + 1)
        target[self.place[self.columns[item]]] = self.values[item]  # all that are no neighbours fall on the last place
        self.place[neighbours] = -1
        known = target[:m].copy()
        _, solution, failed = lapack.dposv(matrix, known, lower=1)
        # Entries that were left out can make the block indefinite: then each neighbour speaks for itself.
        weights = known / matrix.diagonal() if failed else solution
        return weights.astype(np.float32), 0.0 if failed else float(known @ solution)

    def _among(self, neighbours: Ints) -> Doubles:
        """``float64[m, m]``: the Gram matrix of the neighbours, with the regularised diagonal."""
        m = len(neighbours)
        places = self.place[self.columns[neighbours]].ravel()
        inside = np.flatnonzero(places >= 0)
        rows, columns = inside // self.columns.shape[1], places[inside]
        values = self.values[neighbours].ravel()[inside]
        rest = self.rest[neighbours]
        matrix = rest[:, None] * rest
        matrix[rows, columns] = values
        matrix[columns, rows] = values  # an entry that only one of its two rows kept counts in both
        matrix.ravel()[:: m + 1] = self.diagonal[neighbours]
        return matrix


def _padded(matrix: Sparse) -> tuple[Ints, Floats]:
    """Columns and values of the rows of ``matrix`` as arrays ``[n, longest row]``; column n stands for no entry."""
    lengths = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    places = np.arange(len(rows)) - np.repeat(matrix.indptr[:-1], lengths)
    columns = np.full((len(lengths), max(1, int(lengths.max(initial=0)))), matrix.shape[1], np.int32)
    values = np.zeros(columns.shape, np.float32)
    columns[rows, places], values[rows, places] = matrix.indices, matrix.data
    return columns, values
