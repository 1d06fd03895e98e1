"""The two towers: from an item to its vector, and from a history and circumstances to those of somebody who asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

from accord.learn.packed import Packed
from accord.models.item_table import ItemTable

NEVER = -1e9
"""The logit of an event that is not read."""


class Residual(nn.Module):
    """``x + B gelu(A x)``, at first ``x``; without offsets, so that nothing known stays nothing."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.wide, self.back = nn.Linear(dim, hidden, bias=False), nn.Linear(hidden, dim, bias=False)
        nn.init.zeros_(self.back.weight)

    def forward(self, values: Tensor) -> Tensor:
        """``float32[..., dim]`` to the same."""
        return values + self.back(gelu(self.wide(values)))


class ItemTower(nn.Module):
    """Ids and content to vectors."""

    def __init__(self, table: ItemTable, config: Any) -> None:
        super().__init__()
        self.table = table
        self.deep = deep_of(config)
        self.cosine = config.similarity == "cosine"

    def forward(self, items: Tensor) -> Tensor:
        """``int64[...]`` to ``float32[..., dim]``."""
        return self.shown(self.table(items))

    def shown(self, first: Tensor) -> Tensor:
        """What comes of what the table says."""
        return compared(self.deep(first), cosine=self.cosine)


class UserTower(nn.Module):
    """``x_k = f(W sum_i a_ki y_i + sum_f e_f)``: history by attention ``a_k``, and a vector for each known feature.

    ``a_ki`` is the softmax over the events of ``log w_i - d_i / tau`` (a recency-weighted mean), to which ``attention``
    adds ``u_k . tanh(V y_i)`` and a bias by distance d (structured self-attention: Lin et al., ICLR 2017; as several
    interests: Cen et al., "ComiRec", KDD 2020). Where the log has no order there are no distances.
    """

    def __init__(self, config: Any, classes: Sequence[int], ordered: bool) -> None:
        super().__init__()
        dim, self.interests = config.dim, config.interests
        self.ordered, self.tau, self.last = ordered, config.tau, config.last
        self.look = self.weigh = self.distances = None
        if config.pooling == "attention" or config.interests > 1:
            self.look, self.weigh = nn.Linear(dim, dim), nn.Linear(dim, config.interests, bias=False)
            self.distances = nn.Parameter(torch.zeros(config.last, config.interests)) if ordered else None
        self.own = nn.Linear(dim, dim, bias=False)
        nn.init.eye_(self.own.weight)
        tables = [nn.Embedding(size, dim) for size in classes]
        for table in tables:
            nn.init.normal_(table.weight, std=0.1 * dim**-0.5)
        self.features = nn.ModuleList(tables)
        self.deep = deep_of(config)
        self.cosine = config.similarity == "cosine"

    def forward(self, pooled: Tensor, classes: Tensor) -> Tensor:
        """``float32[N, K, dim]`` of histories and ``int64[N, F]`` of features to the vectors ``float32[N, K, dim]``."""
        states = self.own(pooled)
        for place, table in enumerate(self.features):
            states = states + table(classes[:, place])[:, None]
        return compared(self.deep(states), cosine=self.cosine)

    def newest(self, vectors: Tensor, weights: Tensor, lengths: Tensor) -> Tensor:
        """Whole histories pooled: ``float32[B, K, dim]``, zero for an empty one.

        ``vectors``: ``float32[N, dim]`` of the events, oldest first; ``weights``: ``float32[N]``, above zero;
        ``lengths``: ``int64[B]``.
        """
        rows = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths)
        ages = torch.repeat_interleave(lengths.cumsum(0), lengths) - 1 - torch.arange(len(rows), device=rows.device)
        logits = self._of_events(vectors, weights) + self._of_distances(ages)
        every = rows[:, None].expand_as(logits)
        highest = logits.new_full((len(lengths), self.interests), NEVER)
        highest = highest.scatter_reduce(0, every, logits, "amax")
        shares = (logits - highest[rows]).exp()
        mass = torch.zeros_like(highest).index_add(0, rows, shares)
        pooled = vectors.new_zeros((len(lengths), self.interests, vectors.shape[1]))
        pooled = pooled.index_add(0, rows, shares[:, :, None] * vectors[:, None])
        return pooled / mass.clamp(min=1e-30)[:, :, None]

    def every(self, vectors: Tensor, weights: Tensor, packed: Packed, items: Tensor) -> Tensor:
        """``float32[N, K, dim]``: what is known at each event of some windows.

        In a log with an order the events up to it; without one all events of the window that are of other items
        (``items``: ``int64[N]``), and zero where there are none.
        """
        places = torch.arange(packed.longest, device=vectors.device)
        back = places[:, None] - places
        read = (back >= 0)[None] if self.ordered else self._others(items, packed)
        logits = packed.padded(self._of_events(vectors, weights))[:, None] + self._of_distances(back.clamp(min=0))
        shares = logits.masked_fill(~read[..., None], NEVER).softmax(dim=2) * read.any(dim=2)[..., None, None]
        pooled = torch.einsum("bqrk,brd->bqkd", shares, packed.padded(vectors))
        return packed.flat(pooled)

    def _others(self, items: Tensor, packed: Packed) -> Tensor:
        """``bool[B, L, L]``: which events are of another item, and there at all."""
        numbers = packed.padded(items + 1)
        return (numbers[:, None] != numbers[:, :, None]) & (numbers > 0)[:, None]

    def _of_events(self, vectors: Tensor, weights: Tensor) -> Tensor:
        """``float32[N, K]``: what speaks for reading each event, wherever it stands."""
        plain = weights.log()[:, None].expand(-1, self.interests)
        if self.look is None or self.weigh is None:
            return plain
        return plain + self.weigh(torch.tanh(self.look(vectors)))

    def _of_distances(self, ages: Tensor) -> Tensor:
        """``float32[..., K]``: what speaks for it by its place; ``ages``: how many events came after it."""
        if not self.ordered:
            return torch.zeros((*ages.shape, self.interests), device=ages.device)
        bias = -(ages / self.tau)[..., None].expand(*ages.shape, self.interests)
        return bias if self.distances is None else bias + self.distances[ages.clamp(max=self.last - 1)]


class Towers(nn.Module):
    """What is trained together."""

    def __init__(self, items: ItemTower, users: UserTower) -> None:
        super().__init__()
        self.items, self.users = items, users


def deep_of(config: Any) -> nn.Module:
    """The layers on top of a tower."""
    return Residual(config.dim, config.hidden) if config.hidden else nn.Identity()


def compared(vectors: Tensor, *, cosine: bool) -> Tensor:
    """Vectors as products compare them: of unit length for the cosine."""
    return normalize(vectors, dim=-1) if cosine else vectors


def nearest(states: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """``float32[N, dim]``: of each state's vectors ``float32[N, K, dim]`` the one that its targets are nearest to.

    ``targets``: ``float32[N, A, dim]``, of which each counts as ``weights`` (``float32[N, A]``) say.
    """
    with torch.no_grad():
        wanted = (weights[:, :, None] * targets).sum(dim=1)
        best = torch.einsum("nkd,nd->nk", states, wanted).argmax(dim=1)
    return states[torch.arange(len(states), device=states.device), best]


def tensor(values: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """An array as a tensor."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)
