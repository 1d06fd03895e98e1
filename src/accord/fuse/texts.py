"""Learned maps from the vectors of a frozen encoder to a few numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from accord.fuse.net import Batch, random, zeros


class Texts(nn.Module):
    """A few numbers of who asks, of each item, and of both together, from every fixed space.

    Vectors may first be adapted, ``v + B A v`` with a narrow ``A`` and ``B`` (LoRA: Hu et al., ICLR 2022; here after
    the frozen encoder, not inside), which leaves them as they are at first.
    """

    def __init__(self, dims: dict[str, int], rank: int, adapter: int) -> None:
        super().__init__()
        self.rank, self.adapter = rank, adapter
        self.down = nn.ParameterDict({name: random(dim, rank, std=1.0) for name, dim in dims.items()})
        narrow = dims if adapter else dict[str, int]()
        self.into = nn.ParameterDict({name: random(dim, adapter, std=dim**-0.5) for name, dim in narrow.items()})
        self.back = nn.ParameterDict({name: zeros(adapter, dim) for name, dim in narrow.items()})

    @property
    def width(self) -> int:
        """How many numbers come of each place."""
        return len(self.down) * (3 * self.rank + bool(self.adapter))

    def forward(self, batch: Batch) -> Tensor:
        """``float32[B, P, width]``; a space that the batch lacks says nothing."""
        shape = batch.places.shape[:2]
        found = [self._of(name, batch) for name in self.down]
        return torch.cat([batch.places.new_zeros(*shape, 0), *found], dim=2)

    def _of(self, name: str, batch: Batch) -> Tensor:
        shape = batch.places.shape[:2]
        if name not in batch.texts:
            return batch.places.new_zeros(*shape, 3 * self.rank + bool(self.adapter))
        text = batch.texts[name]
        users, table = self._adapted(name, text.users), self._adapted(name, text.table)
        asking = (users @ self.down[name])[:, None].expand(*shape, -1)
        items = (table @ self.down[name])[text.index]
        views = [asking, items, asking * items]
        if self.adapter:
            ends = normalize(users), normalize(table)
            views.append(torch.einsum("bd,bpd->bp", ends[0], ends[1][text.index])[:, :, None])
        return torch.cat(views, dim=2)

    def _adapted(self, name: str, vectors: Tensor) -> Tensor:
        return vectors + vectors @ self.into[name] @ self.back[name] if self.adapter else vectors
