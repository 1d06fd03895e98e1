"""A kernel of items: how alike they are by several kinds of content together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from accord.core.arrays import Floats, Longs, Matrix
from accord.core.dataset import Dataset
from accord.models.content_rows import mean_row, unit_rows
from accord.models.gram import add_product


@dataclass(frozen=True, slots=True)
class Kernel:
    """``K(i, j) = sum_c w_c cos_c(i, j)`` over encoded item columns; an item adds nothing where it has no content."""

    columns: list[tuple[float, Matrix]]
    """Weights, not negative, and vectors of length one."""

    @classmethod
    def of(
        cls,
        data: Dataset,
        weights: Mapping[str, float],
        *,
        centre: bool,
        over: int | None = None,
        rows: Longs | None = None,
        means: dict[str, Floats] | None = None,
    ) -> Kernel:
        """The kernel of the columns that the data has; ``centre`` takes the mean of dense ones away.

        ``over`` and ``rows`` as in ``content_rows.unit_rows``; ``means`` holds what they gave before, and is filled.
        """
        columns = list[tuple[float, Matrix]]()
        for name, weight in weights.items():
            if not weight or name not in data.vectors:
                continue
            vectors, mean = data.vectors[name], (means or {}).get(name)
            if centre and mean is None and not isinstance(vectors, csr_array):
                mean = mean_row(vectors if over is None else vectors[:over])
                if means is not None:
                    means[name] = mean
            columns.append((weight, unit_rows(vectors, rows=rows, mean=mean)))
        return cls(columns)

    @property
    def dim(self) -> int:
        """The width of ``features``."""
        return sum(vectors.shape[1] for _, vectors in self.columns)

    def features(self) -> Floats:
        """``float32[n, dim]``: dense vectors whose products are the kernel."""
        parts = [weight**0.5 * vectors for weight, vectors in self.columns]
        dense = [part.toarray() if isinstance(part, csr_array) else part for part in parts]
        return np.concatenate(dense, axis=1).astype(np.float32)

    def between(self, rows: Longs, items: Longs) -> Floats:
        """``float32[len(rows), len(items)]``."""
        out = np.zeros((len(rows), len(items)), np.float32, order="F")
        for weight, vectors in self.columns:
            add_product(out, vectors[rows], vectors[items], weight)
        return out

    def products(self, rows: Longs, values: Floats) -> Floats:
        """``float32[len(rows), b]``: ``K(rows, rows) @ values`` without forming K."""
        total = np.zeros(values.shape, np.float32)
        for weight, vectors in self.columns:
            some: Any = vectors[rows]
            total += np.float32(weight) * np.asarray(some @ (some.T @ values))
        return total
