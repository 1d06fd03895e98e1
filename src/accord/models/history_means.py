"""The mean of a history: one vector for what somebody did, and what is learned from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from accord.core.arrays import Bools, Floats, Sparse
from accord.core.history import History
from accord.learn.packed import Packed
from accord.learn.targets import Targets
from accord.models.sequences import Batch, left_out
from accord.models.told import tensor

TINY = 1e-9


@dataclass(frozen=True)
class Ahead:
    """How the events of a window are predicted, and how fast they fade."""

    ordered: bool
    """Each event from those before it; else from all of the window that are of other items."""
    tau: float
    """An event that ``d`` newer ones followed counts ``exp(-d / tau)``; inf: all count alike."""
    ahead: int
    """How many of the coming events each state predicts, the k-th counting ``exp(-k / FADE)``."""


FADE = 1.5


@dataclass(frozen=True)
class MeanBatch:
    """Some windows as tensors: what is read, and what each state is to predict."""

    packed: Packed
    items: Tensor
    """``int64[N]``: what is read."""
    weights: Tensor
    """``float32[N]``: how much each event counts, nothing where its weight is negative."""
    targets: Targets
    """Of the state at each event that is read."""
    ahead: Ahead

    @classmethod
    def of(cls, history: History, ahead: Ahead, device: torch.device, wanted: Bools | None = None) -> MeanBatch:
        """Windows in their order, the last event of each a target only; ``wanted``: which events are predicted."""
        batch = Batch.of(history, ahead.ahead, FADE, device, wanted)
        return cls(batch.packed, batch.items, batch.weights.clamp(min=0), batch.targets, ahead)

    @classmethod
    def without_order(cls, history: History, whole: History, ahead: Ahead, device: torch.device) -> MeanBatch:
        """Windows of which each event is predicted from the others; ``whole``: all that the person of each did."""
        weights = np.maximum(history.weights, 0)
        items = tensor(history.items.astype(np.int64), device)
        targets = left_out(history, weights, whole, device)
        return cls(Packed.of(history.lengths, device), items, tensor(weights, device), targets, ahead)

    def means(self, vectors: Tensor) -> Tensor:
        """``float32[N, dim]``: the weighted mean of what each state reads; ``vectors``: ``[N, dim]``, of the events."""
        counted = torch.cat([vectors * self.weights[:, None], self.weights[:, None]], dim=1)
        sums = self.packed.flat(self._shares(counted) @ self.packed.padded(counted))
        return sums[:, :-1] / sums[:, -1:].clamp(min=TINY)

    def _shares(self, like: Tensor) -> Tensor:
        """``float32[1 or B, L, L]``: how much each state takes of each event of its row; padding holds zeros."""
        if not self.ahead.ordered:  # a log without order may hold the event once more
            items = self.packed.padded(self.items)
            return (items[:, :, None] != items[:, None]).to(like.dtype)
        place = torch.arange(self.packed.longest, device=like.device)
        age = (place[:, None] - place)[None]
        faded = torch.exp(-age.clamp(min=0) / self.ahead.tau) if math.isfinite(self.ahead.tau) else torch.ones_like(age)
        return (faded * (age >= 0)).to(like.dtype)


class Taste(nn.Module):
    """The mean of a history to the vector of a person: a small net beside the mean itself, both normed."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.before, self.after = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.deep = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * dim, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, means: Tensor) -> Tensor:
        """``float32[N, dim]`` to the same."""
        told = self.dropout(self.before(means))
        return self.after(told + self.deep(told))


def mean_rows(read: Sparse, vectors: Floats) -> Floats:
    """``float32[B, dim]``: means of ``vectors[n, dim]`` by the weights ``read[B, n]``, none of them negative."""
    mass = np.maximum(read.sum(axis=1), TINY)
    return np.asarray((read @ vectors) / mass[:, None], np.float32)
