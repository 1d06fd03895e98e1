"""Vectors of items for neural sources: their own, those of their content, or both."""

from __future__ import annotations

from typing import Literal, TypeAlias, cast

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from accord.core.arrays import Bools, Floats, Matrix
from accord.core.part import State
from accord.models.content_rows import mean_row, unit_rows

Form: TypeAlias = Literal["id", "content", "sum", "bounded"]
"""``id``: a learned vector an item. ``content``: a learned projection of its encoded columns. ``sum``: both added up.
``bounded``: the content and a correction of limited length, so that items with and without events stay in one space."""


class ItemTable(nn.Module):
    """Item numbers to vectors; an item without events has no vector of its own and is what its content says."""

    rows: Tensor
    own: nn.Embedding | None

    def __init__(self, known: Bools, dim: int, form: Form, columns: dict[str, Matrix], bound: float) -> None:
        """``known``: ``bool[n]``, items with events; ``columns``: the encoded content by name, one row an item."""
        super().__init__()
        self.form, self.bound = form, bound
        self.content = nn.ModuleDict({name: column_of(matrix, dim) for name, matrix in columns.items()})
        self.own = nn.Embedding(int(known.sum()), dim) if form != "content" else None
        if self.own is not None:
            nn.init.normal_(self.own.weight, std=0.0 if form == "bounded" else dim**-0.5)
        rows = np.where(known, np.cumsum(known) - 1, -1)  # what is unknown takes no row, so that it changes nothing
        self.register_buffer("rows", torch.from_numpy(rows), persistent=False)

    def forward(self, items: Tensor) -> Tensor:
        """``int64[...]`` to ``float32[..., dim]``."""
        flat = items.reshape(-1)
        vectors = sum(column(flat) for column in self.content.values()) if self.form != "id" else 0.0
        if self.own is not None:
            vectors = vectors + self._own(self.own, flat)
        return torch.as_tensor(vectors).float().reshape(*items.shape, -1)

    def content_state(self) -> State:
        """What turns content into vectors, as arrays; see ``projected``."""
        if self.form == "id":
            return {}
        return {name: values.numpy().copy() for name, values in self.content.state_dict().items()}

    def _own(self, table: nn.Embedding, flat: Tensor) -> Tensor:
        rows = self.rows[flat]
        own = table(rows.clamp(min=0)) * (rows >= 0)[:, None]
        if self.form != "bounded":
            return own
        return own * (self.bound / own.norm(dim=1, keepdim=True).clamp(min=self.bound))


def projected(state: State, columns: dict[str, Matrix]) -> Floats:
    """``float32[m, dim]``: vectors of items by their content alone; ``columns``: their rows of each encoded column."""
    parts = [unit(rows, state.get(f"{name}.centre")) @ state[f"{name}.weight"] for name, rows in columns.items()]
    return np.sum([np.asarray(part, np.float32) for part in parts], axis=0)


def unit(rows: Matrix, centre: Floats | None) -> Matrix:
    """Rows of unit length, dense ones less a centre; rows of zeros stay."""
    return unit_rows(rows, centre=centre is not None, mean=centre, rows=np.arange(rows.shape[0]))


def column_of(matrix: Matrix, dim: int) -> nn.Module:
    """A projection of one encoded column."""
    return SparseColumn(matrix, dim) if isinstance(matrix, csr_array) else DenseColumn(matrix, dim)


class DenseColumn(nn.Module):
    """Centred vectors of unit length, projected; items without content stay at zero."""

    values: Tensor

    def __init__(self, matrix: Matrix, dim: int) -> None:
        super().__init__()
        values = np.asarray(matrix, np.float32)
        centre = mean_row(values)
        self.register_buffer("centre", torch.from_numpy(centre))
        self.register_buffer("values", torch.from_numpy(np.asarray(unit(values, centre))), persistent=False)
        self.weight = nn.Parameter(torch.empty(values.shape[1], dim))
        nn.init.normal_(self.weight, std=dim**-0.5)

    def forward(self, items: Tensor) -> Tensor:
        """``int64[m]`` to ``float32[m, dim]``."""
        return self.values[items] @ self.weight


class SparseColumn(nn.Module):
    """The weighted sum of one learned vector for each word or label, rows of unit length."""

    offsets: Tensor
    words: Tensor
    shares: Tensor

    def __init__(self, matrix: csr_array, dim: int) -> None:
        super().__init__()
        rows = cast("csr_array", unit(matrix, None))
        for name, values in (("offsets", rows.indptr), ("words", rows.indices)):
            self.register_buffer(name, torch.from_numpy(values.astype(np.int64)), persistent=False)
        self.register_buffer("shares", torch.from_numpy(rows.data.astype(np.float32)), persistent=False)
        self.weight = nn.Parameter(torch.empty(matrix.shape[1], dim))
        nn.init.normal_(self.weight, std=dim**-0.5)

    def forward(self, items: Tensor) -> Tensor:
        """``int64[m]`` to ``float32[m, dim]``."""
        starts, lengths = self.offsets[items], self.offsets[items + 1] - self.offsets[items]
        ends = lengths.cumsum(0)
        index = torch.arange(int(lengths.sum()), device=items.device)
        index = index + torch.repeat_interleave(starts - (ends - lengths), lengths)
        shares = self.shares[index]
        return embedding_bag(self.words[index], self.weight, ends - lengths, per_sample_weights=shares, mode="sum")
