"""The part of a sequence model that reads: what is known of each event, the body, and the state after it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from accord.learn.packed import Packed
from accord.models.bodies import body_of
from accord.models.sequences import GAPS


class Reader(nn.Module):
    """Vectors of the items of a history, with times and weights, to one state an event."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        dim = config.dim
        self.masked, self.longest = config.mode == "masked", config.last
        self.gaps = nn.Embedding(GAPS, dim, padding_idx=0) if config.gaps else None
        self.weight = nn.Parameter(torch.zeros(dim))
        self.before, self.after = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)
        self.body = body_of(config, causal=not self.masked)
        self.unknown = nn.Parameter(torch.randn(dim) * dim**-0.5) if self.masked else None
        """What stands where an item is hidden."""
        if self.gaps is not None:
            nn.init.normal_(self.gaps.weight, std=0.02)

    def forward(
        self, vectors: Tensor, gaps: Tensor, weights: Tensor, packed: Packed, hidden: Tensor | None = None
    ) -> Tensor:
        """States ``float32[N, dim]``; ``hidden``: ``bool[N]``, events of which only time and weight are told."""
        if hidden is not None and self.unknown is not None:
            vectors = torch.where(hidden[:, None], self.unknown, vectors)
        counted = weights.sign() * weights.abs().log1p() - np.log(2)  # 0 for the plain weight of 1
        told = self.before(vectors) + counted[:, None] * self.weight
        if self.gaps is not None:
            told = told + self.gaps(gaps)
        return self.after(self.body(self.dropout(told), packed))

    def last(self, vectors: Tensor, gaps: Tensor, weights: Tensor, packed: Packed) -> Tensor:
        """The state of what comes next: ``float32[B, dim]``."""
        if not self.masked:
            return self(vectors, gaps, weights, packed)[packed.newest]
        longer = Packed(packed.lengths + 1, packed.longest + 1)
        hidden = torch.zeros(int(longer.lengths.sum()), dtype=torch.bool, device=vectors.device)
        hidden[longer.newest] = True
        spread = [values.new_zeros((len(hidden), *values.shape[1:])) for values in (vectors, gaps, weights)]
        for wide, values in zip(spread, (vectors, gaps, weights), strict=True):
            wide[~hidden] = values
        spread[2][hidden] = 1.0
        return self(*spread, longer, hidden)[longer.newest]
