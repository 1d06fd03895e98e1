"""SLIT, with side rows: a ridge regression from what people did to what they did next, in closed form."""

from __future__ import annotations

import math
from typing import Literal, cast

import numpy as np
from pydantic import Field
from scipy.linalg import lapack
from scipy.sparse import csr_array

from accord.core.arrays import Floats, Longs, Sparse
from accord.core.dataset import Dataset
from accord.core.errors import CannotFit
from accord.core.history import History
from accord.core.run import Run
from accord.models.gram import add_product, by_item, side_columns, side_gram, transposed_in_place
from accord.models.linear import HistoryConfig
from accord.models.memory import check_dense
from accord.models.placed import Placed
from accord.models.sketch import axes_of, features
from accord.models.sketched import Sketched

NEGLIGIBLE = 1e-3
"""Events that count less than this are left out of a row."""


class SlitConfig(HistoryConfig):
    """Decay of past and future, regularisation and side information."""

    tau: float = Field(default=2.0, gt=0)
    """Recency at scoring: an event that ``d`` newer ones followed counts ``exp(-d / tau)``."""
    past: float = Field(default=2.0, gt=0)
    """In training, an event ``g`` places before the newest one of the past counts ``exp(-g / past)``."""
    future: float = Field(default=2.0, gt=0)
    """In training, an event ``g`` places after the next one counts ``exp(-g / future)``."""
    newest: int = Field(default=60, ge=2)
    """How many events of each user are learned from."""
    reg: float = Field(default=80.0, gt=0)
    """Added to the diagonal of the Gram matrix."""
    side: dict[str, float] = Field(default_factory=dict[str, float])
    """Weights of item columns (attributes, text vectors) that are regressed on themselves beside the users; a column
    that the data lacks is left out."""


class Slit(Sketched):
    """``B = (X'X + S + reg I)^-1 (X'Y + S0)`` with ``S = sum_s w_s^2 F_s F_s'`` and S0 the same without its diagonal.

    Each cut of each history gives a row of X, its decayed past, and a row of Y, its decayed future. Choi et al.,
    "Session-aware Linear Item-Item Models for Session-based Recommendation", WWW 2021 (SLIT); the side rows are of the
    kind that Jeunen, Van Balen and Goethals give EASE (RecSys 2020). Needs two ``float32[n, n]`` arrays.
    """

    Config = SlitConfig
    needs_order = True
    evidence = "what comes next"

    def _fit(self, data: Dataset, run: Run) -> None:
        check_dense(data.n_items, copies=2, remedy="Leave slit out; markov and item_knn (near) read order sparsely.")
        past, future = rows_of_cuts(data.histories.last(self.config.newest), data.n_items, self.config)
        gram = side_gram(data, self.config.side)
        target = gram.copy(order="F")
        np.fill_diagonal(target, 0.0)
        past, future = by_item(past), by_item(future)
        add_product(gram, past, past)
        add_product(target, past, future)
        gram[np.diag_indices_from(gram)] += self.config.reg
        self.axes = self.sketch = None
        if side_columns(data, self.config.side):
            self.axes = axes_of(data, self.config.side, run)
            self.sketch = np.asfortranarray(features(data, self.config.side, self.axes))
        self.weights = solved(gram, target, self.sketch)

    def _inverse_diagonal(self) -> Floats | None:
        return None if self.sketch is None else np.ones(len(self.sketch), np.float32)

    def _columns(self, solved: Floats, features: Floats, own: Floats, precisions: Floats) -> Floats:
        return solved * ((own + self.config.reg) * precisions).astype(np.float32)

    def _rows(self, targets: Floats, solved: Floats, precisions: Floats) -> Floats:
        """``c'(I - B) / (d + reg - c'u)``: the new item's row of ``A^-1`` times the targets of the fitted ones."""
        told = targets.T - targets.T @ cast("Floats", self.weights)
        return (told * precisions[:, None]).astype(np.float32)

    def _pairs(self, rest: Floats, speaking: Floats, own: Floats, precisions: Floats) -> Floats:
        return rest * speaking[:, None] * ((own + self.config.reg) * precisions)

    def _explaining(self, placed: Placed, own: Floats) -> Floats:
        return (1 / np.maximum((own + self.config.reg) * placed.precisions, 1e-9)).astype(np.float32)


def rows_of_cuts(history: History, n_items: int, config: SlitConfig) -> tuple[Sparse, Sparse]:
    """Past and future as ``float32[E, n_items]``: row t holds the decayed events before, and from, event t on.

    The row of a history's first event has no past; it is empty on both sides.
    """
    rows = history.rows
    started = np.zeros(len(rows), dtype=bool)
    started[1:] = rows[1:] == rows[:-1]
    past = _decayed(history, rows, n_items, config.past, first=1, step=-1)
    future = _decayed(history, rows, n_items, config.future, first=0, step=1)
    keep = np.flatnonzero(started)
    return past[keep], future[keep]


def _decayed(history: History, rows: Longs, n_items: int, decay: float, *, first: int, step: Literal[-1, 1]) -> Sparse:
    """``float32[E, n_items]``: row t holds the events ``first``, ``first + 1``, ... places away from t, decayed."""
    longest = int(history.lengths.max(initial=0))
    reach = min(longest, math.ceil(-decay * math.log(NEGLIGIBLE))) if math.isfinite(decay) else longest
    shape = (len(rows), n_items)
    total = csr_array(shape, dtype=np.float32)
    for gap in range(reach):
        distance = first + gap
        same = rows[distance:] == rows[: len(rows) - distance]
        if not same.any():
            break
        near, far = np.flatnonzero(same), np.flatnonzero(same) + distance
        at, other = (near, far) if step > 0 else (far, near)
        values = history.weights[other] * np.float32(math.exp(-gap / decay))
        total = total + csr_array((values, (at, history.items[other])), shape=shape)
    return cast("Sparse", total)


def solved(gram: Floats, target: Floats, more: Floats | None = None) -> Floats:
    """``gram^-1 target`` by Cholesky; both arrays (Fortran order) are overwritten, and ``more`` by ``gram^-1 more``."""
    factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
    if failed:
        raise CannotFit("the Gram matrix is not positive definite", remedy="Raise reg.")
    if more is not None:
        more[:] = lapack.spotrs(factor, more, lower=1, overwrite_b=1)[0]
    weights, _ = lapack.spotrs(factor, target, lower=1, overwrite_b=1)
    return transposed_in_place(weights).T
