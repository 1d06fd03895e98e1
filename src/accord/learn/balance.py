"""Several losses as one, with weights that are given or learned."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Balance(nn.Module):
    """``sum_k w_k L_k``, or with learned weights ``sum_k w_k (exp(-s_k) L_k + s_k / 2)``; L: the mean of each loss.

    ``s_k`` is the logarithm of what the loss leaves open (its variance): a loss that stays high counts less (Kendall,
    Gal and Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses", CVPR 2018). It starts at 0.
    """

    open: nn.Parameter | None

    def __init__(self, weights: Mapping[str, float], *, learned: bool) -> None:
        """``weights``: w by the name of the loss."""
        super().__init__()
        self.weights = dict(weights)
        self.open = nn.Parameter(torch.zeros(len(weights))) if learned else None

    @property
    def shares(self) -> dict[str, float]:
        """What each loss counts now."""
        factors = torch.ones(len(self.weights)) if self.open is None else (-self.open.detach()).exp()
        return {name: weight * float(f) for (name, weight), f in zip(self.weights.items(), factors, strict=True)}

    def forward(self, losses: Mapping[str, tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Sums of losses and of their weights, by name, to one such pair, as the training loop takes it."""
        of = losses[next(iter(self.weights))][1]
        total = torch.zeros((), device=of.device)
        for place, (name, weight) in enumerate(self.weights.items()):
            mean = losses[name][0] / losses[name][1].clamp(min=1e-12)
            if self.open is not None:
                mean = (-self.open[place]).exp() * mean + 0.5 * self.open[place]
            total = total + weight * mean
        return total * of, of
