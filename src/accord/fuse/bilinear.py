"""Bilinear fusion: products of texts and evidence through a learned map of low rank."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from accord.fuse.learned import Learned, LearnedConfig
from accord.fuse.net import Batch, Net, random, zeros
from accord.fuse.texts import Texts


class BilinearConfig(LearnedConfig):
    """The size of the map."""

    rank: int = Field(default=8, ge=1)
    """Rank of the map, and how many numbers a text vector is mapped to."""
    adapter: int = Field(default=0, ge=0)
    """Rank of a low-rank adapter of text vectors (LoRA after the frozen encoder); 0: none."""


class BilinearNet(Net):
    """``e' L R' h``: evidence ``e``, representation ``h``; ``L`` begins at zero."""

    by_source = ("left", "right")

    def __init__(self, config: BilinearConfig, dims: dict[str, int], circumstances: int = 0) -> None:
        super().__init__(config, dims, circumstances)
        n, rank = len(config.sources), config.rank
        self.texts = Texts(dims, rank, config.adapter)
        rest = self.width + self.texts.width + 1
        self.left, self.left_rest = zeros(n, rank), zeros(self.width + 1, rank)
        self.right, self.right_rest = random(n, rank, std=n**-0.5), random(rest, rank, std=rest**-0.5)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """``float32[B, P, 1]``, and no penalty."""
        scores, context = torch.asinh(batch.scores), self.context(batch)
        one = torch.ones_like(context[:, :, :1])
        evidence = scores @ self.left + torch.cat([context, one], dim=2) @ self.left_rest
        rest = torch.cat([context, self.texts(batch), one], dim=2)
        out = (evidence * (scores @ self.right + rest @ self.right_rest)).sum(dim=2, keepdim=True)
        return out, out.new_zeros(())


class Bilinear(Learned):
    """The weighted sum plus ``e' L R' h``, the product of evidence and representation through a map of low rank.

    ``e``: the sources' scores, what is known of item and history, and 1. ``h``: the same and, of each text vector, a
    few learned numbers of the item, of who asks, and their products: ``u' M v`` with ``M`` of low rank. So it says
    which sources are to be believed for which texts, which sources must agree, and which texts suit each other
    (low-rank bilinear pooling: Kim et al., ICLR 2017). Its correction is spread evenly in ``contributions``.
    """

    Config = BilinearConfig
    Net = BilinearNet
