"""Concatenation: one network over all scores, vectors and circumstances."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from accord.fuse.learned import Learned, LearnedConfig
from accord.fuse.net import Batch, Net, random, zeros
from accord.fuse.texts import Texts


class ConcatConfig(LearnedConfig):
    """The size of the network."""

    hidden: int = Field(default=32, ge=1)
    """Width of both hidden layers."""
    rank: int = Field(default=8, ge=1)
    """How many numbers a text vector is mapped to."""
    adapter: int = Field(default=0, ge=0)
    """Rank of a low-rank adapter of text vectors (LoRA after the frozen encoder); 0: none."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of hidden values that are hidden while learning."""


class ConcatNet(Net):
    """A multilayer perceptron with two hidden layers; the last begins at zero."""

    by_source = ("scores",)

    def __init__(self, config: ConcatConfig, dims: dict[str, int], circumstances: int = 0) -> None:
        super().__init__(config, dims, circumstances)
        n, hidden = len(config.sources), config.hidden
        self.texts = Texts(dims, config.rank, config.adapter)
        self.scores = random(n, hidden, std=n**-0.5)
        self.rest = nn.Linear(self.width + self.texts.width, hidden)
        self.deeper = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.last = zeros(hidden)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """``float32[B, P, 1]``, and no penalty."""
        rest = torch.cat([self.context(batch), self.texts(batch)], dim=2)
        first = torch.asinh(batch.scores) @ self.scores + self.rest(rest)
        second = self.deeper(self.dropout(nn.functional.gelu(first)))
        out = self.dropout(nn.functional.gelu(second)) @ self.last
        return out[:, :, None], out.new_zeros(())


class Concat(Learned):
    """The weighted sum plus a perceptron over everything: scores, vectors of item and user, circumstances.

    Of each text vector it reads a few learned numbers of the item, of who asks, and their products. Its correction
    belongs to no source and is spread evenly in ``contributions``.
    """

    Config = ConcatConfig
    Net = ConcatNet
