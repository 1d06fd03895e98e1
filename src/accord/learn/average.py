"""The moving average of the weights, which is what a training keeps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EARLY = 10
"""The average forgets faster at first: after t steps it keeps no more than ``(1 + t) / (EARLY + t)`` of itself."""


class Average:
    """An exponential moving average of all parameters (Polyak and Juditsky, 1992; with a start as in TensorFlow's).

    Without the faster start a small data set, of few steps, would keep its first, random weights.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module, self.decay, self.steps = module, decay, 0
        self.values = {name: weights.detach().clone() for name, weights in module.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        kept = min(self.decay, (1 + self.steps) / (EARLY + self.steps))
        for name, weights in self.module.named_parameters():
            self.values[name].lerp_(weights, 1 - kept)

    def whole(self) -> dict[str, Tensor]:
        """The state of the module with the averages in place of its parameters."""
        return {**self.module.state_dict(), **self.values}
