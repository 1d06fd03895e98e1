"""Ridge bridge: what is known of an item by behaviour, predicted from its content by kernel ridge regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from pydantic import Field, NonNegativeFloat
from scipy.sparse import csr_array, diags_array, vstack

from accord.core.arrays import Bools, Floats, Longs, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.run import Run
from accord.models.content import without_self
from accord.models.ease import regression_weights
from accord.models.gram import add_product, by_item
from accord.models.item_knn import Neighbourhood, similarities
from accord.models.kernel import Kernel
from accord.models.kernel_ridge import Dual, Predictor, Primal, mixing
from accord.models.linear import LinearItems, keep_largest
from accord.models.memory import MOST_ITEMS, check_dense
from accord.models.placed import Block, Placed, resized
from accord.models.shared import shared

FEW = (3, 8)
"""Borrowed columns are made as long as the own ones of items with so many events."""
ENOUGH = 10
"""Where fewer items have so many events, the twentieth of the items with the fewest takes their place."""
NARROW = 1_024
"""Up to so many dimensions the regression is solved by dimension, without a matrix of items by items."""


class BridgeRidgeConfig(Neighbourhood):
    """Content kernels, and the collaborative columns that are predicted from them."""

    columns: dict[str, NonNegativeFloat] = Field(default_factory=lambda: {"tfidf": 1.0})
    """Encoded item columns and the weights of their cosines in the kernel; a column that the data lacks is left out."""
    centre: bool = True
    """Take the mean vector of dense columns away first."""
    teacher: Literal["item_knn", "ease"] = "item_knn"
    """What is predicted: the similarities of item-kNN, or the k largest weights of each column of EASE."""
    teacher_reg: float = Field(default=100.0, gt=0)
    """The ``reg`` of EASE (teacher ``ease``)."""
    reg: float = Field(default=1.0, gt=0)
    """Added to the diagonal of the kernel, whose own diagonal is the sum of the columns' weights."""
    own: float = Field(default=5.0, gt=0)
    """An item with k events keeps ``k / (k + own)`` of its own column and borrows the rest."""
    entries: int = Field(default=1_000, ge=1)
    """How many items may speak for each item at most: the largest entries of each column are kept."""
    max_items: int = Field(default=MOST_ITEMS, ge=1)
    """With more touched items than this it is refused: time grows with their number squared times the dimensions, or
    cubed where a dense inverse is needed (refused too where its 8 n^2 bytes do not fit)."""


class BridgeRidge(LinearItems):
    """A teacher's matrix whose column j is mixed from item j's own column and the one that its content predicts.

    ``W[:, j] = a_j S[:, j] + (1 - a_j) c S H[:, j]`` with ``a_j = k_j / (k_j + own)`` and S the weights of the
    teacher. H is kernel ridge regression over the touched items: ``(K + reg I)^-1 K[:, j]`` with K the weighted sum of
    the columns' cosines; a touched item is predicted by the others (see ``kernel_ridge.Predictor``). The scale c makes
    the borrowed columns of items with about five events as long as their own (median). Saunders, Gammerman and Vovk,
    "Ridge Regression Learning Algorithm in Dual Variables", ICML 1998.
    """

    Config = BridgeRidgeConfig
    evidence = "behaviour that content predicts"
    edits = "columns"
    learned_lately = ("lenders", "coefficients", "taught", "scale")
    lenders: Bools | None = None
    """``bool[n]``: the items that the regression learned from, those with events at the fit."""
    coefficients: Floats | None = None
    """``float32[dim, n]``: what makes columns of features, where it was solved by dimension; else without rows."""
    taught: Sparse | None = None
    """``float32[n, n]``: S, where it was solved by item."""
    scale: Floats | None = None
    """``float32[]``: c."""
    _means: dict[str, Floats] | None = None
    """The means of the columns, once growing has worked them out."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of the kernel."""
        return tuple(name for name, weight in self.config.columns.items() if weight)

    def _fit(self, data: Dataset, run: Run) -> None:
        names = [name for name, weight in self.config.columns.items() if weight and name in data.vectors]
        if not names:
            raise CannotFit("there is none of the item columns", value=list(self.config.columns))
        if not data.item_counts.any():
            raise CannotFit("there is no event to borrow from")
        inputs = [data.events, *(data.vectors[name] for name in names)]
        fields = self.config.model_dump(exclude={*self.read_late, "columns"})
        settings = ("bridge_ridge", data.order, *self.config.columns.items(), *fields.values())
        self._kept = shared(inputs, settings, lambda: _mixed(data, self.config))
        self.weights, self.coefficients = self._kept.weights, self._kept.coefficients
        self.taught, self.scale = self._kept.taught, np.asarray(self._kept.scale)
        self.lenders, self._means = data.item_counts > 0, None

    def _edited(self, data: Dataset, items: Longs, placed: Placed) -> Placed:
        """Items with events wait for the next fit: what their content says is mixed with their own columns."""
        none = np.zeros(0, dtype=bool) if self.lenders is None else self.lenders
        return super()._edited(data, items[~none[items]] if len(none) else items[:0], placed)

    def _placing(self, data: Dataset, items: Longs, placed: Placed) -> Block | None:
        if self.coefficients is None or self.lenders is None or self.scale is None:
            return None
        config, n = self.config, placed.fitted
        self._means = self._means or {}
        if len(self.coefficients):
            kernel = Kernel.of(data, config.columns, centre=config.centre, over=n, rows=items, means=self._means)
            borrowed = kernel.features() @ self.coefficients
        else:
            kernel = Kernel.of(data, config.columns, centre=config.centre, over=n)
            touched = np.flatnonzero(self.lenders)
            lent = cast("Sparse", self.taught)[:, touched]
            borrowed = np.ascontiguousarray((lent @ mixing(kernel, touched, items, config.reg)).T)
        best = keep_largest(borrowed * self.scale, config.entries, int(items[0]))
        return Block.of(resized(best, len(items), data.n_items).T)


@dataclass(frozen=True)
class Mixed:
    """What several bridges learn alike."""

    weights: Sparse
    coefficients: Floats
    taught: Sparse | None
    scale: np.float32


def _mixed(data: Dataset, config: BridgeRidgeConfig) -> Mixed:
    """Own and borrowed columns mixed, worked out as rows of the transpose in bounded blocks."""
    counts = data.item_counts
    touched = np.flatnonzero(counts)
    kernel = Kernel.of(data, config.columns, centre=config.centre)
    narrow = kernel.dim <= min(NARROW, len(touched))
    remedy = "Use bridge, or columns of few dimensions; or raise max_items if there is time and memory."
    if len(touched) > config.max_items:
        raise CannotFit("there are too many touched items", value=len(touched), remedy=remedy)
    if not narrow or config.teacher == "ease":
        check_dense(len(touched), 2, remedy, config.max_items)
    taught = _taught(data, config, touched)
    own = csr_array(taught.T)
    predicted = (Primal if narrow else Dual)(kernel, taught, touched, config.reg)
    share = (counts / (counts + config.own)).astype(np.float32)
    scale = _calibration(own, predicted, counts)
    lent = (1 - share) * scale
    blocks = list[Sparse]()
    for start, borrowed in predicted.blocks(np.arange(len(counts))):
        rows = slice(start, start + len(borrowed))
        borrowed *= lent[rows][:, None]
        borrowed += (diags_array(share[rows]) @ own[rows]).toarray()
        blocks.append(keep_largest(without_self(borrowed, start), config.entries, start))
    weights = csr_array(vstack(blocks, format="csr").T)
    return Mixed(weights, predicted.coefficients, None if narrow else taught, scale)


def _taught(data: Dataset, config: BridgeRidgeConfig, touched: Longs) -> Sparse:
    """``float32[n, n]``: column j holds what the best k items say of item j by behaviour."""
    if config.teacher == "item_knn":
        return similarities(data, config)
    settings = ("largest weights of ease", config.teacher_reg, config.k, data.n_items)
    return shared([data.events], settings, lambda: _largest_weights(data, config, touched))


def _largest_weights(data: Dataset, config: BridgeRidgeConfig, touched: Longs) -> Sparse:
    """The ``k`` largest weights of each column of EASE over the touched items."""
    log = by_item(csr_array(data.matrix[:, touched]))
    gram = np.zeros((len(touched), len(touched)), np.float32, order="F")
    add_product(gram, log, log)
    gram[np.diag_indices_from(gram)] += config.teacher_reg
    best = keep_largest(regression_weights(gram).T, config.k).tocoo()
    return csr_array((best.data, (touched[best.col], touched[best.row])), shape=(data.n_items, data.n_items))


def _calibration(own: Sparse, predicted: Predictor, counts: Longs) -> np.float32:
    """What borrowed columns must be multiplied with to be as long as own ones, on items with about 5 events."""
    touched = np.flatnonzero(counts)
    known = np.flatnonzero((counts >= FEW[0]) & (counts <= FEW[1]))
    if len(known) < ENOUGH:
        known = touched[counts[touched] <= np.quantile(counts[touched], 0.05)]
    theirs = np.concatenate([np.linalg.norm(block, axis=1) for _, block in predicted.blocks(known)])
    mine = np.sqrt(np.asarray(own[known].power(2).sum(axis=1)))
    both = (mine > 0) & (theirs > 0)
    return np.float32(np.median(mine[both] / theirs[both])) if both.any() else np.float32(1.0)
