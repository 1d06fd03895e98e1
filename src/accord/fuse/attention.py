"""Attention over sources: the weights of the sum depend on who asks."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from accord.fuse.learned import Learned, LearnedConfig
from accord.fuse.net import Batch, Net, random, zeros

LEAST = 0.01
"""Added to each weight where they are multiplied, so that a source of no weight can be woken."""


class AttentionConfig(LearnedConfig):
    """The size of the network."""

    hidden: int = Field(default=16, ge=1)
    """Width of queries and keys."""


class AttentionNet(Net):
    """``softmax(log w + f(q) . k_s)`` less ``softmax(log w)``, times each source's score."""

    by_source = ("seen", "keys", "bias")

    def __init__(self, config: AttentionConfig, dims: dict[str, int], circumstances: int = 0) -> None:
        super().__init__(config, dims, circumstances)
        n, hidden = len(config.sources), config.hidden
        self.reads = nn.Linear(self.asked, hidden)
        self.seen = random(n, hidden, std=n**-0.5)
        """What each source's best score adds to the query."""
        self.keys, self.bias = zeros(n, hidden), zeros(n)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """``float32[B, P, S]``, and no penalty."""
        query = torch.tanh(self.reads(self.queries(batch)) + self.tops(batch) @ self.seen)
        start = (batch.weights + LEAST).log().masked_fill(~batch.heard, -torch.inf)
        moved = torch.softmax(start + query @ self.keys.T + self.bias, dim=1) - torch.softmax(start, dim=0)
        return moved[:, None] * batch.scores, batch.scores.new_zeros(())


class Attention(Learned):
    """``score = sum_s w_s(q) z_s`` with weights of each query's own that are positive and sum to one.

    A query is the length of its history and how high the best score of each source stands above the mean; each source
    has a key (scaled products as in Vaswani et al., "Attention is all you need", 2017). ``contributions`` are exact,
    and each depends on all sources by way of the weights.
    """

    Config = AttentionConfig
    Net = AttentionNet
