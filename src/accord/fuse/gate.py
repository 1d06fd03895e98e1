"""A mixture of experts: several weighted sums, and a gate that says for each place which of them counts."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from accord.fuse.learned import Learned, LearnedConfig
from accord.fuse.net import Batch, Net, zeros


class GateConfig(LearnedConfig):
    """Experts, and how evenly they are to be asked."""

    experts: int = Field(default=4, ge=2, le=64)
    """How many weighted sums there are."""
    hidden: int = Field(default=16, ge=1)
    """Width of the gate's hidden layer."""
    balance: float = Field(default=0.01, ge=0)
    """Weight of the load balance: the squared coefficient of variation of what the experts are asked."""


class GateNet(Net):
    """``sum_k g_k(x) d_k``: shares of the experts, times how each differs from the weighted sum."""

    by_source = ("moved",)

    def __init__(self, config: GateConfig, dims: dict[str, int], circumstances: int = 0) -> None:
        super().__init__(config, dims, circumstances)
        self.gate = nn.Sequential(
            nn.Linear(self.width, config.hidden), nn.Tanh(), nn.Linear(config.hidden, config.experts)
        )
        self.moved = zeros(len(config.sources), config.experts)
        """What each expert adds to the weights; the gate begins at random, so that experts become different."""

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """``float32[B, P, S]``, and the load balance."""
        shares = torch.softmax(self.gate(self.context(batch)), dim=2)
        load = shares.mean(dim=(0, 1))
        uneven = load.var(correction=0) / load.mean().square()
        return shares @ self.moved.T * batch.scores, self.config.balance * uneven


class Gate(Learned):
    """``score = sum_k g_k(x) sum_s w_ks z_s``: experts with weights of their own, and a softmax gate.

    The gate sees of each place the item's events and age, spread, best and agreement of the sources' scores, cosines
    and lengths of the vectors asked for, and the length of the history. Experts that are asked ever less learn ever
    less, so the gate pays for an uneven load (Shazeer et al., "Outrageously large neural networks: the sparsely-gated
    mixture-of-experts layer", ICLR 2017, equation 6; all experts are asked, for they cost next to nothing).
    ``contributions`` are exact, and each depends on all sources by way of the gate.
    """

    Config = GateConfig
    Net = GateNet
