"""Side rows in few dimensions: what a regression must keep of them to place items that come after its fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import csr_array, hstack
from sklearn.utils.extmath import randomized_svd

from accord.core.arrays import Floats, Longs, Sparse
from accord.core.dataset import Dataset
from accord.core.run import Run
from accord.models.gram import side_columns

NARROW = 512
"""Side rows of up to so many dimensions are kept as they are."""
DIM = 256
"""Wider ones are kept on so many main axes."""


def axes_of(data: Dataset, weights: Mapping[str, float], run: Run) -> Floats:
    """``float32[D, dim]``: the main axes of the stacked side rows; ``float32[0, 0]`` where all of D are kept."""
    rows = _stacked(data, weights, None)
    if rows.shape[1] <= NARROW:
        return np.empty((0, 0), np.float32)
    seed = int(run.rng("side rows").integers(1 << 31))
    settings: dict[str, Any] = {"n_iter": 2, "random_state": seed}
    return np.ascontiguousarray(randomized_svd(rows, min(DIM, min(rows.shape)), **settings)[2].T, np.float32)


def features(data: Dataset, weights: Mapping[str, float], axes: Floats, items: Longs | None = None) -> Floats:
    """``float32[b, dim]``: the side rows of some items (None: all) on the axes."""
    rows = _stacked(data, weights, items)
    return np.asarray(rows @ axes if len(axes) else rows.toarray(), np.float32)


def _stacked(data: Dataset, weights: Mapping[str, float], items: Longs | None) -> Sparse:
    """``float32[b, D]``: weighted side columns side by side."""
    columns = side_columns(data, weights)
    chosen = [(column if items is None else column[items], weight) for column, weight in columns]
    return csr_array(hstack([csr_array(np.float32(weight**0.5) * rows) for rows, weight in chosen], format="csr"))
